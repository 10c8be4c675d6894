package import Keybearer

enum DeletionSQL {
    /// The workspaces with other members that would be left without an Owner.
    static let lastOwned = SQL(
        """
        SELECT mine.workspace_id, w.name FROM memberships mine JOIN workspaces w ON w.id = mine.workspace_id
        WHERE mine.user_id = $1 AND mine.role = 'owner'
          AND EXISTS (
            SELECT 1 FROM memberships other
            WHERE other.workspace_id = mine.workspace_id AND other.user_id <> $1)
          AND NOT EXISTS (
            SELECT 1 FROM memberships other JOIN users u ON u.id = other.user_id
            WHERE other.workspace_id = mine.workspace_id AND other.user_id <> $1 AND other.role = 'owner'
              AND u.status = 'active')
        ORDER BY mine.workspace_id
        """)
    /// Those of an Owner that still have the name which they got with the account.
    static let forgetName = SQL(
        """
        UPDATE workspaces SET name = $3, version = version + 1, updated_at = $4
        WHERE id IN (SELECT workspace_id FROM memberships WHERE user_id = $1 AND role = 'owner') AND name = $2
        """)
    static let lonelyWorkspaces = SQL(
        """
        DELETE FROM workspaces
        WHERE id IN (SELECT workspace_id FROM memberships WHERE user_id = $1)
          AND NOT EXISTS (
            SELECT 1 FROM memberships other
            WHERE other.workspace_id = workspaces.id AND other.user_id <> $1)
        """)
    static let workspaces = SQL("SELECT workspace_id FROM memberships WHERE user_id = $1 ORDER BY workspace_id")
    static let workspace = SQL("DELETE FROM workspaces WHERE id = $1")
    static let sessionsIn = SQL("DELETE FROM sessions WHERE portal_workspace_id = $1")
    static let unusedLinksTo = SQL(
        "SELECT id FROM portal_links WHERE workspace_id = $1 AND used_at IS NULL ORDER BY id")
    static let endUnusedLinksTo = SQL(
        "UPDATE portal_links SET expires_at = $1 WHERE workspace_id = $2 AND used_at IS NULL AND expires_at > $1")

    /// An account whose audit events are still to be erased, and behind which event.
    static let begin = SQL(
        "INSERT INTO erasures (user_id, position, at) VALUES ($1, $3, $2) ON CONFLICT (user_id) DO NOTHING")
    static let next = SQL("SELECT user_id, position FROM erasures ORDER BY at, user_id LIMIT 1")
    static let ofUser = SQL("SELECT user_id, position FROM erasures WHERE user_id = $1")
    /// By it or about it. Each part of the union is a part of an index.
    static let eventsAfter = SQL(
        """
        SELECT sequence, detail FROM audit_events WHERE sequence IN (
            SELECT sequence FROM (
                SELECT sequence FROM audit_events WHERE user_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
            ) AS about
            UNION SELECT sequence FROM (
                SELECT sequence FROM audit_events WHERE actor = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
            ) AS made)
        ORDER BY sequence LIMIT $3
        """)
    static let erase = SQL(
        "UPDATE audit_events SET address = NULL, user_agent = NULL, salt = NULL, detail = $2 WHERE sequence = $1")
    static let advance = SQL("UPDATE erasures SET position = $2 WHERE user_id = $1")
    static let finish = SQL("DELETE FROM erasures WHERE user_id = $1")

    static let all = [
        lastOwned, lonelyWorkspaces, workspaces, workspace, sessionsIn, unusedLinksTo, endUnusedLinksTo, begin, next,
        ofUser, eventsAfter, erase, advance, finish, forgetName,
    ]
}

extension SQLStore {
    package func deleteAccount(
        _ deletion: AccountDeletion, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        try await change(Self.deleting(deletion, audit), by: authority, audit: audit)
    }

    /// Removes an account.
    static func deleting(_ deletion: AccountDeletion, _ audit: AuditEvent) -> Write<Void> {
        let userID = deletion.id
        // Whoever changes a workspace's members locks it first: two Owners must not leave it at the same moment.
        var locks = RowLocks([
            (.user(userID), .replace), (.apiKey(of: userID), .replace), (.sessions(of: userID), .replace),
            (.workspaces(of: userID), .replace),
        ])
        locks.addDeleted(deletion.serviceAccounts)
        if let successor = deletion.successor { locks.add(.user(successor), .share) }
        if deletion.deletesWorkspaces { locks.add(.sessionsInWorkspaces(of: userID), .replace) }
        locks.readsTime = true
        return Write(.user(userID), locking: locks) { connection, locked in
            try lockWindows(of: [userID] + deletion.serviceAccounts, connection)
            let rows = try leaveWorkspaces(deletion, audit, locked, connection)
            try removeAccount(userID, audit, locked, connection)
            return .changes((), with: rows)
        }
    }

    /// Removes an account, whose rows are locked, with what belongs to it.
    private static func removeAccount(
        _ userID: UserID, _ audit: AuditEvent, _ locked: LockedRows, _ connection: any SQLConnection
    ) throws {
        let user = [SQLValue.id(userID)]
        guard let found = try account(userID, connection)?.user else { throw KeybearerError.noSuchAccount }
        try connection.execute(KeySQL.endLiveKey, [.id(userID), .time(audit.at)])
        // By the clock that says later when it is old.
        try DeletedAccountWindows.preserve(found, at: locked.now(audit.at), connection)
        try connection.execute(DeletionSQL.lonelyWorkspaces, user)
        let name = SQLValue.text(NewAccount.workspaceName(of: found.name))
        try connection.execute(DeletionSQL.forgetName, user + [name, .text("Workspace"), .time(audit.at)])
        try connection.execute(KeyHistorySQL.remove, user)
        try connection.lock([(SQLStatement(KeySQL.requests, user), .replace)])
        try connection.execute(KeySQL.removeRequests, user)
        while try removeMessages(about: userID, connection) {}
        let person = found.address
        if let email = person {
            try connection.execute(IdentitySQL.endPendingWithEmail, [.text(email.rawValue)])
            try forgetInvitations(of: userID, email, connection)
            try forgetMails(of: userID, email, connection)
            for row in try connection.rows(DeletionSQL.workspaces, user) {
                let workspaceID = WorkspaceID(rawValue: try row.requiredText("workspace_id"))
                try connection.execute(add(NewWebhookMessage(leaving: workspaceID, by: audit, of: userID)))
            }
        }
        // The key, the sessions, the portal links and the memberships go with the account by ON DELETE CASCADE.
        guard try connection.execute(AccountSQL.delete, user) == 1 else { throw KeybearerError.noSuchAccount }
        // What people did to a service account stays theirs to answer for: its events are not erased with it.
        try connection.execute(
            DeletionSQL.begin, [.id(userID), .time(audit.at), .number(person == nil ? Int64.max : 0)])
    }

    /// Leaves no workspace with members without an Owner.
    ///
    /// - Returns: the audit rows of what became of those that would be.
    private static func leaveWorkspaces(
        _ deletion: AccountDeletion, _ audit: AuditEvent, _ locked: LockedRows, _ connection: any SQLConnection
    ) throws -> [SQLStatement] {
        if let successor = deletion.successor {
            let isLive = locked[.user(successor)]?.text("status") == User.Status.active.rawValue
            let isPerson = locked.serviceWorkspace(of: successor) == nil
            guard isLive, isPerson, successor != deletion.id else { throw KeybearerError.noSuccessor }
        }
        let shared = try connection.rows(DeletionSQL.lastOwned, [.id(deletion.id)]).map {
            (id: WorkspaceID(rawValue: try $0.requiredText("workspace_id")), name: try $0.requiredText("name"))
        }
        if shared.isEmpty { return [] }
        func row(_ action: AuditEvent.Action, _ workspace: WorkspaceID, detail: String? = nil) -> SQLStatement {
            record(
                AuditEvent(
                    id: deletion.makeEventID(), at: audit.at, actor: audit.actor, action: action,
                    userID: deletion.successor, workspaceID: workspace, address: audit.address, detail: detail,
                    origin: audit.origin))
        }
        if let successor = deletion.successor {
            locked.others.add(.user(successor))
            return try shared.map { workspace in
                try putMembership(
                    Membership(workspaceID: workspace.id, userID: successor, role: .owner), connection)
                return row(.memberAdded, workspace.id, detail: Role.owner.rawValue)
            }
        }
        guard deletion.deletesWorkspaces else { throw KeybearerError.lastOwner(of: shared) }
        return try shared.flatMap { workspace in
            let ended = try endServiceAccounts(
                of: workspace.id, audit, makeEventID: deletion.makeEventID, locked, connection)
            try remove(workspace.id, at: audit.at, connection)
            locked.others.add(.workspace(workspace.id))
            return ended + [row(.workspaceDeleted, workspace.id)]
        }
    }

    /// Removes a workspace, with its service accounts and what is confined to it.
    static func deleting(_ deletion: WorkspaceDeletion, _ audit: AuditEvent) -> Write<Void> {
        let (id, version) = (deletion.id, deletion.version)
        var locks = RowLocks([(.sessionsInWorkspace(id), .replace), (.workspace(id), .replace)])
        locks.addDeleted(deletion.serviceAccounts)
        locks.readsTime = !deletion.serviceAccounts.isEmpty
        return Write(.workspace(id), locking: locks) { connection, locked in
            guard let workspace = locked[.workspace(id)] else { throw KeybearerError.noSuchWorkspace }
            guard try version == nil || workspace.requiredNumber("version") == version.map({ Int64($0) }) else {
                throw KeybearerError.staleVersion
            }
            try lockWindows(of: deletion.serviceAccounts, connection)
            let ended = try endServiceAccounts(
                of: id, audit, makeEventID: deletion.makeEventID, locked, connection)
            try remove(id, at: audit.at, connection)
            return .changes((), with: ended)
        }
    }

    /// Holds the rate limit windows of several accounts, and their histories, in the order in which those who reserve and
    /// record hold them. One alone is held when it is taken.
    private static func lockWindows(of userIDs: [UserID], _ connection: any SQLConnection) throws {
        guard userIDs.count > 1 else { return }
        let userIDs = userIDs.sorted()
        try connection.lock(userIDs.map { (SQLStatement(LimitSQL.window, [.id($0)]), .replace) })
        try connection.lock(userIDs.map { (SQLStatement(KeyHistorySQL.find, [.id($0)]), .replace) })
    }

    /// Removes the service accounts of a workspace that is being removed.
    ///
    /// - Returns: their audit rows.
    /// - Throws: `CONFLICT` for one that was made since they were read: its rows are not locked.
    private static func endServiceAccounts(
        of id: WorkspaceID, _ audit: AuditEvent, makeEventID: () -> EventID, _ locked: LockedRows,
        _ connection: any SQLConnection
    ) throws -> [SQLStatement] {
        try connection.rows(ServiceAccountSQL.ids, [.id(id)]).map { row in
            let userID = UserID(rawValue: try row.requiredText("id"))
            guard locked.has(.user(userID)) else {
                throw KeybearerError(
                    .conflict, "A service account was added to the workspace at the same moment. Try again.")
            }
            try removeAccount(userID, audit, locked, connection)
            locked.others.add(.user(userID))
            return record(
                AuditEvent(
                    id: makeEventID(), at: audit.at, actor: audit.actor, action: .userDeleted, userID: userID,
                    workspaceID: id, address: audit.address, origin: audit.origin))
        }
    }

    /// The memberships go with it by ON DELETE CASCADE.
    private static func remove(_ id: WorkspaceID, at time: Timestamp, _ connection: any SQLConnection) throws {
        try connection.execute(DeletionSQL.sessionsIn, [.id(id)])
        try connection.execute(DeletionSQL.workspace, [.id(id)])
        // Behind all others in the order of locks.
        try connection.lock([(SQLStatement(DeletionSQL.unusedLinksTo, [.id(id)]), .update)])
        try connection.execute(DeletionSQL.endUnusedLinksTo, [.time(try connection.now(time)), .id(id)])
    }
}

extension SQLStore {
    /// How many events are erased in one transaction.
    private static let erasedAtOnce = 1_000

    package func erasePersonalData(of userID: UserID?) async throws {
        while try await maintain({ try Self.eraseSome(of: userID, $0) }) {}
    }

    /// Erases a part of the usage and the events of an account, or of the one that was deleted first.
    ///
    /// - Returns: whether more may be left.
    private static func eraseSome(of userID: UserID?, _ connection: any SQLConnection) throws -> Bool {
        let mark = userID.map { SQLStatement(DeletionSQL.ofUser, [.id($0)]) } ?? SQLStatement(DeletionSQL.next)
        guard let row = try connection.lock([(mark, .replace)]).first?.first else { return false }
        let user = SQLValue.text(try row.requiredText("user_id"))
        // Also what a node still had in memory when the account was deleted.
        try connection.execute(KeyHistorySQL.remove, [user])
        if try eraseUsage(of: user, atMost: erasedAtOnce, connection) { return true }
        let events = try connection.rows(
            DeletionSQL.eventsAfter, [user, .number(try row.requiredNumber("position")), .number(erasedAtOnce)])
        try connection.executeMany(
            DeletionSQL.erase,
            try events.map { event in
                // No detail is meant to hold an address. What does is nobody's to keep.
                let detail = event.text("detail").flatMap { AuditRecord.isPersonal(detail: $0) ? nil : $0 }
                return [.number(try event.requiredNumber("sequence")), .optional(detail)]
            })
        guard events.count == erasedAtOnce, let last = events.last else {
            try connection.execute(DeletionSQL.finish, [user])
            return userID == nil
        }
        try connection.execute(DeletionSQL.advance, [user, .number(try last.requiredNumber("sequence"))])
        return true
    }
}

extension RowLocks {
    /// The rows of accounts that are deleted beside another one.
    fileprivate mutating func addDeleted(_ userIDs: [UserID]) {
        for userID in userIDs {
            add(.user(userID), .replace)
            add(.apiKey(of: userID), .replace)
        }
    }
}
