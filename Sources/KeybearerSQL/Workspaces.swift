package import Keybearer

enum WorkspaceSQL {
    static let byID = SQL(
        """
        SELECT w.id AS workspace_id, w.name AS workspace_name, w.created_at AS workspace_created_at,
               p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM workspaces w
        JOIN plans p ON p.id = w.plan_id
        LEFT JOIN plan_features f ON f.plan_id = p.id
        WHERE w.id = $1 ORDER BY f.feature
        """)
    static let page = SQL(
        """
        SELECT id AS workspace_id, name AS workspace_name, created_at AS workspace_created_at, plan_id,
               (SELECT count(*) FROM memberships m WHERE m.workspace_id = workspaces.id) AS members
        FROM workspaces ORDER BY created_at, id LIMIT $1 OFFSET $2
        """)
    static let members = SQL(
        """
        SELECT u.id AS user_id, u.email, u.name AS user_name, u.status, u.is_operator,
               u.created_at AS user_created_at, m.role
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 ORDER BY u.created_at, u.id
        """)
    static let setPlan = SQL("UPDATE workspaces SET plan_id = $1 WHERE id = $2")
    static let putMember = SQL(
        """
        INSERT INTO memberships (workspace_id, user_id, role) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role
        """)
    static let removeMember = SQL("DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2")
    static let owner = SQL("SELECT user_id FROM memberships WHERE workspace_id = $1 AND role = 'owner' LIMIT 1")

    static let all = [byID, page, members, setPlan, putMember, removeMember, owner]
}

enum PlanSQL {
    static let list = SQL(
        """
        SELECT p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM plans p LEFT JOIN plan_features f ON f.plan_id = p.id
        ORDER BY p.position, p.id, f.feature
        """)
    static let firstID = SQL("SELECT id FROM plans ORDER BY position, id LIMIT 1")
    static let feature = SQL("SELECT 1 AS included FROM plan_features WHERE plan_id = $1 AND feature = $2")
    static let put = SQL(
        """
        INSERT INTO plans (id, name, hourly_limit, billing_url, position) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO UPDATE
        SET name = excluded.name, hourly_limit = excluded.hourly_limit, billing_url = excluded.billing_url,
            position = excluded.position
        """)
    static let removeFeatures = SQL("DELETE FROM plan_features WHERE plan_id = $1")

    static let workspaces = SQL("SELECT count(*) AS count FROM workspaces WHERE plan_id = $1")
    static let delete = SQL("DELETE FROM plans WHERE id = $1")

    static let all = [list, firstID, feature, put, removeFeatures, workspaces, delete]
}

extension SQLStore {
    package func plans() async throws -> [Plan] {
        try await engine.read { try StoredValues.plans(try $0.rows(PlanSQL.list)) }
    }

    package func putPlan(_ plan: Plan, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void> {
        let locks = RowLocks([(.plan(plan.id), .update)])
        return try await change(.everything, by: authority, audit: audit, locking: locks) { connection, _ in
            try connection.execute(
                PlanSQL.put,
                [
                    .text(plan.id.rawValue), .text(plan.name), .number(plan.hourlyLimit),
                    .optional(plan.billingURL?.description),
                    .number(plan.position),
                ])
            try connection.execute(PlanSQL.removeFeatures, [.text(plan.id.rawValue)])
            try connection.insertMany(
                plan.features.sorted().map { [.text(plan.id.rawValue), .text($0.rawValue)] },
                into: CopiedTable.planFeatures)
            return .changes((), with: [])
        }
    }

    package func deletePlan(_ id: PlanID, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void> {
        // All of them: which one is the first must not change meanwhile.
        let locks = RowLocks([(.plans, .replace)])
        return try await change(.everything, by: authority, audit: audit, locking: locks) { connection, locked in
            guard locked.all(.plans).contains(where: { $0.text("id") == id.rawValue }) else {
                throw KeybearerError.noSuchPlan
            }
            let workspaces =
                try connection.first(PlanSQL.workspaces, [.text(id.rawValue)])?.requiredNumber("count") ?? 0
            guard workspaces == 0 else { throw KeybearerError.planInUse(id, workspaces: Int(workspaces)) }
            guard try connection.first(PlanSQL.firstID)?.requiredText("id") != id.rawValue else {
                throw KeybearerError.firstPlan(id)
            }
            try connection.execute(PlanSQL.removeFeatures, [.text(id.rawValue)])
            try connection.execute(PlanSQL.delete, [.text(id.rawValue)])
            return .changes((), with: [])
        }
    }

    package func createWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Workspace> {
        let locks = RowLocks([(.user(owner), .share)])
        return try await change(.user(owner), by: authority, audit: audit, locking: locks) { connection, locked in
            guard locked.has(.user(owner)) else { throw KeybearerError.noSuchAccount }
            return .changes(
                try Self.insertWorkspace(id: id, name: name, owner: owner, createdAt: createdAt, connection), with: [])
        }
    }

    package func workspace(id: WorkspaceID) async throws -> (workspace: Workspace, plan: Plan)? {
        try await shortRead { connection in
            let rows = try connection.rows(WorkspaceSQL.byID, [.id(id)])
            return try rows.first.map { (try StoredValues.workspace($0), try StoredValues.plan(rows)) }
        }
    }

    package func workspaces(
        offset: Int, limit: Int
    ) async throws -> (page: [(workspace: Workspace, memberCount: Int)], total: Int) {
        try await engine.read { connection in
            let rows = try connection.rows(WorkspaceSQL.page, [.number(max(0, limit)), .number(max(0, offset))])
            let page = try rows.map { row in
                (workspace: try StoredValues.workspace(row), memberCount: Int(try row.requiredNumber("members")))
            }
            return (page, try connection.count(CopiedTable.workspaces.count))
        }
    }

    package func members(of workspaceID: WorkspaceID) async throws -> [(user: User, role: Role)] {
        try await engine.read { connection in
            try connection.rows(WorkspaceSQL.members, [.id(workspaceID)])
                .map { (try StoredValues.user($0), try StoredValues.role($0)) }
        }
    }

    package func setPlan(
        _ planID: PlanID, of workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement?,
        audit: AuditEvent
    ) async throws -> Committed<Void> {
        let locks = RowLocks([(.workspace(workspaceID), .update), (.plan(planID), .share)])
        return try await change(
            .workspace(workspaceID), by: authority, needs: requirement, audit: audit, locking: locks
        ) { connection, locked in
            guard locked.has(.plan(planID)) else { throw KeybearerError.noSuchPlan }
            guard locked.has(.workspace(workspaceID)) else { throw KeybearerError.noSuchWorkspace }
            try connection.execute(WorkspaceSQL.setPlan, [.text(planID.rawValue), .id(workspaceID)])
            return .changes((), with: [])
        }
    }

    package func putMember(
        _ membership: Membership, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        let (workspaceID, userID) = (membership.workspaceID, membership.userID)
        let locks = RowLocks([
            (.user(userID), .share), (.workspace(workspaceID), .update), (.membership(workspaceID, userID), .update),
        ])
        return try await change(.user(userID), by: authority, audit: audit, locking: locks) { connection, locked in
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            guard locked.has(.workspace(workspaceID)) else { throw KeybearerError.noSuchWorkspace }
            try Self.putMembership(membership, connection)
            try Self.requireOwner(of: workspaceID, connection)
            return .changes((), with: [])
        }
    }

    package func removeMember(
        _ userID: UserID, from workspaceID: WorkspaceID, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        let locks = RowLocks([(.workspace(workspaceID), .update), (.membership(workspaceID, userID), .replace)])
        return try await change(.user(userID), by: authority, audit: audit, locking: locks) { connection, _ in
            let touched = try connection.execute(WorkspaceSQL.removeMember, [.id(workspaceID), .id(userID)])
            guard touched == 1 else { throw KeybearerError.noSuchMember }
            try Self.requireOwner(of: workspaceID, connection)
            return .changes((), with: [])
        }
    }

    /// Adds a workspace on the first plan of the catalogue with its Owner.
    @discardableResult
    static func insertWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, _ connection: any SQLConnection
    ) throws -> Workspace {
        guard let planID = try connection.first(PlanSQL.firstID)?.requiredText("id") else {
            throw KeybearerError.noSuchPlan
        }
        try connection.execute(CopiedTable.workspaces.insert, [.id(id), .text(name), .text(planID), .time(createdAt)])
        try putMembership(Membership(workspaceID: id, userID: owner, role: .owner), connection)
        return Workspace(id: id, name: name, planID: PlanID(rawValue: planID), createdAt: createdAt)
    }

    private static func putMembership(_ membership: Membership, _ connection: any SQLConnection) throws {
        try connection.execute(
            WorkspaceSQL.putMember,
            [.id(membership.workspaceID), .id(membership.userID), .text(membership.role.rawValue)])
    }

    /// Looks after the write, under the lock on the workspace: the throw takes the whole transaction back.
    private static func requireOwner(of workspaceID: WorkspaceID, _ connection: any SQLConnection) throws {
        guard try connection.first(WorkspaceSQL.owner, [.id(workspaceID)]) != nil else {
            throw KeybearerError.lastOwner
        }
    }
}
