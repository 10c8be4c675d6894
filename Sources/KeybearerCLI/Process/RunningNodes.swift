import Keybearer

/// Tells registered nodes that live from those that died: one that lives renews within its lease.
struct RunningNodes {
    /// A node and whether it renewed while it was watched.
    struct Watched {
        let node: RegisteredNode
        let isAlive: Bool
    }

    /// Watches for one lease; answers immediately when no node is registered.
    static func entries(of store: any Store) async throws -> [Watched] {
        let before = try await store.nodes()
        guard let longest = before.map(\.lease).max() else { return [] }
        // No clock of the database is asked: whether a counter rises needs none.
        try await Task.sleep(for: longest * 1.05)
        let after = try await store.nodes()
        return after.map { node in
            let earlier = before.first { $0.id == node.id }
            return Watched(node: node, isAlive: earlier.map { $0.renewals != node.renewals } ?? true)
        }
    }

    /// Refuses while a node lives that would go on deciding by what was there before.
    ///
    /// - Returns: the nodes that are registered and do not live.
    @discardableResult
    static func requireNone(on store: any Store) async throws -> [RegisteredNode] {
        if try await store.nodes().isEmpty { return [] }
        Console.report("Making sure that no server runs…")
        let entries = try await entries(of: store)
        if entries.contains(where: \.isAlive) {
            throw CommandFailure(.temporary, "a server runs on this database; stop it first")
        }
        return entries.map(\.node)
    }
}
