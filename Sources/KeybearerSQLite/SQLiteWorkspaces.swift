import GRDB
public import Keybearer

extension SQLiteStore {
    public func plans() async throws -> [Plan] {
        try await read { db in
            let rows = try Row.fetchAll(db, sql: "\(Self.selectPlans) ORDER BY p.position, p.id")
            return try StoredValues.plans(rows)
        }
    }

    public func putPlan(_ plan: Plan, audit: AuditEvent) async throws -> ChangePosition {
        try await change(.everything, audit: audit) { db in
            try db.execute(
                sql: """
                    INSERT INTO plans (id, name, hourly_limit, billing_url, position)
                    VALUES (:id, :name, :limit, :url, :position)
                    ON CONFLICT (id) DO UPDATE
                    SET name = excluded.name, hourly_limit = excluded.hourly_limit,
                        billing_url = excluded.billing_url, position = excluded.position
                    """,
                arguments: [
                    "id": plan.id.rawValue, "name": plan.name, "limit": plan.hourlyLimit, "url": plan.billingURL,
                    "position": plan.position,
                ])
            try db.execute(sql: "DELETE FROM plan_features WHERE plan_id = ?", arguments: [plan.id.rawValue])
            for feature in plan.features.sorted() {
                try db.execute(
                    sql: "INSERT INTO plan_features (plan_id, feature) VALUES (?, ?)",
                    arguments: [plan.id.rawValue, feature.rawValue])
            }
        }
    }

    public func createWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, audit: AuditEvent
    ) async throws -> (workspace: Workspace, position: ChangePosition) {
        try await write { [self] db in
            guard try Self.exists(owner, db) else { throw KeybearerError.noSuchAccount }
            let workspace = try Self.insertWorkspace(id: id, name: name, owner: owner, createdAt: createdAt, db)
            return (workspace, try conclude(.user(owner), audit: audit, db))
        }
    }

    public func workspace(id: WorkspaceID) async throws -> (workspace: Workspace, plan: Plan)? {
        try await read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT w.id AS workspace_id, w.name AS workspace_name, w.created_at AS workspace_created_at, plan.*
                    FROM workspaces w JOIN (\(Self.selectPlans)) plan ON plan.plan_id = w.plan_id
                    WHERE w.id = ?
                    """,
                arguments: [id.rawValue])
            return try rows.first.map { (try StoredValues.workspace($0), try StoredValues.plan(rows)) }
        }
    }

    public func workspaces(
        offset: Int, limit: Int
    ) async throws -> (page: [(workspace: Workspace, memberCount: Int)], total: Int) {
        try await read { db in
            let page = try Row.fetchAll(
                db,
                sql: """
                    SELECT id AS workspace_id, name AS workspace_name, created_at AS workspace_created_at, plan_id,
                           (SELECT count(*) FROM memberships m WHERE m.workspace_id = workspaces.id) AS members
                    FROM workspaces ORDER BY created_at, id LIMIT ? OFFSET ?
                    """,
                arguments: [max(0, limit), max(0, offset)]
            ).map { (workspace: try StoredValues.workspace($0), memberCount: $0["members"] as Int) }
            return (page, try Int.fetchOne(db, sql: "SELECT count(*) FROM workspaces") ?? 0)
        }
    }

    public func members(of workspaceID: WorkspaceID) async throws -> [(user: User, role: Role)] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT u.id AS user_id, u.email, u.name AS user_name, u.status, u.is_operator,
                           u.created_at AS user_created_at, m.role
                    FROM memberships m JOIN users u ON u.id = m.user_id
                    WHERE m.workspace_id = ? ORDER BY u.created_at, u.id
                    """,
                arguments: [workspaceID.rawValue]
            ).map { (try StoredValues.user($0), try StoredValues.role($0)) }
        }
    }

    public func setPlan(
        _ planID: PlanID, of workspaceID: WorkspaceID, audit: AuditEvent
    ) async throws -> ChangePosition {
        try await change(.workspace(workspaceID), audit: audit) { db in
            guard
                try Bool.fetchOne(
                    db, sql: "SELECT EXISTS (SELECT 1 FROM plans WHERE id = ?)", arguments: [planID.rawValue]) == true
            else { throw KeybearerError.noSuchPlan }
            try db.execute(
                sql: "UPDATE workspaces SET plan_id = ? WHERE id = ?",
                arguments: [planID.rawValue, workspaceID.rawValue])
            guard db.changesCount == 1 else { throw KeybearerError.noSuchWorkspace }
        }
    }

    public func putMember(_ membership: Membership, audit: AuditEvent) async throws -> ChangePosition {
        try await change(.user(membership.userID), audit: audit) { db in
            guard try Self.exists(membership.userID, db) else { throw KeybearerError.noSuchAccount }
            guard try Self.exists(membership.workspaceID, db) else { throw KeybearerError.noSuchWorkspace }
            try Self.putMembership(membership, db)
            try Self.requireOwner(of: membership.workspaceID, db)
        }
    }

    public func removeMember(
        _ userID: UserID, from workspaceID: WorkspaceID, audit: AuditEvent
    ) async throws -> ChangePosition {
        try await change(.user(userID), audit: audit) { db in
            try db.execute(
                sql: "DELETE FROM memberships WHERE workspace_id = ? AND user_id = ?",
                arguments: [workspaceID.rawValue, userID.rawValue])
            guard db.changesCount == 1 else { throw KeybearerError.noSuchMember }
            try Self.requireOwner(of: workspaceID, db)
        }
    }
}

extension SQLiteStore {
    private static let selectPlans = """
        SELECT p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM plans p LEFT JOIN plan_features f ON f.plan_id = p.id
        """

    /// Adds a workspace on the first plan of the catalogue with its Owner.
    @discardableResult
    static func insertWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, _ db: Database
    ) throws -> Workspace {
        guard let planID = try String.fetchOne(db, sql: "SELECT id FROM plans ORDER BY position, id LIMIT 1") else {
            throw KeybearerError.noSuchPlan
        }
        try db.execute(
            sql: "INSERT INTO workspaces (id, name, plan_id, created_at) VALUES (?, ?, ?, ?)",
            arguments: [id.rawValue, name, planID, createdAt.milliseconds])
        try putMembership(Membership(workspaceID: id, userID: owner, role: .owner), db)
        return Workspace(id: id, name: name, planID: PlanID(rawValue: planID), createdAt: createdAt)
    }

    private static func putMembership(_ membership: Membership, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO memberships (workspace_id, user_id, role) VALUES (:workspace, :user, :role)
                ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role
                """,
            arguments: [
                "workspace": membership.workspaceID.rawValue, "user": membership.userID.rawValue,
                "role": membership.role.rawValue,
            ])
    }

    /// Looks after the write: the throw takes the whole transaction back.
    private static func requireOwner(of workspaceID: WorkspaceID, _ db: Database) throws {
        let hasOwner = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM memberships WHERE workspace_id = ? AND role = 'owner')",
            arguments: [workspaceID.rawValue])
        guard hasOwner == true else { throw KeybearerError.lastOwner }
    }

    private static func exists(_ id: WorkspaceID, _ db: Database) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM workspaces WHERE id = ?)", arguments: [id.rawValue]) ?? false
    }
}
