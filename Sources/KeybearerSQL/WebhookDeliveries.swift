package import Keybearer

enum WebhookDeliverySQL {
    private static let columns = """
        d.endpoint_id, d.message_id, d.event, d.sequence, d.created_at, d.state, d.attempts, d.due_at, d.ended_at
        """
    /// Behind a place in the list, the newest first.
    private static let page = """
        (d.created_at, d.message_id) < ($2, $3) ORDER BY d.created_at DESC, d.message_id DESC LIMIT $4
        """
    static let list = SQL("SELECT \(columns) FROM webhook_deliveries d WHERE d.endpoint_id = $1 AND \(page)")
    static let inState = SQL(
        "SELECT \(columns) FROM webhook_deliveries d WHERE d.endpoint_id = $1 AND d.state = $5 AND \(page)")
    static let ofEvent = SQL(
        "SELECT \(columns) FROM webhook_deliveries d WHERE d.endpoint_id = $1 AND d.event = $5 AND \(page)")
    static let ofEventInState = SQL(
        """
        SELECT \(columns) FROM webhook_deliveries d
        WHERE d.endpoint_id = $1 AND d.event = $5 AND d.state = $6 AND \(page)
        """)
    static let one = SQL(
        """
        SELECT \(columns), (SELECT m.body FROM webhook_messages m WHERE m.id = d.message_id) AS body
        FROM webhook_deliveries d WHERE d.endpoint_id = $1 AND d.message_id = $2
        """)
    static let attempts = SQL(
        """
        SELECT number, at, duration_ms, headers, status, problem, response FROM webhook_attempts
        WHERE endpoint_id = $1 AND message_id = $2 ORDER BY number
        """)
    static let lockOne = SQL(
        "SELECT endpoint_id, message_id FROM webhook_deliveries WHERE endpoint_id = $1 AND message_id = $2")
    static let lockMissed = SQL(
        """
        SELECT endpoint_id, message_id FROM webhook_deliveries
        WHERE endpoint_id = $1 AND created_at >= $2 AND created_at < $3 AND state <> 'delivered' AND state <> 'waiting'
        ORDER BY created_at, message_id LIMIT $4
        """)
    static let resend = SQL(
        """
        UPDATE webhook_deliveries
        SET state = 'waiting', attempts_before = attempts, due_at = $3, ended_at = NULL, claim = NULL,
            claimed_until = NULL
        WHERE endpoint_id = $1 AND message_id = $2
        """)

    static let all = [
        list, inState, ofEvent, ofEventInState, one, attempts, lockOne, lockMissed, resend,
    ]
}

extension SQLStore {
    package func webhookDeliveries(_ filter: DeliveryFilter) async throws -> [WebhookDelivery] {
        let place: [SQLValue] = [
            .id(filter.endpointID), .number(filter.after?.createdAt.millisecondsSinceEpoch ?? .max),
            .text(filter.after?.id.rawValue ?? ""), .number(max(0, filter.limit)),
        ]
        let (sql, others): (SQL, [SQLValue]) =
            switch (filter.event, filter.state) {
            case (nil, nil): (WebhookDeliverySQL.list, [])
            case (nil, let state?): (WebhookDeliverySQL.inState, [.text(state.rawValue)])
            case (let event?, nil): (WebhookDeliverySQL.ofEvent, [.id(event)])
            case (let event?, let state?):
                (WebhookDeliverySQL.ofEventInState, [.id(event), .text(state.rawValue)])
            }
        return try await engine.read { try $0.rows(sql, place + others).map { try StoredValues.webhookDelivery($0) } }
    }

    package func webhookDelivery(
        _ messageID: WebhookMessageID, at endpointID: WebhookEndpointID
    ) async throws -> (delivery: WebhookDelivery, body: [UInt8], attempts: [DeliveryAttempt])? {
        try await engine.read { connection in
            let key: [SQLValue] = [.id(endpointID), .id(messageID)]
            guard let row = try connection.first(WebhookDeliverySQL.one, key) else { return nil }
            let attempts = try connection.rows(WebhookDeliverySQL.attempts, key)
            return (
                try StoredValues.webhookDelivery(row), row.bytes("body") ?? [],
                try attempts.map { try StoredValues.deliveryAttempt($0) }
            )
        }
    }

    package func resendWebhookDeliveries(
        _ resend: WebhookResend, of workspaceID: WorkspaceID?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent, now: Timestamp
    ) async throws -> Int {
        let (found, isOne): (SQLStatement, Bool) =
            switch resend.which {
            case .one(let id): (SQLStatement(WebhookDeliverySQL.lockOne, [.id(resend.endpointID), .id(id)]), true)
            case .missed(let since, let until):
                (
                    SQLStatement(
                        WebhookDeliverySQL.lockMissed,
                        [.id(resend.endpointID), .time(since), .time(until), .number(WebhookResend.most)]), false
                )
            }
        return try await write(by: authority, needs: requirement, audit: audit) { connection, _ in
            let row = try Self.lockedEndpoint(resend.endpointID, of: workspaceID, .share, connection)
            guard try StoredValues.webhookEndpoint(row).state.isOn else { throw KeybearerError.webhookDisabled }
            let time = SQLValue.time(try connection.now(now))
            let rows = try connection.lock([(found, .update)]).first ?? []
            if rows.isEmpty, isOne { throw KeybearerError.noSuchDelivery }
            if rows.isEmpty { return .nothing(0) }
            try connection.executeMany(
                WebhookDeliverySQL.resend,
                rows.map { row in
                    [.text(try row.requiredText("endpoint_id")), .text(try row.requiredText("message_id")), time]
                })
            return .changes(rows.count, with: [])
        }
    }
}

extension StoredValues {
    package static func webhookDelivery(_ row: any StoredRow) throws -> WebhookDelivery {
        guard let state = WebhookDelivery.State(rawValue: try row.requiredText("state")) else {
            throw KeybearerError.unreadable("webhook_deliveries.state")
        }
        return WebhookDelivery(
            endpointID: WebhookEndpointID(rawValue: try row.requiredText("endpoint_id")),
            messageID: WebhookMessageID(rawValue: try row.requiredText("message_id")),
            event: EventName(rawValue: try row.requiredText("event")), sequence: try row.requiredNumber("sequence"),
            createdAt: try row.timestamp("created_at"), state: state, attempts: Int(try row.requiredNumber("attempts")),
            dueAt: row.time("due_at"), endedAt: row.time("ended_at"))
    }

    /// Lines of a name, a colon and a value.
    private static func headers(_ text: String) -> [String: String] {
        var headers: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let mark = line.firstIndex(of: ":") else { continue }
            headers[String(line[..<mark])] = String(line[mark...].dropFirst(2))
        }
        return headers
    }

    package static func deliveryAttempt(_ row: any StoredRow) throws -> DeliveryAttempt {
        DeliveryAttempt(
            number: Int(try row.requiredNumber("number")), at: try row.timestamp("at"),
            duration: .milliseconds(try row.requiredNumber("duration_ms")),
            headers: headers(try row.requiredText("headers")),
            status: row.number("status").map { Int($0) },
            problem: row.text("problem").flatMap { WebhookReply.Problem(rawValue: $0) },
            response: try row.requiredBytes("response"))
    }
}
