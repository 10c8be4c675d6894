public import Keybearer
public import ServiceLifecycle

/// Keeps the request path true beside an application: follows changes, holds the lease, writes last uses. On a stop it writes
/// what is still in memory.
public struct NodeService: Service {
    private let node: Node

    /// Wraps the node of these services.
    ///
    /// - Throws: `INTERNAL_ERROR` when the services are not in the role of a server.
    public init(_ services: Services) throws {
        node = try services.requireNode()
    }

    init(node: Node) {
        self.node = node
    }

    /// Runs until the application stops.
    public func run() async throws {
        await cancelWhenGracefulShutdown { [node] in await node.run() }
        // Detached: a stop that took too long cancels this task, and what it holds must still be written.
        await Task.detached { [node] in await node.stop() }.value
    }
}

extension Services {
    /// The node of services in the role of a server.
    func requireNode() throws(KeybearerError) -> Node {
        guard let node else { throw KeybearerError(.internalError, "These services were not made for a server.") }
        return node
    }
}
