package import Keybearer

enum WorkspaceSQL {
    /// A workspace's, besides its id, for ``StoredValues/workspace(_:)``.
    static let workspaceColumns = """
        w.name AS workspace_name, w.created_at AS workspace_created_at, w.external_id AS workspace_external_id,
        w.is_suspended, w.version AS workspace_version, w.updated_at AS workspace_updated_at,
        w.hourly_limit AS workspace_limit, w.limit_ends_at AS workspace_limit_ends_at, w.plan_ends_at, w.next_plan_id
        """
    /// How many people are members: service accounts are no seats.
    private static let memberCount = """
        (SELECT count(*) FROM memberships m WHERE m.workspace_id = w.id)
            - (SELECT count(*) FROM users s WHERE s.service_workspace_id = w.id)
        """
    static let byID = SQL(
        """
        SELECT w.id AS workspace_id, \(workspaceColumns),
               p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM workspaces w
        JOIN plans p ON p.id = w.plan_id
        LEFT JOIN plan_features f ON f.plan_id = p.id
        WHERE w.id = $1 ORDER BY f.feature
        """)
    static let page = SQL(
        """
        SELECT w.id AS workspace_id, \(workspaceColumns), w.plan_id,
               \(memberCount) AS members
        FROM workspaces w ORDER BY w.created_at, w.id LIMIT $1 OFFSET $2
        """)
    static let members = SQL(
        """
        SELECT \(AccountSQL.userColumns), m.role
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 ORDER BY u.created_at, u.id
        """)
    static let idByExternalID = SQL("SELECT id FROM workspaces WHERE external_id = $1")
    /// With ``WorkspaceFilter``: a NULL parameter is not looked at. One row for each workspace and feature.
    static let matching = SQL(
        """
        SELECT w.id AS workspace_id, \(workspaceColumns),
               \(memberCount) AS members,
               p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM workspaces w
        JOIN plans p ON p.id = w.plan_id
        LEFT JOIN plan_features f ON f.plan_id = p.id
        WHERE w.id IN (
            SELECT id FROM workspaces
            WHERE (created_at, id) > ($1, $2)
              AND (CAST($3 AS TEXT) IS NULL OR EXISTS (
                SELECT 1 FROM memberships m WHERE m.workspace_id = workspaces.id AND m.user_id = CAST($3 AS TEXT)))
              AND (CAST($4 AS TEXT) IS NULL OR plan_id = CAST($4 AS TEXT))
              AND (CAST($5 AS BIGINT) IS NULL OR CASE WHEN is_suspended THEN 1 ELSE 0 END = CAST($5 AS BIGINT))
              AND created_at >= $6 AND updated_at >= $7
              AND (CAST($9 AS TEXT) IS NULL OR external_id = CAST($9 AS TEXT))
            ORDER BY created_at, id LIMIT $8)
        ORDER BY w.created_at, w.id, f.feature
        """)
    static let insert = SQL(
        """
        INSERT INTO workspaces (id, name, plan_id, created_at, external_id, updated_at) VALUES ($1, $2, $3, $4, $5, $4)
        """)
    static let update = SQL(
        """
        UPDATE workspaces SET name = $2, plan_id = $3, external_id = $4, is_suspended = $5, version = $6, updated_at = $7,
            hourly_limit = $8, limit_ends_at = $9, plan_ends_at = $10, next_plan_id = $11
        WHERE id = $1
        """)
    static let setPlan = SQL(
        """
        UPDATE workspaces
        SET plan_id = $1, plan_ends_at = NULL, next_plan_id = NULL, version = version + 1, updated_at = $3
        WHERE id = $2
        """)
    static let putMember = SQL(
        """
        INSERT INTO memberships (workspace_id, user_id, role) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role
        """)
    static let removeMember = SQL("DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2")
    static let ownedCount = SQL(
        "SELECT count(*) AS count FROM memberships WHERE user_id = $1 AND role = 'owner'")
    /// One that can act: a disabled account cannot.
    static let owner = SQL(
        """
        SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 AND m.role = 'owner' AND u.status = 'active' LIMIT 1
        """)

    static let version = SQL("SELECT version FROM workspaces WHERE id = $1")

    static let all = [
        byID, page, members, idByExternalID, matching, insert, update, setPlan, putMember, removeMember, ownedCount,
        owner, version,
    ]
}

extension SQLStore {
    package func createWorkspace(
        _ new: NewWorkspace, ownedAtMost limit: Int?, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Workspace> {
        try await change(Self.creating(new, ownedAtMost: limit).map { $0.workspace }, by: authority, audit: audit)
    }

    package func updateWorkspace(
        _ update: WorkspaceUpdate, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<Workspace> {
        try await change(
            Self.updating(update, at: audit.at).map { $0.workspace }, by: authority, needs: requirement, audit: audit)
    }

    package func deleteWorkspace(
        _ deletion: WorkspaceDeletion, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<Void> {
        try await change(
            Self.deleting(deletion, audit), by: authority, needs: requirement, audit: audit)
    }

    package func setDefaultWorkspace(
        _ id: WorkspaceID, of userID: UserID, by authority: Authority, needs requirement: Requirement?,
        audit: AuditEvent
    ) async throws {
        let locks = RowLocks([(.user(userID), .update)])
        try await write(by: authority, needs: requirement, audit: audit, locking: locks) { connection, locked in
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            try connection.execute(AccountSQL.setDefaultWorkspace, [.id(userID), .id(id)])
            return .changes((), with: [])
        }
    }

    package func workspace(id: WorkspaceID) async throws -> (workspace: Workspace, plan: Plan)? {
        try await shortRead { try Self.workspace(id, $0) }
    }

    static func workspace(
        _ id: WorkspaceID, _ connection: any SQLConnection
    ) throws -> (workspace: Workspace, plan: Plan)? {
        let rows = try connection.rows(WorkspaceSQL.byID, [.id(id)])
        return try rows.first.map { (try StoredValues.workspace($0), try StoredValues.plan(rows)) }
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
            guard let workspace = locked[.workspace(workspaceID)] else { throw KeybearerError.noSuchWorkspace }
            locked.values.record(before: workspace.text("plan_id"), after: planID.rawValue)
            try connection.execute(WorkspaceSQL.setPlan, [.text(planID.rawValue), .id(workspaceID), .time(audit.at)])
            return .changes((), with: [])
        }
    }

    /// Adds a workspace with its Owner.
    @discardableResult
    static func insertWorkspace(_ new: NewWorkspace, _ connection: any SQLConnection) throws -> Workspace {
        var planID = new.planID
        if planID == nil {
            planID = try connection.first(PlanSQL.firstID).map { PlanID(rawValue: try $0.requiredText("id")) }
        }
        guard let planID else { throw KeybearerError.noSuchPlan }
        try connection.execute(
            WorkspaceSQL.insert,
            [
                .id(new.id), .text(new.name), .id(planID), .time(new.createdAt), .optional(new.externalID?.rawValue),
            ])
        try putMembership(Membership(workspaceID: new.id, userID: new.owner, role: .owner), connection)
        return Workspace(
            id: new.id, name: new.name, planID: planID, createdAt: new.createdAt, externalID: new.externalID)
    }

    static func putMembership(_ membership: Membership, _ connection: any SQLConnection) throws {
        try connection.execute(
            WorkspaceSQL.putMember,
            [.id(membership.workspaceID), .id(membership.userID), .text(membership.role.rawValue)])
    }

    /// Looks after the write, under the lock on the workspace: the throw takes the whole transaction back.
    ///
    /// - Parameter membership: the one that was changed or removed. Of others than Owners nothing is asked: where the only
    ///   Owner is disabled, the operator still adds and removes members.
    static func requireOwner(
        of workspaceID: WorkspaceID, without membership: (any StoredRow)?, _ connection: any SQLConnection
    ) throws {
        guard try membership.map({ try StoredValues.role($0) }) == .owner else { return }
        guard try connection.first(WorkspaceSQL.owner, [.id(workspaceID)]) != nil else {
            throw KeybearerError.lastOwner
        }
    }

    /// - Parameter limit: how many the owner may own with this one; nil for any number.
    static func creating(
        _ new: NewWorkspace, ownedAtMost limit: Int? = nil
    ) -> Write<(workspace: Workspace, plan: Plan)> {
        // Whoever counts what an account owns holds its row: of two that make the last one, one finds it made.
        var locks = RowLocks([(.user(new.owner), limit == nil ? .share : .update)])
        if let planID = new.planID { locks.add(.plan(planID), .share) }
        return Write(.user(new.owner), locking: locks) { connection, locked in
            guard locked.has(.user(new.owner)) else { throw KeybearerError.noSuchAccount }
            try locked.requirePerson(new.owner, "it cannot own a workspace")
            if let planID = new.planID, !locked.has(.plan(planID)) { throw KeybearerError.noSuchPlan }
            if let limit, try connection.count(WorkspaceSQL.ownedCount, [.id(new.owner)]) >= limit {
                throw KeybearerError.tooManyWorkspaces(limit: limit)
            }
            try requireFree(new.externalID, connection)
            try insertWorkspace(new, connection)
            return .changes(try found(new.id, connection), with: [])
        }
    }

    static func updating(
        _ update: WorkspaceUpdate, at time: Timestamp
    ) -> Write<(workspace: Workspace, plan: Plan)> {
        var locks = RowLocks([(.workspace(update.id), .replace)])
        let plans = [update.planID, update.planEnd?.nextPlanID].compactMap { $0 }
        for planID in plans { locks.add(.plan(planID), .share) }
        return Write(.workspace(update.id), locking: locks) { connection, locked in
            guard plans.allSatisfy({ locked.has(.plan($0)) }) else { throw KeybearerError.noSuchPlan }
            let present = try found(update.id, connection)
            let current = present.workspace
            guard update.version == nil || update.version == current.version else { throw KeybearerError.staleVersion }
            let workspace = update.applied(to: current, at: time)
            if workspace == current { return .nothing(present) }
            if workspace.limit != current.limit {
                locked.values.record(
                    before: LimitOverride.describe(current.limit), after: LimitOverride.describe(workspace.limit))
            }
            locked.values.record(before: current.planID.rawValue, after: workspace.planID.rawValue)
            if workspace.externalID != current.externalID { try requireFree(workspace.externalID, connection) }
            try connection.execute(
                WorkspaceSQL.update,
                [
                    .id(workspace.id), .text(workspace.name), .id(workspace.planID),
                    .optional(workspace.externalID?.rawValue), .flag(workspace.isSuspended),
                    .number(workspace.version), .time(time),
                ] + columns(of: workspace.limit)
                    + [.optional(workspace.planEnd?.at), .optional(workspace.planEnd?.nextPlanID.rawValue)])
            return .changes(try found(update.id, connection), with: [])
        }
    }

    private static func requireFree(_ externalID: ExternalID?, _ connection: any SQLConnection) throws {
        guard let externalID else { return }
        guard try connection.first(WorkspaceSQL.idByExternalID, [.id(externalID)]) == nil else {
            throw KeybearerError.externalIDTaken
        }
    }

    private static func found(
        _ id: WorkspaceID, _ connection: any SQLConnection
    ) throws -> (workspace: Workspace, plan: Plan) {
        guard let found = try workspace(id, connection) else { throw KeybearerError.noSuchWorkspace }
        return found
    }
}
