package import Keybearer

enum AuditSQL {
    static let columns = """
        SELECT sequence, id, at, actor, action, user_id, workspace_id, address, detail FROM audit_events
        """

    static let insert = SQL(
        """
        INSERT INTO audit_events (id, at, actor, action, user_id, workspace_id, address, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """)
    static let latest = SQL("\(columns) ORDER BY sequence DESC LIMIT $1")
    static let latestOfUser = SQL("\(columns) WHERE user_id = $2 ORDER BY sequence DESC LIMIT $1")
    static let before = SQL("\(columns) WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2")
    static let beforeOfUser = SQL(
        "\(columns) WHERE sequence < $1 AND user_id = $3 ORDER BY sequence DESC LIMIT $2")

    static let all = [insert, latest, latestOfUser, before, beforeOfUser]
}

extension SQLStore {
    package func auditEvents(userID: UserID?, limit: Int) async throws -> [AuditEvent] {
        try await engine.read { connection in
            let most = SQLValue.number(max(0, limit))
            let rows =
                if let userID {
                    try connection.rows(AuditSQL.latestOfUser, [most, .id(userID)])
                } else {
                    try connection.rows(AuditSQL.latest, [most])
                }
            return try rows.map { try StoredValues.auditEvent($0) }
        }
    }

    /// The audit row of an event and the mail that tells of it, for the caller's transaction.
    static func records(_ event: AuditEvent) -> [SQLStatement] { [record(event)] + (mail(of: event).map { [$0] } ?? []) }

    /// An audit row, for the caller's transaction: what fails leaves no row, and what leaves no row fails.
    package static func record(_ event: AuditEvent) -> SQLStatement {
        SQLStatement(
            AuditSQL.insert,
            [
                .id(event.id), .time(event.at), .text(event.actor.storedForm), .text(event.action.rawValue),
                .optional(event.userID?.rawValue), .optional(event.workspaceID?.rawValue),
                .optional(event.address?.description), .optional(event.detail),
            ])
    }
}
