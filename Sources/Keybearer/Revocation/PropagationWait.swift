/// Waits, after a change was committed, until no node can still decide by what was true before it.
///
/// A node uses its key cache only under a lease. It renews the lease only if it has applied all changes,
/// so a node either acknowledges this change, or its last renewal was before the change was committed and
/// its lease has run out one lease after that. Both are measured here: acknowledgements are read from the store, and
/// the lease is waited for on this process's own steady clock, with a margin for clocks that run at other rates.
struct PropagationWait: Sendable {
    /// How much slower than this process's clock another one may run: 1 %, far more than quartz drifts.
    static let driftMargin = 0.01
    private static let pause: Duration = .milliseconds(4)

    let store: any FenceStore
    let clocks: Clocks
    /// The longest lease that a node is known to take, for when the store cannot be asked.
    let longestLease: Duration

    /// Returns when every node but `own` has applied the change or can no longer decide by anything older.
    func wait(for position: ChangeLogPosition, excluding own: NodeID?) async {
        let committedBy = clocks.steady()
        while true {
            let waited = committedBy.duration(to: clocks.steady())
            do {
                let behind = try await store.nodes(behind: position.number).filter { $0.id != own }
                let waitedFor = behind.filter { waited < Self.withDrift($0.lease) }
                let expired = behind.filter { waited >= Self.withDrift($0.lease) }
                // Removed, so that a dead node costs one lease once and not once for every change.
                if !expired.isEmpty { try await store.expelNodes(expired.map(\.id), behind: position.number) }
                if waitedFor.isEmpty { return }
            } catch {
                // Without the store the acknowledgements are unknown. The leases still run out.
                if waited >= Self.withDrift(longestLease) { return }
            }
            // A cancelled task (a client that went away) must not turn this into a busy loop, nor end it early.
            await Self.sleep(Self.pause)
        }
    }

    private static func withDrift(_ lease: Duration) -> Duration { lease * (1 + driftMargin) }

    private static func sleep(_ span: Duration) async {
        await Task.detached { try? await Task.sleep(for: span) }.value
    }
}

/// Waits for changes in a process that caches nothing itself, such as a command beside a running server.
struct CommandPropagation: ChangePropagation {
    private let propagationWait: PropagationWait

    /// - Parameter longestLease: the longest lease that a node of this deployment takes.
    init(store: any FenceStore, clocks: Clocks, longestLease: Duration) {
        propagationWait = PropagationWait(store: store, clocks: clocks, longestLease: longestLease)
    }

    func waitUntilApplied(_ position: ChangeLogPosition) async {
        await propagationWait.wait(for: position, excluding: nil)
    }
}

/// Something that knows when a committed change holds everywhere.
package protocol ChangePropagation: Sendable {
    /// Returns when no node accepts what was before the change. Never fails: at worst it takes one lease.
    func waitUntilApplied(_ position: ChangeLogPosition) async
}
