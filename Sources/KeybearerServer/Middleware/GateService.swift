public import Keybearer
public import ServiceLifecycle

/// Keeps the request path true beside an application: follows changes, holds the lease, writes last uses. On a stop it writes
/// what is still in memory.
public struct GateService: Service {
    private let gate: Gate

    /// Wraps the gate of a deployment.
    ///
    /// - Throws: `INTERNAL_ERROR` when the deployment is not in the role of a server.
    public init(_ deployment: Deployment) throws {
        gate = try deployment.requireGate()
    }

    init(gate: Gate) {
        self.gate = gate
    }

    /// Runs until the application stops.
    public func run() async throws {
        await cancelWhenGracefulShutdown { [gate] in await gate.run() }
        // Detached: a stop that took too long cancels this task, and what it holds must still be written.
        await Task.detached { [gate] in await gate.stop() }.value
    }
}

extension Deployment {
    /// The gate of a deployment in the role of a server.
    func requireGate() throws(KeybearerError) -> Gate {
        guard let gate else { throw KeybearerError(.internalError, "This deployment was not made for a server.") }
        return gate
    }
}
