package import Keybearer

enum MemberSQL {
    /// With ``MemberFilter``: a NULL parameter is not looked at. Texts are found by what is left without them, which both
    /// engines tell alike; SQLite knows lower case of ASCII alone, so a name is looked for as it was typed too.
    private static let matches = """
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR m.role = CAST($2 AS TEXT))
          AND (CAST($3 AS TEXT) IS NULL
            OR replace(lower(u.email), CAST($4 AS TEXT), '') <> lower(u.email)
            OR replace(lower(u.name), CAST($4 AS TEXT), '') <> lower(u.name)
            OR replace(u.name, CAST($3 AS TEXT), '') <> u.name)
        """
    static let page = SQL(
        """
        SELECT \(AccountSQL.userColumns), m.role \(matches) ORDER BY u.created_at, u.id LIMIT $5 OFFSET $6
        """)
    static let count = SQL("SELECT count(*) AS count \(matches)")

    static let all = [page, count]
}

extension SQLStore {
    package func members(
        of workspaceID: WorkspaceID, matching filter: MemberFilter
    ) async throws -> (page: [(user: User, role: Role)], total: Int) {
        let wanted: [SQLValue] = [
            .id(workspaceID), .optional(filter.role?.rawValue), .optional(filter.text),
            .optional(filter.text?.lowercased()),
        ]
        return try await engine.read { connection in
            let rows = try connection.rows(
                MemberSQL.page, wanted + [.number(max(0, filter.limit)), .number(max(0, filter.offset))])
            return (
                try rows.map { (try StoredValues.user($0), try StoredValues.role($0)) },
                try connection.count(MemberSQL.count, wanted)
            )
        }
    }
}
