package import Keybearer

/// A row, or the rows of one owner, that a transaction looks at or changes.
///
/// The order of the cases is the order in which every transaction locks: users, api_keys, operator_tokens, sessions,
/// workspaces, memberships, plans, master_keys, identities; within a table by primary key. One order everywhere, and no lock that
/// is raised later: two transactions never wait for each other.
package enum LockableRow: Sendable, Hashable {
    case user(UserID)
    case apiKey(of: UserID)
    case operatorToken(OperatorTokenID)
    case session(SessionID)
    case sessions(of: UserID)
    /// Those that are confined to a workspace.
    case sessionsInWorkspace(WorkspaceID)
    /// Those that are confined to a workspace of which an account is a member.
    case sessionsInWorkspaces(of: UserID)
    case workspace(WorkspaceID)
    case workspaces(of: UserID)
    case membership(WorkspaceID, UserID)
    case plan(PlanID)
    case plans
    case masterKey(MasterKeyID)
    case identity(Identity)

    fileprivate var place: (table: Int, key: String) {
        switch self {
        case .user(let id): (0, id.rawValue)
        case .apiKey(let userID): (1, userID.rawValue)
        case .operatorToken(let id): (2, id.rawValue)
        case .session(let id): (3, id.rawValue)
        case .sessions(let userID): (3, userID.rawValue)
        case .sessionsInWorkspace(let workspaceID): (3, workspaceID.rawValue)
        case .sessionsInWorkspaces(let userID): (3, userID.rawValue + " ")
        case .workspace(let id): (4, id.rawValue)
        case .workspaces(let userID): (4, userID.rawValue)
        case .membership(let workspaceID, let userID): (5, workspaceID.rawValue + userID.rawValue)
        case .plan(let id): (6, id.rawValue)
        case .plans: (6, "")
        case .masterKey(let id): (7, id.rawValue)
        case .identity(let identity): (8, identity.issuer + " " + identity.subject)
        }
    }

    fileprivate var statement: SQLStatement {
        switch self {
        case .user(let id): SQLStatement(LockSQL.user, [.id(id)])
        case .apiKey(let userID): SQLStatement(LockSQL.apiKey, [.id(userID)])
        case .operatorToken(let id): SQLStatement(LockSQL.operatorToken, [.id(id)])
        case .session(let id): SQLStatement(LockSQL.session, [.id(id)])
        case .sessions(let userID): SQLStatement(LockSQL.sessions, [.id(userID)])
        case .sessionsInWorkspace(let workspaceID): SQLStatement(LockSQL.sessionsInWorkspace, [.id(workspaceID)])
        case .sessionsInWorkspaces(let userID): SQLStatement(LockSQL.sessionsInWorkspaces, [.id(userID)])
        case .workspace(let id): SQLStatement(LockSQL.workspace, [.id(id)])
        case .workspaces(let userID): SQLStatement(LockSQL.workspaces, [.id(userID)])
        case .membership(let workspaceID, let userID):
            SQLStatement(LockSQL.membership, [.id(workspaceID), .id(userID)])
        case .plan(let id): SQLStatement(LockSQL.plan, [.id(id)])
        case .plans: SQLStatement(LockSQL.plans, [])
        case .masterKey(let id): SQLStatement(LockSQL.masterKey, [.id(id)])
        case .identity(let identity):
            SQLStatement(LockSQL.identity, [.text(identity.issuer), .text(identity.subject)])
        }
    }
}

/// The rows that a transaction will lock, with how.
package struct RowLocks: Sendable {
    private var modes: [LockableRow: LockMode] = [:]
    /// Whether the body asks the locked rows for the time.
    var readsTime = false

    package init() {}

    package init(_ rows: [(LockableRow, LockMode)]) {
        for (row, mode) in rows { add(row, mode) }
    }

    /// Adds a row; of two modes the stronger one is kept, so that no lock is raised later.
    package mutating func add(_ row: LockableRow, _ mode: LockMode) {
        modes[row] = max(modes[row] ?? mode, mode)
    }

    /// Adds all rows of others.
    mutating func add(_ others: RowLocks) {
        for (row, mode) in others.modes { add(row, mode) }
        readsTime = readsTime || others.readsTime
    }

    /// A lock on all sessions of an account holds the one that asks as well: two statements on one table would not
    /// follow the order of its keys.
    mutating func useLockOnAllSessions(of userID: UserID, for id: SessionID) {
        if modes[.sessions(of: userID)] != nil { modes[.session(id)] = nil }
    }

    mutating func useLockOnAllWorkspaces(of userID: UserID, for id: WorkspaceID) {
        if modes[.workspaces(of: userID)] != nil { modes[.workspace(id)] = nil }
    }

    /// Reads and locks the rows, in the one order.
    package func acquire(_ connection: any SQLConnection) throws -> LockedRows {
        if modes.isEmpty { return LockedRows() }
        let ordered = modes.sorted { $0.key.place < $1.key.place }
        let (found, time) = try connection.lock(
            ordered.map { ($0.key.statement, $0.value) }, readsTime: readsTime)
        return LockedRows(rows: Dictionary(uniqueKeysWithValues: zip(ordered.map(\.key), found)), time: time)
    }
}

/// Rows as they stand under their locks.
package struct LockedRows {
    private let rows: [LockableRow: [any StoredRow]]
    private let time: Timestamp?
    /// What else the body changes, where only the body finds that out.
    let others = OtherSubjects()
    /// The value that the audit log says was changed, where only the body finds out what it was.
    let values = ChangedValue()

    init(rows: [LockableRow: [any StoredRow]] = [:], time: Timestamp? = nil) {
        self.rows = rows
        self.time = time
    }

    /// The time when all of them were held, by the clock that stamps and judges sessions: for locks with
    /// ``RowLocks/readsTime``.
    func now(_ caller: Timestamp) -> Timestamp { time ?? caller }

    /// The row; nil when it is not there, or was not asked for.
    package subscript(_ row: LockableRow) -> (any StoredRow)? { rows[row]?.first }

    /// All rows of one owner.
    package func all(_ row: LockableRow) -> [any StoredRow] { rows[row] ?? [] }

    func has(_ row: LockableRow) -> Bool { rows[row]?.isEmpty == false }

    /// The workspace of a service account; nil for a person, and where the account is not there or was not locked.
    func serviceWorkspace(of userID: UserID) -> WorkspaceID? {
        self[.user(userID)]?.text("service_workspace_id").map(WorkspaceID.init(rawValue:))
    }

    /// An audit event with what the transaction found out.
    func complete(_ audit: AuditEvent) -> AuditEvent {
        audit.with(values.take(), serviceWorkspaceID: audit.userID.flatMap { serviceWorkspace(of: $0) })
    }

    /// Refuses a service account what only a person does.
    ///
    /// - Parameter what: what it does not do or have, as the end of a sentence.
    /// - Throws: `CONFLICT`.
    func requirePerson(_ userID: UserID, _ what: String) throws(KeybearerError) {
        if serviceWorkspace(of: userID) != nil { throw KeybearerError.serviceAccount(what) }
    }
}

/// What nodes must no longer believe behind a write, besides its own subject. It belongs to one transaction.
final class OtherSubjects {
    private var subjects: [Change.Subject] = []

    func add(_ subject: Change.Subject) { subjects.append(subject) }

    /// What was added since the last time.
    func take() -> [Change.Subject] {
        defer { subjects = [] }
        return subjects
    }
}

/// What a write's audit event says of a value. It belongs to one transaction.
final class ChangedValue {
    private var change: ValueChange?

    /// Says what was and what is, where that differs.
    func record(before: String?, after: String?) {
        if before != after { change = ValueChange(before: before, after: after) }
    }

    /// What was said since the last time.
    func take() -> ValueChange? {
        defer { change = nil }
        return change
    }
}

/// What the locks read: the columns that decide.
enum LockSQL {
    static let user = SQL(
        "SELECT status, password_version, version, service_workspace_id FROM users WHERE id = $1")
    static let apiKey = SQL("SELECT key_id, version, shown_prefix FROM api_keys WHERE user_id = $1")
    /// One that is marked as ended is not locked: whoever revokes it waits for those that locked it before.
    static let operatorToken = SQL(
        "SELECT id, expires_at FROM operator_tokens WHERE id = $1 AND \(OperatorTokenSQL.isNotEnded)")
    private static let sessionColumns = """
        id, user_id, created_at, authenticated_at, last_seen_at, portal_token_id, portal_workspace_id,
        \(SessionSQL.portalEnd)
        """
    static let session = SQL(
        "SELECT \(sessionColumns) FROM sessions WHERE id = $1")
    static let sessions = SQL(
        "SELECT \(sessionColumns) FROM sessions WHERE user_id = $1 ORDER BY id")
    static let sessionsInWorkspace = SQL("SELECT id FROM sessions WHERE portal_workspace_id = $1 ORDER BY id")
    static let sessionsInWorkspaces = SQL(
        """
        SELECT id FROM sessions
        WHERE portal_workspace_id IN (SELECT workspace_id FROM memberships WHERE user_id = $1) ORDER BY id
        """)
    static let workspace = SQL("SELECT id, plan_id, is_suspended, version FROM workspaces WHERE id = $1")
    static let workspaces = SQL(
        """
        SELECT id, plan_id, is_suspended, version FROM workspaces
        WHERE id IN (SELECT workspace_id FROM memberships WHERE user_id = $1) ORDER BY id
        """)
    static let membership = SQL("SELECT role FROM memberships WHERE workspace_id = $1 AND user_id = $2")
    static let plan = SQL("SELECT id, hourly_limit FROM plans WHERE id = $1")
    static let plans = SQL("SELECT id FROM plans ORDER BY id")
    static let masterKey = SQL("SELECT id, is_retired, tags FROM master_keys WHERE id = $1")

    static let identity = SQL("SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2")

    static let all = [
        user, apiKey, operatorToken, session, sessions, sessionsInWorkspace, sessionsInWorkspaces, workspace,
        workspaces, membership, plan, plans, masterKey, identity,
    ]
}
