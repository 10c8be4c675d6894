package import Keybearer

enum LimitSQL {
    static let window = SQL("SELECT rolling_hour FROM budgets WHERE user_id = $1")
    static let putWindow = SQL("UPDATE budgets SET rolling_hour = $2 WHERE user_id = $1")
    static let dueUsers = SQL("SELECT id FROM users WHERE limit_ends_at <= $1 ORDER BY limit_ends_at, id LIMIT $2")
    static let dueWorkspaces = SQL(
        "SELECT id FROM workspaces WHERE limit_ends_at <= $1 ORDER BY limit_ends_at, id LIMIT $2")
    static let duePlans = SQL(
        "SELECT id, next_plan_id FROM workspaces WHERE plan_ends_at <= $1 ORDER BY plan_ends_at, id LIMIT $2")
    // Whoever made the end another one meanwhile is right: then nothing is touched.
    static let endUserLimit = SQL(
        """
        UPDATE users SET hourly_limit = NULL, limit_ends_at = NULL, version = version + 1, updated_at = $2
        WHERE id = $1 AND limit_ends_at <= $2
        """)
    static let endWorkspaceLimit = SQL(
        """
        UPDATE workspaces SET hourly_limit = NULL, limit_ends_at = NULL, version = version + 1, updated_at = $2
        WHERE id = $1 AND limit_ends_at <= $2
        """)
    static let endPlan = SQL(
        """
        UPDATE workspaces
        SET plan_id = next_plan_id, plan_ends_at = NULL, next_plan_id = NULL, version = version + 1, updated_at = $2
        WHERE id = $1 AND plan_ends_at <= $2 AND next_plan_id = $3
        """)

    static let all = [
        window, putWindow, dueUsers, dueWorkspaces, duePlans, endUserLimit, endWorkspaceLimit, endPlan,
    ]
}

extension SQLStore {
    /// The columns of an override.
    static func columns(of limit: LimitOverride?) -> [SQLValue] {
        [limit.map { .number($0.hourlyLimit) } ?? .null, .optional(limit?.endsAt)]
    }

    /// Begins a fresh hour. The window's lock waits for a reservation that is under way: what it reserved is void too.
    static func resettingWindow(of userID: UserID) -> Write<StoreWrite.Outcome> {
        Write(.window(of: userID), locking: RowLocks([(.user(userID), .share)])) { connection, locked in
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            let found = try connection.lock([(SQLStatement(LimitSQL.window, [.id(userID)]), .update)])
            if let row = found.first?.first {
                guard var window = RateLimitWindow(storedForm: try row.requiredBytes("rolling_hour")) else {
                    throw KeybearerError.unreadable("budgets.rolling_hour")
                }
                window.reset()
                try connection.execute(LimitSQL.putWindow, [.id(userID), .bytes(window.storedForm)])
            }
            return .changes(.done, with: [])
        }
    }

    package func dueEnds(now: Timestamp, limit: Int) async throws -> [DueEnd] {
        try await engine.read { connection in
            let bounds: [SQLValue] = [.time(try connection.now(now)), .number(max(0, limit))]
            let users = try connection.rows(LimitSQL.dueUsers, bounds)
                .map { DueEnd.userLimit(UserID(rawValue: try $0.requiredText("id"))) }
            let workspaces = try connection.rows(LimitSQL.dueWorkspaces, bounds)
                .map { DueEnd.workspaceLimit(WorkspaceID(rawValue: try $0.requiredText("id"))) }
            let plans = try connection.rows(LimitSQL.duePlans, bounds).map { row in
                DueEnd.plan(
                    of: WorkspaceID(rawValue: try row.requiredText("id")),
                    next: PlanID(rawValue: try row.requiredText("next_plan_id")))
            }
            return users + workspaces + plans
        }
    }

    package func end(_ due: DueEnd, audit: AuditEvent) async throws -> Committed<Void> {
        let (subject, row): (Change.Subject, LockableRow)
        let statement: @Sendable (Timestamp) -> SQLStatement
        switch due {
        case .userLimit(let id):
            (subject, row) = (.user(id), .user(id))
            statement = { SQLStatement(LimitSQL.endUserLimit, [.id(id), .time($0)]) }
        case .workspaceLimit(let id):
            (subject, row) = (.workspace(id), .workspace(id))
            statement = { SQLStatement(LimitSQL.endWorkspaceLimit, [.id(id), .time($0)]) }
        case .plan(let id, let next):
            (subject, row) = (.workspace(id), .workspace(id))
            statement = { SQLStatement(LimitSQL.endPlan, [.id(id), .time($0), .id(next)]) }
        }
        var locks = RowLocks([(row, .update)])
        if case .plan(_, let next) = due { locks.add(.plan(next), .share) }
        locks.readsTime = true
        return try await change(subject, by: .itself, audit: audit, locking: locks) { connection, locked in
            let statement = statement(locked.now(audit.at))
            if case .plan(let id, let next) = due {
                locked.values.record(before: locked[.workspace(id)]?.text("plan_id"), after: next.rawValue)
            }
            let ended = try connection.execute(statement.sql, statement.parameters)
            return ended == 0 ? .nothing(()) : .changes((), with: [])
        }
    }
}
