public import Keybearer

extension PostgresStore {
    public func plans() async throws -> [Plan] {
        try await read { connection in
            try StoredValues.plans(
                try connection.execute("\(Self.selectPlans) ORDER BY p.position, p.id, f.feature").rows)
        }
    }

    public func putPlan(_ plan: Plan, audit: AuditEvent) async throws -> ChangePosition {
        try await change(.everything, audit: audit) { connection in
            try connection.execute(
                """
                INSERT INTO plans (id, name, hourly_limit, billing_url, position) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (id) DO UPDATE
                SET name = excluded.name, hourly_limit = excluded.hourly_limit,
                    billing_url = excluded.billing_url, position = excluded.position
                """,
                [
                    .text(plan.id.rawValue), .text(plan.name), .number(plan.hourlyLimit), .optional(plan.billingURL),
                    .number(plan.position),
                ])
            try connection.execute("DELETE FROM plan_features WHERE plan_id = $1", [.text(plan.id.rawValue)])
            try connection.execute(
                "INSERT INTO plan_features (plan_id, feature) SELECT $1, unnest($2::text[])",
                [.text(plan.id.rawValue), .texts(plan.features.sorted().map(\.rawValue))])
        }
    }

    public func createWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, audit: AuditEvent
    ) async throws -> (workspace: Workspace, position: ChangePosition) {
        let (workspace, position) = try await change(.user(owner), audit: audit) { connection in
            guard try Self.exists(owner, connection) else { throw KeybearerError.noSuchAccount }
            return try Self.insertWorkspace(id: id, name: name, owner: owner, createdAt: createdAt, connection)
        }
        return (workspace, position)
    }

    public func workspace(id: WorkspaceID) async throws -> (workspace: Workspace, plan: Plan)? {
        try await read { connection in
            let rows = try connection.execute(
                """
                SELECT w.id AS workspace_id, w.name AS workspace_name, w.created_at AS workspace_created_at,
                       plan.plan_id, plan.plan_name, plan.hourly_limit, plan.billing_url, plan.position, plan.feature
                FROM workspaces w JOIN (\(Self.selectPlans)) plan ON plan.plan_id = w.plan_id
                WHERE w.id = $1
                """, [.text(id.rawValue)]
            ).rows
            return try rows.first.map { (try StoredValues.workspace($0), try StoredValues.plan(rows)) }
        }
    }

    public func workspaces(
        offset: Int, limit: Int
    ) async throws -> (page: [(workspace: Workspace, memberCount: Int)], total: Int) {
        try await readOneState { connection in
            let page = try connection.execute(
                """
                SELECT id AS workspace_id, name AS workspace_name, created_at AS workspace_created_at, plan_id,
                       (SELECT count(*) FROM memberships m WHERE m.workspace_id = workspaces.id) AS members
                FROM workspaces ORDER BY created_at, id LIMIT $1 OFFSET $2
                """,
                [.number(max(0, limit)), .number(max(0, offset))]
            ).rows.map { row in
                (workspace: try StoredValues.workspace(row), memberCount: Int(try row.requiredNumber("members")))
            }
            return (page, try Self.count("workspaces", connection))
        }
    }

    public func members(of workspaceID: WorkspaceID) async throws -> [(user: User, role: Role)] {
        try await read { connection in
            try connection.execute(
                """
                SELECT u.id AS user_id, u.email, u.name AS user_name, u.status, u.is_operator,
                       u.created_at AS user_created_at, m.role
                FROM memberships m JOIN users u ON u.id = m.user_id
                WHERE m.workspace_id = $1 ORDER BY u.created_at, u.id
                """, [.text(workspaceID.rawValue)]
            ).rows.map { (try StoredValues.user($0), try StoredValues.role($0)) }
        }
    }

    public func setPlan(
        _ planID: PlanID, of workspaceID: WorkspaceID, audit: AuditEvent
    ) async throws -> ChangePosition {
        try await change(.workspace(workspaceID), audit: audit) { connection in
            let plan = try connection.execute("SELECT 1 FROM plans WHERE id = $1", [.text(planID.rawValue)])
            guard plan.first != nil else { throw KeybearerError.noSuchPlan }
            let result = try connection.execute(
                "UPDATE workspaces SET plan_id = $1 WHERE id = $2",
                [.text(planID.rawValue), .text(workspaceID.rawValue)])
            guard result.touched == 1 else { throw KeybearerError.noSuchWorkspace }
        }
    }

    public func putMember(_ membership: Membership, audit: AuditEvent) async throws -> ChangePosition {
        try await change(.user(membership.userID), audit: audit) { connection in
            guard try Self.exists(membership.userID, connection) else { throw KeybearerError.noSuchAccount }
            guard try Self.lock(membership.workspaceID, connection) else { throw KeybearerError.noSuchWorkspace }
            try Self.putMembership(membership, connection)
            try Self.requireOwner(of: membership.workspaceID, connection)
        }
    }

    public func removeMember(
        _ userID: UserID, from workspaceID: WorkspaceID, audit: AuditEvent
    ) async throws -> ChangePosition {
        try await change(.user(userID), audit: audit) { connection in
            _ = try Self.lock(workspaceID, connection)
            let result = try connection.execute(
                "DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2",
                [.text(workspaceID.rawValue), .text(userID.rawValue)])
            guard result.touched == 1 else { throw KeybearerError.noSuchMember }
            try Self.requireOwner(of: workspaceID, connection)
        }
    }
}

extension PostgresStore {
    private static let selectPlans = """
        SELECT p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM plans p LEFT JOIN plan_features f ON f.plan_id = p.id
        """

    /// Adds a workspace on the first plan of the catalogue with its Owner.
    @discardableResult
    static func insertWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, _ connection: PostgresConnection
    ) throws -> Workspace {
        let plan = try connection.execute("SELECT id FROM plans ORDER BY position, id LIMIT 1").first
        guard let planID = try plan?.requiredText("id") else { throw KeybearerError.noSuchPlan }
        try connection.execute(
            "INSERT INTO workspaces (id, name, plan_id, created_at) VALUES ($1, $2, $3, $4)",
            [.text(id.rawValue), .text(name), .text(planID), .number(createdAt.millisecondsSinceEpoch)])
        try putMembership(Membership(workspaceID: id, userID: owner, role: .owner), connection)
        return Workspace(id: id, name: name, planID: PlanID(rawValue: planID), createdAt: createdAt)
    }

    private static func putMembership(_ membership: Membership, _ connection: PostgresConnection) throws {
        try connection.execute(
            """
            INSERT INTO memberships (workspace_id, user_id, role) VALUES ($1, $2, $3)
            ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role
            """,
            [
                .text(membership.workspaceID.rawValue), .text(membership.userID.rawValue),
                .text(membership.role.rawValue),
            ])
    }

    /// Locks a workspace against others who change its members: each alone would leave an Owner, both together none.
    ///
    /// - Returns: whether there is such a workspace.
    private static func lock(_ workspaceID: WorkspaceID, _ connection: PostgresConnection) throws -> Bool {
        try connection.execute("SELECT 1 FROM workspaces WHERE id = $1 FOR UPDATE", [.text(workspaceID.rawValue)])
            .first != nil
    }

    /// Looks after the write: the throw takes the whole transaction back.
    private static func requireOwner(of workspaceID: WorkspaceID, _ connection: PostgresConnection) throws {
        let owner = try connection.execute(
            "SELECT 1 FROM memberships WHERE workspace_id = $1 AND role = 'owner' LIMIT 1",
            [.text(workspaceID.rawValue)])
        guard owner.first != nil else { throw KeybearerError.lastOwner }
    }
}
