package import Keybearer

enum WebhookQueueSQL {
    private static let isFree = "(d.claimed_until IS NULL OR d.claimed_until <= $1)"
    /// The endpoints for which something waits, one step of the index for each, whatever waits for it.
    static let due = SQL(
        """
        WITH RECURSIVE waiting (id) AS (
            SELECT * FROM (
                SELECT endpoint_id FROM webhook_deliveries WHERE due_at IS NOT NULL ORDER BY endpoint_id LIMIT 1
            ) AS first
            UNION ALL
            SELECT (
                SELECT d.endpoint_id FROM webhook_deliveries d
                WHERE d.due_at IS NOT NULL AND d.endpoint_id > waiting.id ORDER BY d.endpoint_id LIMIT 1)
            FROM waiting WHERE waiting.id IS NOT NULL
        )
        SELECT \(WebhookEndpointSQL.columns), \(WebhookMessageSQL.standing)
        FROM waiting JOIN webhook_endpoints e ON e.id = waiting.id
        LEFT JOIN workspaces w ON w.id = e.workspace_id
        LEFT JOIN plan_features f ON f.plan_id = w.plan_id AND f.feature = $2
        WHERE (e.state <> 'enabled' OR e.paused_until IS NULL OR e.paused_until <= $1) AND EXISTS (
            SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = waiting.id AND d.due_at <= $1 AND \(isFree))
        """)
    static let anyDue = SQL("SELECT endpoint_id FROM webhook_deliveries WHERE due_at IS NOT NULL LIMIT 1")
    static let standing = SQL(
        """
        SELECT e.version, \(WebhookMessageSQL.standing) FROM webhook_endpoints e \(WebhookMessageSQL.joins)
        WHERE e.id = $2
        """)
    static let workspaceOf = SQL(
        "SELECT id FROM workspaces WHERE id = (SELECT workspace_id FROM webhook_endpoints WHERE id = $1)")
    static let claimable = SQL(
        """
        SELECT d.endpoint_id, d.message_id, d.event, d.sequence, d.attempts, d.attempts_before,
               (SELECT m.body FROM webhook_messages m WHERE m.id = d.message_id) AS body
        FROM webhook_deliveries d
        WHERE d.endpoint_id = $2 AND d.due_at <= $1 AND \(isFree)
        ORDER BY d.due_at, d.message_id LIMIT $3
        """)
    static let claim = SQL(
        "UPDATE webhook_deliveries SET claim = $3, claimed_until = $4 WHERE endpoint_id = $1 AND message_id = $2")
    static let release = SQL(
        """
        UPDATE webhook_deliveries SET claim = NULL, claimed_until = NULL
        WHERE endpoint_id = $1 AND message_id = $2 AND claim = $3
        """)
    static let record = SQL(
        """
        UPDATE webhook_deliveries
        SET state = $4, attempts = $5, due_at = $6, ended_at = $7, claim = NULL, claimed_until = NULL
        WHERE endpoint_id = $1 AND message_id = $2 AND claim = $3
        """)
    static let waiting = SQL(
        """
        SELECT d.endpoint_id, d.message_id FROM webhook_deliveries d
        WHERE d.endpoint_id = $2 AND d.due_at IS NOT NULL AND \(isFree)
        ORDER BY d.due_at, d.message_id LIMIT $3
        """)
    static let end = SQL(
        """
        UPDATE webhook_deliveries SET state = $3, due_at = NULL, ended_at = $4, claim = NULL, claimed_until = NULL
        WHERE endpoint_id = $1 AND message_id = $2
        """)
    static let all = [
        due, anyDue, standing, workspaceOf, claimable, claim, release, record, waiting, end,
    ]
}

extension SQLStore {
    private static let feature = SQLValue.text(Feature.apiWebhooks.rawValue)

    package func endpointsDue(now: Timestamp) async throws -> [DueEndpoint] {
        try await engine.read { connection in
            // Most of the time nothing waits.
            guard try connection.first(WebhookQueueSQL.anyDue) != nil else { return [] }
            let parameters = [SQLValue.time(try connection.now(now)), Self.feature]
            return try connection.rows(WebhookQueueSQL.due, parameters).compactMap { row in
                // One that this version does not understand keeps no other from its messages.
                guard let endpoint = try? StoredValues.webhookEndpoint(row),
                    let secrets = try? StoredValues.webhookSecrets(row)
                else { return nil }
                return DueEndpoint(endpoint: endpoint, secrets: secrets, standing: Self.standing(row))
            }
        }
    }

    private static func standing(_ row: any StoredRow) -> DueEndpoint.Standing {
        switch row.text("standing") {
        case "open": .open
        case "locked": .locked
        default: .disabled
        }
    }

    package func claimDeliveries(
        _ wanted: [(endpointID: WebhookEndpointID, count: Int)], claim: [UInt8], now: Timestamp
    ) async throws -> [ClaimedDelivery] {
        try await maintain { connection in
            let now = try connection.now(now)
            let free = wanted.sorted { $0.endpointID < $1.endpointID }.map { endpointID, count in
                (
                    SQLStatement(WebhookQueueSQL.claimable, [.time(now), .id(endpointID), .number(max(0, count))]),
                    LockMode.updateOrSkip
                )
            }
            let claimed = try connection.lock(free).flatMap { $0 }.map { row in
                ClaimedDelivery(
                    endpointID: WebhookEndpointID(rawValue: try row.requiredText("endpoint_id")),
                    messageID: WebhookMessageID(rawValue: try row.requiredText("message_id")),
                    event: EventName(rawValue: try row.requiredText("event")),
                    sequence: try row.requiredNumber("sequence"), attempts: Int(try row.requiredNumber("attempts")),
                    attemptsBefore: Int(try row.requiredNumber("attempts_before")), body: row.bytes("body") ?? [],
                    claim: claim)
            }
            let end = SQLValue.time(now.advanced(by: DeliveryRules.claim))
            try connection.executeMany(
                WebhookQueueSQL.claim, claimed.map { [.id($0.endpointID), .id($0.messageID), .bytes(claim), end] })
            return claimed
        }
    }

    package func releaseDeliveries(_ deliveries: [ClaimedDelivery]) async throws {
        let rows: [[SQLValue]] = deliveries.sorted(by: Self.isBefore).map {
            [.id($0.endpointID), .id($0.messageID), .bytes($0.claim)]
        }
        try await maintain { try $0.executeMany(WebhookQueueSQL.release, rows) }
    }

    /// The order in which everybody locks them.
    private static func isBefore(_ left: ClaimedDelivery, _ right: ClaimedDelivery) -> Bool {
        (left.endpointID.rawValue, left.messageID.rawValue) < (right.endpointID.rawValue, right.messageID.rawValue)
    }

    package func openVersions(of endpoints: [WebhookEndpointID]) async throws -> [WebhookEndpointID: Int] {
        try await engine.read { connection in
            try endpoints.reduce(into: [:]) { versions, id in
                let row = try connection.first(WebhookQueueSQL.standing, [Self.feature, .id(id)])
                guard let row, Self.standing(row) == .open else { return }
                versions[id] = Int(try row.requiredNumber("version"))
            }
        }
    }

    package func endWaiting(
        for endpointID: WebhookEndpointID, as state: WebhookDelivery.State, limit: Int, now: Timestamp
    ) async throws -> Int {
        try await maintain { connection in
            let now = try connection.now(now)
            // It may be enabled, or its plan changed, since somebody looked; while these are held it is not.
            try connection.lock([
                (SQLStatement(WebhookQueueSQL.workspaceOf, [.id(endpointID)]), .share),
                (SQLStatement(WebhookEndpointSQL.byID, [.id(endpointID)]), .share),
            ])
            let standing = try connection.first(WebhookQueueSQL.standing, [Self.feature, .id(endpointID)])
            switch (state, standing.map(Self.standing)) {
            case (.locked, .locked), (.disabled, .disabled): break
            default: return 0
            }
            let waiting = SQLStatement(
                WebhookQueueSQL.waiting, [.time(now), .id(endpointID), .number(max(0, limit))])
            let rows = try connection.lock([(waiting, .updateOrSkip)]).first ?? []
            try connection.executeMany(
                WebhookQueueSQL.end,
                rows.map { row in
                    [
                        .text(try row.requiredText("endpoint_id")), .text(try row.requiredText("message_id")),
                        .text(state.rawValue), .time(now),
                    ]
                })
            return rows.count
        }
    }

    package func record(_ attempts: [AttemptRecord], now: Timestamp) async throws {
        let ordered = attempts.sorted { Self.isBefore($0.delivery, $1.delivery) }
        try await maintain { connection in
            let now = try connection.now(now)
            // The endpoints first, in the order of their ids: whoever changes one locks it before its deliveries.
            let health = try EndpointHealths(of: ordered, connection)
            let touched = try connection.executeMany(
                WebhookQueueSQL.record, ordered.map { Self.columns(of: $0, now) })
            let ours = zip(ordered, touched).filter { $0.1 == 1 }.map(\.0)
            // What was not tried is no attempt.
            let tried = ours.filter(\.reply.isTheirs)
            try connection.insertMany(tried.map(Self.attemptColumns), into: CopiedTable.webhookAttempts)
            try health.apply(ours, at: now, connection)
        }
    }

    private static func columns(of record: AttemptRecord, _ now: Timestamp) -> [SQLValue] {
        [
            .id(record.delivery.endpointID), .id(record.delivery.messageID), .bytes(record.delivery.claim),
            .text(record.state.rawValue), .number(record.delivery.attempts + (record.reply.isTheirs ? 1 : 0)),
            .optional(record.state == .waiting ? record.retryAfter.map { now.advanced(by: $0) } : nil),
            .optional(record.state == .waiting ? nil : now),
        ]
    }

    private static func attemptColumns(_ record: AttemptRecord) -> [SQLValue] {
        [
            .id(record.delivery.messageID), .id(record.delivery.endpointID), .number(record.delivery.attempts + 1),
            .time(record.at), .number(record.duration.wholeMilliseconds),
            .text(record.headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")),
            record.reply.status.map { .number($0) } ?? .null, .optional(record.reply.problem?.rawValue),
            .bytes(record.reply.body),
        ]
    }
}

/// What is known of the endpoints of some attempts, under their locks.
private struct EndpointHealths {
    private var endpoints: [WebhookEndpointID: WebhookEndpoint] = [:]

    /// Those that worked and do so are left alone: nothing changes for them.
    init(of attempts: [AttemptRecord], _ connection: any SQLConnection) throws {
        let changing = attempts.filter { !$0.reply.isDelivered || !$0.wasHealthy }
        let ids = Set(changing.map(\.delivery.endpointID)).sorted()
        // Another node may have seen one fail since: a success ends that too.
        let others = Set(attempts.map(\.delivery.endpointID)).subtracting(ids).sorted()
        try connection.executeMany(WebhookEndpointSQL.forgetFailures, others.map { [.id($0)] })
        let rows = try connection.lock(ids.map { (SQLStatement(WebhookEndpointSQL.byID, [.id($0)]), .update) })
        for row in rows.compactMap(\.first) {
            let endpoint = try StoredValues.webhookEndpoint(row)
            endpoints[endpoint.id] = endpoint
        }
    }

    func apply(_ attempts: [AttemptRecord], at now: Timestamp, _ connection: any SQLConnection) throws {
        for (id, endpoint) in endpoints.sorted(by: { $0.key < $1.key }) {
            let mine = attempts.filter {
                $0.delivery.endpointID == id && $0.reply.isTheirs && $0.endpointVersion == endpoint.version
            }.sorted { $0.end < $1.end }
            var (health, state) = (endpoint.health, endpoint.state)
            var notices: [WebhookNotice] = []
            for attempt in mine {
                let actions =
                    attempt.reply.isDelivered
                    ? health.succeeded() : health.failed(at: now, began: attempt.at, isGone: attempt.reply.isGone)
                for action in actions where state.isOn {
                    notices.append(WebhookNotice(action, of: endpoint, attempt: attempt, at: now))
                    if action == .disable { state = attempt.reply.isGone ? .gone : .failed }
                }
            }
            if health == endpoint.health, state == endpoint.state { continue }
            try connection.execute(
                WebhookEndpointSQL.setHealth,
                [.id(id), .text(state.rawValue)] + SQLStore.columns(of: health))
            for notice in notices {
                for statement in SQLStore.statements(of: notice) { try connection.execute(statement) }
            }
        }
    }
}

extension SQLStore {
    /// The messages that tell of a notice.
    fileprivate static func statements(of notice: WebhookNotice) -> [SQLStatement] {
        [add(notice.message)] + (notice.mail.map { add($0) } ?? [])
    }
}
