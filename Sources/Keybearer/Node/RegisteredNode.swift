/// A node as the store knows it.
package struct RegisteredNode: Sendable, Hashable {
    /// Names the process; random at every start.
    package let id: NodeID
    /// What people know it by: its machine and process.
    package let label: String
    /// The number of the last change that it acknowledged.
    package let acknowledged: Int64
    /// Number of lease renewals. If it does not increase within the lease time, the lease has expired.
    package let renewals: Int64
    /// How long it may use its key cache after a renewal.
    package let lease: Duration
    /// The version of Keybearer that it runs; empty where it did not say.
    package let version: String

    /// Puts a node together.
    package init(
        id: NodeID, label: String, acknowledged: Int64, renewals: Int64, lease: Duration, version: String = ""
    ) {
        self.version = version
        self.id = id
        self.label = label
        self.acknowledged = acknowledged
        self.renewals = renewals
        self.lease = lease
    }
}
