package import Keybearer

enum WebhookMessageSQL {
    private static let insertColumns = """
        INSERT INTO webhook_messages
            (id, event, workspace_id, user_id, endpoint_id, excluded_id, source, created_at, body)
        """
    /// Unless it was queued before.
    static let insert = SQL(
        """
        \(insertColumns)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT DO NOTHING
        """)
    /// The same, and only where somebody may get it.
    static let insertIfWanted = SQL(
        """
        \(insertColumns)
        SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT),
               CAST($6 AS TEXT), CAST($7 AS TEXT), CAST($8 AS BIGINT), $9
        WHERE EXISTS (
            SELECT 1 FROM webhook_endpoints WHERE workspace_id IS NULL OR workspace_id = CAST($3 AS TEXT))
        ON CONFLICT DO NOTHING
        """)
    static let bySource = SQL("SELECT id FROM webhook_messages WHERE source = $1")
    /// Straight from an index. Chosen by a subquery (`id IN (… LIMIT …)`), each row that is new would be compared with each one
    /// chosen where the statistics are from before there was a heap of them: seconds, for which all others wait.
    private static let new = """
        SELECT m.id, m.event, m.workspace_id, m.endpoint_id, m.excluded_id, m.source, m.created_at
        FROM webhook_messages m WHERE m.spread_at IS NULL
        """
    private static let oldestFirst = "ORDER BY m.created_at, m.id LIMIT $1"
    static let oldestNew = SQL("\(new) \(oldestFirst)")
    private static let workspace = "coalesce(m.workspace_id, '')"
    /// The workspaces that have new messages, one step of the index for each; empty for messages of none.
    static let workspacesWithNew = SQL(
        """
        WITH RECURSIVE present (id) AS (
            SELECT * FROM (
                SELECT \(workspace) FROM webhook_messages m WHERE m.spread_at IS NULL ORDER BY \(workspace) LIMIT 1
            ) AS first
            UNION ALL
            SELECT (
                SELECT \(workspace) FROM webhook_messages m
                WHERE m.spread_at IS NULL AND \(workspace) > present.id ORDER BY \(workspace) LIMIT 1)
            FROM present WHERE present.id IS NOT NULL
        )
        SELECT id FROM present WHERE id IS NOT NULL
        """)
    /// The oldest of a workspace.
    static let oldestNewOfWorkspace = SQL("\(new) AND \(workspace) = $2 \(oldestFirst)")
    static let anyNew = SQL("SELECT id FROM webhook_messages WHERE spread_at IS NULL LIMIT 1")
    static let spread = SQL("UPDATE webhook_messages SET spread_at = $2 WHERE id = $1")
    /// Nobody gets it. What it is known by stays, so that it is not queued again.
    static let spreadToNobody = SQL("UPDATE webhook_messages SET spread_at = $2, body = $3 WHERE id = $1")
    static let takePlaces = SQL(
        """
        INSERT INTO webhook_sequences (workspace_id, last)
        SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT)
        WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = CAST($1 AS TEXT))
        ON CONFLICT (workspace_id) DO UPDATE SET last = webhook_sequences.last + excluded.last
        RETURNING last
        """)
    static let takePlacesOfEndpoint = SQL(
        "UPDATE webhook_endpoints SET sequence = sequence + $2 WHERE id = $1 RETURNING sequence")
    static let standing = """
        CASE WHEN e.state <> 'enabled' THEN 'disabled'
             WHEN e.workspace_id IS NULL THEN 'open'
             WHEN w.is_suspended OR f.feature IS NULL THEN 'locked'
             ELSE 'open' END AS standing
        """
    static let joins = """
        LEFT JOIN workspaces w ON w.id = e.workspace_id
        LEFT JOIN plan_features f ON f.plan_id = w.plan_id AND f.feature = $1
        """
    /// Those that may get something of a workspace: its own and the operator's.
    static let receivers = SQL(
        """
        SELECT e.id, e.workspace_id, e.events, \(standing)
        FROM webhook_endpoints e \(joins)
        WHERE e.workspace_id IS NULL OR e.workspace_id = CAST($2 AS TEXT)
        ORDER BY e.id
        """)
    static let all = [
        insert, insertIfWanted, bySource, oldestNew, workspacesWithNew, oldestNewOfWorkspace, anyNew, spread,
        spreadToNobody, takePlaces, takePlacesOfEndpoint, receivers,
    ]
}

extension SQLStore {
    /// The message that tells of an event, for the transaction that does what it tells of.
    static func message(of event: AuditEvent, isOfServiceAccount: Bool) -> [SQLStatement] {
        guard let message = NewWebhookMessage(of: event, isOfServiceAccount: isOfServiceAccount) else { return [] }
        return [SQLStatement(WebhookMessageSQL.insertIfWanted, columns(of: message))]
    }

    /// A message of Keybearer's own, for the caller's transaction.
    static func add(_ message: NewWebhookMessage) -> SQLStatement {
        SQLStatement(WebhookMessageSQL.insertIfWanted, columns(of: message))
    }

    private static func columns(of message: NewWebhookMessage) -> [SQLValue] {
        [
            .id(message.id), .id(message.event), .optional(message.workspaceID?.rawValue),
            .optional(message.userID?.rawValue), .optional(message.endpointID?.rawValue),
            .optional(message.excludedID?.rawValue), .optional(message.source), .time(message.at),
            .bytes(message.body),
        ]
    }

    package func sendTest(
        _ message: NewWebhookMessage, to id: WebhookEndpointID, of workspaceID: WorkspaceID?,
        by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws {
        try await write(by: authority, needs: requirement, audit: audit) { connection, _ in
            let row = try Self.lockedEndpoint(id, of: workspaceID, .share, connection)
            guard try StoredValues.webhookEndpoint(row).state.isOn else { throw KeybearerError.webhookDisabled }
            return .changes((), with: [SQLStatement(WebhookMessageSQL.insert, Self.columns(of: message))])
        }
    }

    package func enqueue(
        _ messages: [NewWebhookMessage], by authority: Authority, audit: AuditEvent
    ) async throws -> [(id: WebhookMessageID, isNew: Bool)] {
        let check = await check(authority, nil, audit)
        // Whoever deletes one of them waits, and removes these messages too; or is first, and nothing is said of the person.
        let users = Set(messages.compactMap(\.userID)).sorted()
        let locks = RowLocks(users.map { (.user($0), .share) })
        // In one order everywhere: two that send the same messages must not wait for each other.
        let order = messages.indices.sorted { (messages[$0].source ?? "") < (messages[$1].source ?? "") }
        return try await engine.write(on: .requests) { connection in
            let locked = try check.pass(connection, with: locks, at: check.now)
            guard users.allSatisfy({ locked.has(.user($0)) }) else { throw KeybearerError.noSuchAccount }
            let touched = try connection.executeMany(
                WebhookMessageSQL.insert, order.map { Self.columns(of: messages[$0]) })
            var results = messages.map { (id: $0.id, isNew: true) }
            for (place, touched) in zip(order, touched) where touched == 0 {
                let row = try connection.first(WebhookMessageSQL.bySource, [.optional(messages[place].source)])
                guard let row else { continue }
                results[place] = (WebhookMessageID(rawValue: try row.requiredText("id")), false)
            }
            return .changes(results, with: [])
        }
    }

    package func spreadMessages(limit: Int, now: Timestamp) async throws -> Int {
        // Most of the time there is none: that writes nothing.
        guard try await shortRead({ try $0.first(WebhookMessageSQL.anyNew) != nil }) else { return 0 }
        return try await maintain { connection in
            let rows = try Self.newMessages(limit: max(0, limit), connection)
            let now = try connection.now(now)
            var spread = MessageSpread(at: now)
            let places = Dictionary(grouping: rows.indices, by: { rows[$0].text("workspace_id") ?? "" })
            for (workspaceID, places) in places.sorted(by: { $0.key < $1.key }) {
                try spread.add(places.map { ($0, rows[$0]) }, of: workspaceID, connection)
            }
            try spread.write(connection)
            return rows.count
        }
    }

    /// The oldest that are new; where some workspaces have a heap of them, the oldest of each workspace, so that nobody waits
    /// behind a heap. In the order in which they were queued.
    private static func newMessages(limit: Int, _ connection: any SQLConnection) throws -> [any StoredRow] {
        let oldest = SQLStatement(WebhookMessageSQL.oldestNew, [.number(limit)])
        let rows = try connection.lock([(oldest, .update)]).first ?? []
        guard rows.count == limit, Set(rows.map { $0.text("workspace_id") }).count <= limit / 4 else { return rows }
        let all = try connection.rows(WebhookMessageSQL.workspacesWithNew).map { try $0.requiredText("id") }
        let share = SQLValue.number(max(1, limit / max(1, all.count)))
        // Whoever holds some of these has not waited for the ones above: they are left to it.
        let found = try connection.lock(
            all.shuffled().prefix(limit).map {
                (SQLStatement(WebhookMessageSQL.oldestNewOfWorkspace, [share, .text($0)]), .updateOrSkip)
            })
        let place = { (row: any StoredRow) in (row.number("created_at") ?? 0, row.text("id") ?? "") }
        return found.flatMap { $0 }.sorted { place($0) < place($1) }
    }
}

/// The deliveries of messages that are new.
private struct MessageSpread {
    let now: Timestamp
    private var deliveries: [[SQLValue]] = []
    private var spread: [[SQLValue]] = []
    private var unwanted: [[SQLValue]] = []
    private var removed: [[SQLValue]] = []
    /// The deliveries of each of the operator's endpoints: where they are, and in which place their message was queued.
    private var ofOperator: [String: [(delivery: Int, queued: Int)]] = [:]

    init(at now: Timestamp) { self.now = now }

    /// - Parameter rows: the messages of a workspace, each with its place among all that are new.
    mutating func add(
        _ rows: [(queued: Int, row: any StoredRow)], of workspaceID: String, _ connection: any SQLConnection
    ) throws {
        let receivers = try connection.rows(
            WebhookMessageSQL.receivers, [.text(Feature.apiWebhooks.rawValue), .optional(workspaceID.nonEmpty)])
        let last =
            workspaceID.isEmpty
            ? 0
            : try connection.first(
                WebhookMessageSQL.takePlaces, [.text(workspaceID), .number(rows.count)])?.requiredNumber("last") ?? 0
        for (index, (queued, row)) in rows.enumerated() {
            let id = try row.requiredText("id")
            let count = deliveries.count
            for receiver in receivers where try Self.gets(receiver, row) {
                if receiver.text("workspace_id") == nil {
                    ofOperator[try receiver.requiredText("id"), default: []].append((deliveries.count, queued))
                }
                try add(row, id, to: receiver, sequence: last - Int64(rows.count - 1 - index))
            }
            if deliveries.count > count {
                spread.append([.text(id), .time(now)])
            } else if row.text("source") == nil {
                removed.append([.text(id)])
            } else {
                unwanted.append([.text(id), .time(now), .bytes([])])
            }
        }
    }

    private static func gets(_ receiver: any StoredRow, _ message: any StoredRow) throws -> Bool {
        let id = try receiver.requiredText("id")
        if let only = message.text("endpoint_id") { return only == id }
        guard message.text("excluded_id") != id else { return false }
        let selection = EventSelection(storedForm: try receiver.requiredText("events"))
        return selection.contains(EventName(rawValue: try message.requiredText("event")))
    }

    private mutating func add(
        _ row: any StoredRow, _ id: String, to receiver: any StoredRow, sequence: Int64
    ) throws {
        let endpointID = try receiver.requiredText("id")
        let state: WebhookDelivery.State =
            switch receiver.text("standing") {
            case "open": .waiting
            case "locked": .locked
            default: .disabled
            }
        deliveries.append([
            .text(endpointID), .text(id), .text(try row.requiredText("event")), .number(sequence),
            .time(try row.timestamp("created_at")), .text(state.rawValue), .number(0), .number(0),
            state == .waiting ? .time(now) : .null, state == .waiting ? .null : .time(now), .null, .null,
        ])
    }

    mutating func write(_ connection: any SQLConnection) throws {
        for (endpointID, places) in ofOperator.sorted(by: { $0.key < $1.key }) {
            let row = try connection.first(
                WebhookMessageSQL.takePlacesOfEndpoint, [.text(endpointID), .number(places.count)])
            let last = try row?.requiredNumber("sequence") ?? Int64(places.count)
            // In the order in which they were queued, whatever workspaces they are of.
            for (index, place) in places.sorted(by: { $0.queued < $1.queued }).enumerated() {
                deliveries[place.delivery][3] = .number(last - Int64(places.count - 1 - index))
            }
        }
        try connection.insertMany(deliveries, into: CopiedTable.webhookDeliveries)
        try connection.executeMany(WebhookMessageSQL.spread, spread)
        try connection.executeMany(WebhookMessageSQL.spreadToNobody, unwanted)
        try connection.executeMany(WebhookRemovalSQL.messages, removed)
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
