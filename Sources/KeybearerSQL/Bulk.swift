package import Keybearer

enum BulkSQL {
    /// A NULL parameter is not looked at.
    private static let matching = """
        FROM users u JOIN api_keys k ON k.user_id = u.id
        WHERE (u.created_at, u.id) > ($1, $2) AND u.created_at < $3
          AND (CAST($4 AS TEXT) IS NULL OR u.status = CAST($4 AS TEXT))
          AND (CAST($5 AS TEXT) IS NULL AND CAST($6 AS TEXT) IS NULL OR EXISTS (
            SELECT 1 FROM memberships f JOIN workspaces g ON g.id = f.workspace_id
            WHERE f.user_id = u.id AND (CAST($5 AS TEXT) IS NULL OR g.id = CAST($5 AS TEXT))
              AND (CAST($6 AS TEXT) IS NULL OR g.plan_id = CAST($6 AS TEXT))))
          AND (CAST($7 AS TEXT) IS NULL OR k.master_key_id = CAST($7 AS TEXT))
          AND \(AccountSQL.isOfKind("$8"))
        """
    static let accounts = SQL(
        "SELECT u.id, u.created_at, k.version \(matching) ORDER BY u.created_at, u.id LIMIT $9")
    static let count = SQL("SELECT count(*) AS count \(matching)")

    static let all = [accounts, count]
}

extension SQLStore {
    package func bulkAccounts(
        _ filter: BulkFilter, status: User.Status?, kind: User.Kind?, after place: ListPlace?, limit: Int
    ) async throws -> [BulkAccount] {
        try await engine.read { connection in
            let values = Self.values(filter, status, kind, place) + [.number(max(0, limit))]
            return try connection.rows(BulkSQL.accounts, values).map { row in
                BulkAccount(
                    id: UserID(rawValue: try row.requiredText("id")), createdAt: try row.timestamp("created_at"),
                    keyVersion: Int(try row.requiredNumber("version")))
            }
        }
    }

    package func bulkCount(
        _ filter: BulkFilter, status: User.Status?, kind: User.Kind?
    ) async throws -> Int {
        try await engine.read { connection in
            Int(
                try connection.first(BulkSQL.count, Self.values(filter, status, kind, nil))?.requiredNumber("count")
                    ?? 0)
        }
    }

    private static func values(
        _ filter: BulkFilter, _ status: User.Status?, _ kind: User.Kind?, _ place: ListPlace?
    ) -> [SQLValue] {
        [
            .number(place?.createdAt.millisecondsSinceEpoch ?? .min), .text(place?.id ?? ""),
            .number(filter.createdBefore?.millisecondsSinceEpoch ?? .max), .optional(status?.rawValue),
            .optional(filter.workspaceID?.rawValue), .optional(filter.planID?.rawValue),
            .optional(filter.sealedUnder?.rawValue), .optional(kind?.rawValue),
        ]
    }
}
