/// The changes and the nodes of the revocation fence.
public protocol FenceStore: Sendable {
    /// Registers a node at the current number and answers that.
    ///
    /// - Parameters:
    ///   - label: what people know the node by.
    ///   - version: the version of Keybearer that it runs.
    func registerNode(_ id: NodeID, label: String, version: String, lease: Duration) async throws -> ChangeLogPosition
    /// Renews a node's lease, which acknowledges that it has applied everything up to `applied`.
    func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal
    /// Writes a change that stands in no other table, such as a new master-key ring, and numbers it.
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
    /// Returns when there may be something new, or when the span is over. A hint can be lost or come for nothing.
    func waitForNotification(atMost span: Duration) async
}

extension FenceStore {
    /// Registers a node that has no label.
    public func registerNode(_ id: NodeID, lease: Duration) async throws -> ChangeLogPosition {
        try await registerNode(id, label: "", version: KeybearerVersion.current, lease: lease)
    }

    /// Waits out the span: for stores that give no hints.
    public func waitForNotification(atMost span: Duration) async { try? await Task.sleep(for: span) }
}

/// The cause behind ``ErrorCode/unavailable`` when the database is no longer the one that this process opened.
///
/// Neither the store nor memory can be believed then, until the process is started again: the fence gives its lease up.
public struct DatabaseLost: Error, Sendable, CustomStringConvertible {
    /// What readiness answers, such as `database_replaced`.
    public let reason: String
    /// What happened and what to do, for the log: it may name a path, and no secret.
    public let message: String

    /// Puts both together.
    public init(reason: String, message: String) {
        self.reason = reason
        self.message = message
    }

    public var description: String { reason }

    /// As stores throw it.
    package var error: KeybearerError { .unavailable(cause: self) }
}

/// A node as the store knows it.
public struct RegisteredNode: Sendable, Hashable {
    /// Names the process; random at every start.
    public let id: NodeID
    /// What people know it by: its machine and process.
    public let label: String
    /// The number of the last change that it acknowledged.
    public let acknowledged: Int64
    /// How often it renewed. One whose renewals did not rise within its lease has none any more.
    public let renewals: Int64
    /// How long it believes its memory after a renewal.
    public let lease: Duration
    /// The version of Keybearer that it runs; empty where it did not say.
    public let version: String

    /// Puts a node together.
    public init(
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

/// What became of a renewal.
public enum LeaseRenewal: Sendable, Equatable {
    /// The lease holds anew.
    case renewed
    /// There are changes that the node has not applied.
    case behind
    /// The store does not know the node, or not the history it is on: it must forget everything and register anew.
    case unknownNode
}

/// The number of a change in the revocation fence, with a random mark that tells one history from another.
///
/// Numbers run without gaps in the order in which changes became visible. After a failover or a restore the same
/// number may name another change; its mark then differs.
public struct ChangeLogPosition: Sendable, Hashable {
    /// 1 for the first change; 0 before it.
    public let number: Int64
    /// Random, made with the change.
    public let nonce: String

    /// Puts both together.
    public init(number: Int64, nonce: String) {
        self.number = number
        self.nonce = nonce
    }
}

/// A numbered change: what must no longer be believed of it.
public struct Change: Sendable, Hashable {
    /// What the change touched.
    public enum Subject: Sendable, Hashable {
        /// One account: its key, its status, its memberships.
        case user(UserID)
        /// A workspace: its plan or its existence.
        case workspace(WorkspaceID)
        /// More than can be named, such as the catalogue.
        case everything
    }

    /// Its place in the order.
    public let position: ChangeLogPosition
    /// What it touched.
    public let subject: Subject

    /// Puts a change together.
    public init(position: ChangeLogPosition, subject: Subject) {
        self.position = position
        self.subject = subject
    }
}
