package import Keybearer

enum AuditSQL {
    static let columns = """
        SELECT sequence, id, at, actor, action, user_id, workspace_id, address, detail, user_agent, request_id, via,
               old_value, new_value, position
        FROM audit_events
        """

    static let insert = SQL(
        """
        INSERT INTO audit_events (
            id, at, actor, action, user_id, workspace_id, address, detail, user_agent, request_id, via, old_value,
            new_value)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """)
    static let latest = SQL("\(columns) ORDER BY sequence DESC LIMIT $1")
    static let latestOfUser = SQL("\(columns) WHERE user_id = $2 ORDER BY sequence DESC LIMIT $1")
    static let before = SQL("\(columns) WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2")
    static let beforeOfUser = SQL(
        "\(columns) WHERE sequence < $1 AND user_id = $3 ORDER BY sequence DESC LIMIT $2")

    static let after = SQL("\(columns) WHERE position > $1 ORDER BY position LIMIT $2")
    static let afterOfUser = SQL("\(columns) WHERE position > $1 AND user_id = $3 ORDER BY position LIMIT $2")

    static let all = [insert, latest, latestOfUser, before, beforeOfUser, after, afterOfUser]
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

    package func auditEvents(after position: Int64, of userID: UserID?, limit: Int) async throws -> [AuditEvent] {
        try await engine.read { connection in
            let part = [SQLValue.number(position), .number(max(0, limit))]
            let rows = try userID.map { try connection.rows(AuditSQL.afterOfUser, part + [.id($0)]) }
            return try (rows ?? connection.rows(AuditSQL.after, part)).map { try StoredValues.auditEvent($0) }
        }
    }

    package func recordFailedSignIns(_ events: [AuditEvent]) async throws {
        let users = Set(events.compactMap(\.userID))
        try await maintain { connection in
            // Whoever deletes one of them waits, and erases these as well.
            let locked = try RowLocks(users.map { (.user($0), .share) }).acquire(connection)
            for event in events where event.userID.map({ locked.has(.user($0)) }) ?? false {
                try connection.execute(Self.record(event))
            }
        }
    }

    /// The audit row of an event, and the mail and the message that tell of it, for the caller's transaction.
    static func records(_ event: AuditEvent, _ locked: LockedRows = LockedRows()) -> [SQLStatement] {
        let isOfServiceAccount = event.userID.flatMap { locked.serviceWorkspace(of: $0) } != nil
        return [record(event)] + (NewMail(of: event).map { add($0) } ?? [])
            + message(of: event, isOfServiceAccount: isOfServiceAccount)
    }

    /// An audit row, for the caller's transaction: what fails leaves no row, and what leaves no row fails.
    package static func record(_ event: AuditEvent) -> SQLStatement {
        SQLStatement(
            AuditSQL.insert,
            [
                .id(event.id), .time(event.at), .text(event.actor.storedForm), .text(event.action.rawValue),
                .optional(event.userID?.rawValue), .optional(event.workspaceID?.rawValue),
                .optional(event.address?.description), .optional(event.detail),
                .optional(event.origin?.userAgent), .optional(event.origin?.requestID),
                .optional(event.origin?.via?.rawValue), .optional(event.change?.before),
                .optional(event.change?.after),
            ])
    }
}
