/// Which audit events a page of the dashboard shows.
public struct AuditFilter: Sendable, Hashable {
    /// Whose events.
    public enum Scope: Sendable, Hashable {
        /// What happened in a workspace.
        case workspace(WorkspaceID)
        /// What an account did, and what was done to it.
        case account(UserID)
    }

    public var scope: Scope
    /// Only what this account did; for a workspace.
    public var actor: UserID?
    /// Only this.
    public var action: AuditEvent.Action?
    /// At or after this time.
    public var since: Timestamp?
    /// Before this time.
    public var until: Timestamp?

    /// All events of a scope.
    public init(_ scope: Scope) {
        self.scope = scope
    }
}

/// A place in a list of audit events, the newest first: it stays the same while newer events come.
public struct AuditPlace: Sendable, Hashable, CustomStringConvertible {
    /// When the last event of a page was done, in milliseconds since the Unix epoch.
    package let at: Int64
    /// The number of its row.
    package let sequence: Int64

    package init(at: Int64, sequence: Int64) {
        self.at = at
        self.sequence = sequence
    }

    /// Reads ``description``.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let at = Int64(parts[0]), let sequence = Int64(parts[1]), at >= 0, sequence >= 0 else {
            return nil
        }
        self.init(at: at, sequence: sequence)
    }

    /// As it is in an address: `1767225600000-12`.
    public var description: String { "\(at)-\(sequence)" }
}

/// An audit event with the names of what it is about, where they are still known.
public struct NamedAuditEvent: Sendable, Hashable {
    /// The event.
    public let event: AuditEvent
    /// The name of the account that did it.
    public let actorName: String?
    /// The name of the account that it was done to.
    public let userName: String?
    /// The name of the workspace.
    public let workspaceName: String?
    /// Where the list goes on behind it.
    public let place: AuditPlace

    package init(
        event: AuditEvent, actorName: String?, userName: String?, workspaceName: String?, place: AuditPlace
    ) {
        self.event = event
        self.actorName = actorName
        self.userName = userName
        self.workspaceName = workspaceName
        self.place = place
    }
}
