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
        let address = channel.remoteAddress.flatMap { IPAddress($0) }
        let supervisor = ConnectionSupervisor(
            registry: registry, limits: limits,
            peer: .init(network: address?.throttlingNetwork, isExempt: isExempt(address)), isEncrypted: isEncrypted)
        try channel.pipeline.syncOperations.addHandler(supervisor, position: .first)
        return supervisor
    }
}
