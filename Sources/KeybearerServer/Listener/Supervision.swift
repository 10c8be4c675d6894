import Keybearer
import NIOCore

/// What supervises the connections of one listener.
struct Supervision: Sendable {
    let registry: ConnectionRegistry
    let limits: ConnectionLife.Limits
    /// Whether the bound per address does not count for a peer.
    let isExempt: @Sendable (IPAddress?) -> Bool

    /// Puts a supervisor at the head of a new connection.
    func supervise(_ channel: any Channel, isEncrypted: Bool) throws -> ConnectionSupervisor {
        let supervisor = try superviseInbound(channel, isEncrypted: isEncrypted)
        try channel.pipeline.syncOperations.addHandler(
            SupervisedOutbound(supervisor: supervisor), position: .after(supervisor))
        return supervisor
    }

    /// The same for one handler that asks the supervisor itself before it reads, and closes by it: the gate's, which
    /// saves what a further handler costs each of its answers.
    func superviseInbound(_ channel: any Channel, isEncrypted: Bool) throws -> ConnectionSupervisor {
        let address = channel.remoteAddress.flatMap { IPAddress($0) }
        let supervisor = ConnectionSupervisor(
            registry: registry, limits: limits,
            peer: .init(network: address?.throttlingNetwork, isExempt: isExempt(address)), isEncrypted: isEncrypted)
        try channel.pipeline.syncOperations.addHandler(supervisor, position: .first)
        return supervisor
    }
}

/// Has every handler behind it read and close through the supervisor of its connection.
final class SupervisedOutbound: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let supervisor: ConnectionSupervisor

    init(supervisor: ConnectionSupervisor) { self.supervisor = supervisor }

    func read(context: ChannelHandlerContext) {
        if supervisor.mayRead { context.read() }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        supervisor.close(mode: mode, promise: promise)
    }
}
