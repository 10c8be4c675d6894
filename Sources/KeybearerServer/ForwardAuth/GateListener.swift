import Keybearer
import Logging
import NIOCore
import NIOExtras
import NIOPosix
import ServiceLifecycle

/// Serves the gate on a listener of its own, beside the public one and never on it, and on event loops of its own:
/// behind a request to the API or the dashboard on the same loop, a request at the gate would wait for ten times its
/// own time.
struct GateListener: Service {
    let decision: GateDecision
    let limits: GateRequestHead.Limits
    let supervision: Supervision
    let logger: Logger
    /// Called once with the port, 0 for a Unix socket, when requests are answered.
    let onReady: @Sendable (_ port: Int) -> Void

    /// Loops that nothing but the gate is on, and that go before the process's other threads.
    ///
    /// They live as long as the process: what was asked of the store may be answered after the gateway has gone and the
    /// listener has stopped, and a loop that had ended would have nowhere to put it.
    static let eventLoops = {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        EventLoopSlices.shorten(group, to: EventLoopSlices.gate)
        return group
    }()

    func run() async throws {
        let group = Self.eventLoops
        let quiescing = ServerQuiescingHelper(group: group)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        FileShortage(listener: "gate", clocks: decision.clocks, logger: logger),
                        quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let supervisor = try supervision.superviseInbound(channel, isEncrypted: false)
                    try channel.pipeline.syncOperations.addHandler(
                        GateHandler(decision: decision, limits: limits, supervisor: supervisor))
                }
            }
            // A gateway sends a request and waits: a second read immediately would find nothing, and costs a call of
            // the system.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        let (listener, file) = try await bind(bootstrap)
        onReady(listener.localAddress?.port ?? 0)
        let stopped = group.any().makePromise(of: Void.self)
        await withTaskCancellationOrGracefulShutdownHandler {
            try? await listener.closeFuture.get()
        } onCancelOrGracefulShutdown: {
            // While this process listens nobody takes the file; later it could be another's.
            file?.remove()
            quiescing.initiateShutdown(promise: stopped)
        }
        try await stopped.futureResult.get()
    }

    private func bind(_ bootstrap: ServerBootstrap) async throws -> (any Channel, UnixSocketFile?) {
        switch decision.settings.address {
        case .network(let host, let port):
            let channel = try await bootstrap.childChannelOption(.socketOption(.tcp_nodelay), value: 1)
                .bind(host: host, port: port).get()
            return (channel, nil)
        case .unixSocket(let path):
            return try await UnixSocketFile.bind(path) {
                try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: false).get()
            }
        }
    }
}
