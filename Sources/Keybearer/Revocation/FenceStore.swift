/// The changes and the nodes of the revocation fence.
package protocol FenceStore: Sendable {
    /// Registers a node at the current number and returns that.
    ///
    /// - Parameters:
    ///   - label: what people know the node by.
    ///   - version: the version of Keybearer that it runs.
    func registerNode(_ id: NodeID, label: String, version: String, lease: Duration) async throws -> ChangeLogPosition
    /// Renews a node's lease, which acknowledges that it has applied everything up to `applied`.
    func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal
    /// Writes a change that is in no other table, such as a new master-key ring, and numbers it.
    func recordChange(of subject: Change.Subject, by authority: Authority, audit: AuditEvent) async throws
        -> Committed<Void>
    /// The changes after a position, in order, at most `limit`; nil when the position is not part of this history.
    func changes(after position: ChangeLogPosition, limit: Int) async throws -> [Change]?
    /// The nodes that have not acknowledged this number, with their leases.
    func nodes(behind number: Int64) async throws -> [(id: NodeID, lease: Duration)]
    /// Removes nodes that are still behind this number: their leases have run out.
    func expelNodes(_ ids: [NodeID], behind number: Int64) async throws
    /// Removes a node that stops.
    func unregisterNode(_ id: NodeID) async throws
    /// All registered nodes, those that died included.
    func nodes() async throws -> [RegisteredNode]
    /// Returns when a notification arrives or after `span`. Notifications can be lost or spurious.
    func waitForNotification(atMost span: Duration) async
}

extension FenceStore {
    /// The changes after a position, as many as a node applies together.
    func changes(after position: ChangeLogPosition) async throws -> [Change]? {
        try await changes(after: position, limit: 1_000)
    }

    /// Waits out the span: for stores that send no notifications.
    package func waitForNotification(atMost span: Duration) async { try? await Task.sleep(for: span) }
}

/// What became of a renewal.
package enum LeaseRenewal: Sendable, Equatable {
    /// The lease holds again.
    case renewed
    /// There are changes that the node has not applied.
    case behind
    /// The node is not registered, or its position belongs to another history. It must clear its key cache and register
    /// again.
    case unknownNode
}
