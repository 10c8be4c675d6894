import Synchronization

/// Tells whether other processes serve from the same store: those whose leases are renewed while this one watches.
///
/// A process that died stays registered until a change has waited for it. It is told from a live one without any clock
/// of the store: whether its renewals rise within its lease.
final class NodeLiveness: Sendable {
    private struct Seen {
        let renewals: Int64
        let since: SteadyTime
    }

    private let store: any FenceStore
    private let clocks: Clocks
    private let own: @Sendable () -> NodeID?
    private let seen = Lock<[NodeID: Seen]>([:])

    /// - Parameter own: the registration of this process; nil while it has none.
    init(store: any FenceStore, clocks: Clocks, own: @escaping @Sendable () -> NodeID?) {
        self.store = store
        self.clocks = clocks
        self.own = own
    }

    /// Whether no other process renews its lease. False also when that is not known yet: one that was never seen before
    /// is taken for alive until its lease has passed.
    func isOnlyNode() async throws -> Bool {
        guard let own = own() else { return false }
        let requestedAt = clocks.steady()
        let nodes = try await store.nodes()
        let now = clocks.steady()
        return seen.withLock { seen in
            let before = seen
            seen = [:]
            for node in nodes where node.id != own {
                let known = before[node.id].flatMap { $0.renewals == node.renewals ? $0 : nil }
                seen[node.id] = known ?? Seen(renewals: node.renewals, since: now)
            }
            // By the time before it was asked: what was renewed behind that is not in the answer.
            return nodes.allSatisfy { node in
                node.id == own
                    || (seen[node.id].map { $0.since.duration(to: requestedAt) > node.lease * 1.05 } ?? false)
            }
        }
    }
}
