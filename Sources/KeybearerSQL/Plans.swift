package import Keybearer

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

    static let workspaces = SQL("SELECT count(*) AS count FROM workspaces WHERE plan_id = $1 OR next_plan_id = $1")
    static let delete = SQL("DELETE FROM plans WHERE id = $1")

    static let all = [list, firstID, feature, put, removeFeatures, workspaces, delete]
}

extension SQLStore {
    package func plans() async throws -> [Plan] {
        try await engine.read { try StoredValues.plans(try $0.rows(PlanSQL.list)) }
    }

    package func putPlan(_ plan: Plan, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void> {
        try await change(Self.putting(plan), by: authority, audit: audit)
    }

    package func deletePlan(_ id: PlanID, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void> {
        try await change(Self.deletingPlan(id), by: authority, audit: audit)
    }

    static func putting(_ plan: Plan) -> Write<Void> {
        Write(.everything, locking: RowLocks([(.plan(plan.id), .update)])) { connection, locked in
            // A catalogue that is sent every night changes nothing most nights.
            let present = try StoredValues.plans(try connection.rows(PlanSQL.list)).first { $0.id == plan.id }
            if present == plan { return .nothing(()) }
            let limit = locked[.plan(plan.id)]?.number("hourly_limit")
            locked.values.record(before: limit.map { "\($0)" }, after: "\(plan.hourlyLimit)")
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

    static func deletingPlan(_ id: PlanID) -> Write<Void> {
        // All of them: which one is the first must not change meanwhile.
        Write(.everything, locking: RowLocks([(.plans, .replace)])) { connection, locked in
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
}
