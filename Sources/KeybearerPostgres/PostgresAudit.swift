public import Keybearer

extension PostgresStore {
    public func auditEvents(userID: UserID?, limit: Int) async throws -> [AuditEvent] {
        try await read { connection in
            let columns = "SELECT id, at, actor, action, user_id, workspace_id, address, detail FROM audit_events"
            let end = "ORDER BY sequence DESC LIMIT $1"
            let most = PostgresValue.number(max(0, limit))
            let result =
                if let userID {
                    try connection.execute("\(columns) WHERE user_id = $2 \(end)", [most, .text(userID.rawValue)])
                } else {
                    try connection.execute("\(columns) \(end)", [most])
                }
            return try result.rows.map { try StoredValues.auditEvent($0) }
        }
    }

    /// An audit row, for the caller's transaction: what fails leaves no row, and what leaves no row fails.
    static func record(_ event: AuditEvent) -> Statement {
        Statement(
            """
            INSERT INTO audit_events (id, at, actor, action, user_id, workspace_id, address, detail)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            [
                .text(event.id.rawValue), .number(event.at.millisecondsSinceEpoch), .text(event.actor.storedForm),
                .text(event.action.rawValue), .optional(event.userID?.rawValue),
                .optional(event.workspaceID?.rawValue), .optional(event.address?.description),
                .optional(event.detail),
            ])
    }
}
