package import Keybearer

enum WebhookRemovalSQL {
    /// The oldest, by the index of their times: however many are old, each transaction looks at those alone that it removes.
    static let old = SQL(
        """
        SELECT id FROM webhook_messages WHERE id IN (
            SELECT o.id FROM webhook_messages o WHERE o.created_at < $1 ORDER BY o.created_at, o.id LIMIT $2)
        ORDER BY id
        """)
    static let ofUser = SQL("SELECT id FROM webhook_messages WHERE user_id = $1 ORDER BY id LIMIT $2")
    /// Their deliveries, in the order in which everybody locks them.
    static let deliveriesOfOld = SQL(
        """
        SELECT endpoint_id, message_id FROM webhook_deliveries WHERE message_id IN (
            SELECT o.id FROM webhook_messages o WHERE o.created_at < $1 ORDER BY o.created_at, o.id LIMIT $2)
        ORDER BY endpoint_id, message_id
        """)
    static let deliveriesOfUser = SQL(
        """
        SELECT endpoint_id, message_id FROM webhook_deliveries WHERE message_id IN (
            SELECT id FROM webhook_messages WHERE user_id = $1 ORDER BY id LIMIT $2)
        ORDER BY endpoint_id, message_id
        """)
    static let messages = SQL("DELETE FROM webhook_messages WHERE id = $1")
    static let deliveriesOfMessage = SQL("DELETE FROM webhook_deliveries WHERE message_id = $1")
    static let attemptsOfMessage = SQL("DELETE FROM webhook_attempts WHERE message_id = $1")

    /// The endpoints behind which there are more places than so many. Those of the operator have places of their own.
    static let full = SQL(
        """
        SELECT e.id, coalesce(s.last, e.sequence) AS last
        FROM webhook_endpoints e LEFT JOIN webhook_sequences s ON s.workspace_id = e.workspace_id
        WHERE coalesce(s.last, e.sequence) > $1 ORDER BY e.id
        """)
    /// Among the oldest of an endpoint in a state, those that are that far behind. The state is looked at in the row that is
    /// locked as well: it may be sent again meanwhile.
    private static let isBeyond = """
        d.endpoint_id = $1 AND d.state = $2 AND d.sequence <= CAST($3 AS BIGINT) AND d.message_id IN (
            SELECT o.message_id FROM webhook_deliveries o WHERE o.endpoint_id = $1 AND o.state = $2
            ORDER BY o.created_at, o.message_id LIMIT $4)
        """
    static let messagesBeyond = SQL(
        """
        SELECT id FROM webhook_messages
        WHERE id IN (SELECT d.message_id FROM webhook_deliveries d WHERE \(isBeyond)) ORDER BY id
        """)
    static let deliveriesBeyond = SQL(
        """
        SELECT d.endpoint_id, d.message_id FROM webhook_deliveries d WHERE \(isBeyond)
        ORDER BY d.endpoint_id, d.message_id
        """)
    private static let isNobodys = "NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.message_id = $1)"
    /// A message that no endpoint keeps.
    static let unkept = SQL("DELETE FROM webhook_messages WHERE id = $1 AND source IS NULL AND \(isNobodys)")
    /// What it is known by stays, so that it is not queued again.
    static let emptyUnkept = SQL("UPDATE webhook_messages SET body = $2 WHERE id = $1 AND \(isNobodys)")

    /// Those of an endpoint that is no more.
    static let orphans = SQL(
        """
        WITH RECURSIVE present (id) AS (
            SELECT * FROM (SELECT endpoint_id FROM webhook_deliveries ORDER BY endpoint_id LIMIT 1) AS first
            UNION ALL
            SELECT (
                SELECT d.endpoint_id FROM webhook_deliveries d
                WHERE d.endpoint_id > present.id ORDER BY d.endpoint_id LIMIT 1)
            FROM present WHERE present.id IS NOT NULL
        )
        SELECT d.endpoint_id, d.message_id FROM webhook_deliveries d
        WHERE d.endpoint_id IN (
            SELECT present.id FROM present LEFT JOIN webhook_endpoints e ON e.id = present.id
            WHERE e.id IS NULL AND present.id IS NOT NULL)
        ORDER BY d.endpoint_id, d.message_id LIMIT $1
        """)
    /// Of a workspace that is no more.
    static let sequences = SQL(
        """
        DELETE FROM webhook_sequences
        WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = webhook_sequences.workspace_id)
        """)
    static let deliveries = SQL("DELETE FROM webhook_deliveries WHERE endpoint_id = $1 AND message_id = $2")
    static let attempts = SQL("DELETE FROM webhook_attempts WHERE endpoint_id = $1 AND message_id = $2")

    static let all = [
        old, ofUser, deliveriesOfOld, deliveriesOfUser, messages, deliveriesOfMessage, attemptsOfMessage, full,
        messagesBeyond, deliveriesBeyond, unkept, emptyUnkept, orphans, sequences, deliveries, attempts,
    ]
}

extension SQLStore {
    package func removeOldWebhookMessages(olderThan age: Duration, now: Timestamp) async throws {
        while try await maintain({ connection in
            let bound = SQLValue.time(try connection.now(now).advanced(by: .zero - age))
            return try Self.removeMessages(
                WebhookRemovalSQL.old, WebhookRemovalSQL.deliveriesOfOld, bound, connection)
        }) {}
    }

    /// Each has some deliveries with some attempts.
    private static let mostMessagesRemoved = 100

    /// Removes some messages of an account that is deleted.
    ///
    /// - Returns: whether more may be left.
    static func removeMessages(about userID: UserID, _ connection: any SQLConnection) throws -> Bool {
        try removeMessages(WebhookRemovalSQL.ofUser, WebhookRemovalSQL.deliveriesOfUser, .id(userID), connection)
    }

    /// Removes some messages with their deliveries and attempts.
    private static func removeMessages(
        _ find: SQL, _ deliveries: SQL, _ bound: SQLValue, _ connection: any SQLConnection
    ) throws -> Bool {
        let parameters = [bound, SQLValue.number(mostMessagesRemoved)]
        // Messages first, then deliveries: everybody who locks both does so in this order.
        let locked = try connection.lock([
            (SQLStatement(find, parameters), .replace), (SQLStatement(deliveries, parameters), .replace),
        ])
        let ids = try (locked.first ?? []).map { [SQLValue.text(try $0.requiredText("id"))] }
        try connection.executeMany(WebhookRemovalSQL.attemptsOfMessage, ids)
        try connection.executeMany(WebhookRemovalSQL.deliveriesOfMessage, ids)
        try connection.executeMany(WebhookRemovalSQL.messages, ids)
        return ids.count == mostMessagesRemoved
    }

    package func removeDeliveries(beyond most: Int) async throws {
        let full = try await engine.read { connection in
            try connection.rows(WebhookRemovalSQL.full, [.number(most)]).map { row in
                (id: try row.requiredText("id"), last: try row.requiredNumber("last"))
            }
        }
        for endpoint in full {
            for state in WebhookDelivery.State.allCases where state != .waiting {
                let parameters: [SQLValue] = [
                    .text(endpoint.id), .text(state.rawValue), .number(endpoint.last - Int64(most)),
                    .number(OldRows.mostAtOnce),
                ]
                while try await maintain({ try Self.removeBeyond(parameters, $0) }) {}
            }
        }
    }

    private static func removeBeyond(_ parameters: [SQLValue], _ connection: any SQLConnection) throws -> Bool {
        let locked = try connection.lock([
            (SQLStatement(WebhookRemovalSQL.messagesBeyond, parameters), .replace),
            (SQLStatement(WebhookRemovalSQL.deliveriesBeyond, parameters), .replace),
        ])
        let messages = try (locked.first ?? []).map { SQLValue.text(try $0.requiredText("id")) }
        try remove(try (locked.last ?? []).map(deliveryKey), connection)
        try connection.executeMany(WebhookRemovalSQL.unkept, messages.map { [$0] })
        try connection.executeMany(WebhookRemovalSQL.emptyUnkept, messages.map { [$0, .bytes([])] })
        return messages.count == OldRows.mostAtOnce
    }

    package func removeOrphanedDeliveries() async throws {
        try await maintain { try $0.execute(WebhookRemovalSQL.sequences) }
        let most = OldRows.mostAtOnce
        while try await maintain({ connection in
            let found = SQLStatement(WebhookRemovalSQL.orphans, [.number(most)])
            let keys = try (connection.lock([(found, .replace)]).first ?? []).map(Self.deliveryKey)
            try Self.remove(keys, connection)
            return keys.count == most
        }) {}
    }

    private static func deliveryKey(_ row: any StoredRow) throws -> [SQLValue] {
        [.text(try row.requiredText("endpoint_id")), .text(try row.requiredText("message_id"))]
    }

    /// Removes deliveries with their attempts.
    private static func remove(_ deliveries: [[SQLValue]], _ connection: any SQLConnection) throws {
        try connection.executeMany(WebhookRemovalSQL.attempts, deliveries)
        try connection.executeMany(WebhookRemovalSQL.deliveries, deliveries)
    }
}
