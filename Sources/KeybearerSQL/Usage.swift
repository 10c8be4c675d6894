package import Keybearer

enum UsageSQL {
    /// Touches no row where the batch was written before.
    static let take = SQL(
        """
        INSERT INTO usage_writers (id, batch, at) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, at = excluded.at
        WHERE usage_writers.batch < excluded.batch
        """)
    /// Adds nothing for an account that was deleted meanwhile.
    static let add = SQL(
        """
        INSERT INTO usage_counts (user_id, quarter, key_id, outcome, count)
        SELECT id, CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT) FROM users WHERE id = $1
        ON CONFLICT (user_id, quarter, key_id, outcome) DO UPDATE SET count = usage_counts.count + excluded.count
        """)
    static let sums = SQL(
        """
        SELECT outcome, CAST(sum(count) AS BIGINT) AS count FROM usage_counts
        WHERE user_id = $1 AND quarter >= $2 AND quarter < $3 GROUP BY outcome ORDER BY outcome
        """)
    static let ofUser = SQL(
        """
        SELECT user_id, quarter, key_id, outcome FROM usage_counts WHERE user_id = $1
        ORDER BY user_id, quarter, key_id, outcome LIMIT $2
        """)
    static let old = SQL(
        """
        SELECT user_id, quarter, key_id, outcome FROM usage_counts WHERE quarter < $1
        ORDER BY quarter, user_id, key_id, outcome LIMIT $2
        """)
    static let remove = SQL(
        "DELETE FROM usage_counts WHERE user_id = $1 AND quarter = $2 AND key_id = $3 AND outcome = $4")
    static let oldWriters = SQL("SELECT id FROM usage_writers WHERE at < $1 ORDER BY id LIMIT $2")
    static let removeWriter = SQL("DELETE FROM usage_writers WHERE id = $1")

    /// An account of which something was not queued before.
    static let unannounced = SQL(
        """
        SELECT service_workspace_id FROM users
        WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM webhook_messages WHERE source = CAST($2 AS TEXT))
        """)

    static let all = [unannounced, take, add, sums, ofUser, old, remove, oldWriters, removeWriter]
}

extension SQLStore {
    package func recordUsage(_ batch: UsageBatch, now: Timestamp) async throws {
        if batch.uses.isEmpty, batch.counts.isEmpty, batch.news.isEmpty { return }
        let tooFarAhead = SQLValue.time(now.advanced(by: SessionPolicy.clockTolerance))
        try await maintain { connection in
            // All rows in the order of the keys: two nodes that write for the same keys never wait for each other in a
            // circle.
            try connection.executeMany(
                KeySQL.recordUse,
                batch.uses.sorted { ($0.userID, $0.use.at) < ($1.userID, $1.use.at) }.map { use in
                    [
                        .time(use.use.at), .text(use.use.address.description), .id(use.userID), .id(use.keyID),
                        tooFarAhead,
                    ]
                })
            if batch.counts.isEmpty, batch.news.isEmpty { return }
            let number: [SQLValue] = [.text(batch.writer), .number(batch.number), .time(now)]
            guard try connection.execute(UsageSQL.take, number) == 1 else { return }
            try connection.executeMany(UsageSQL.add, batch.counts.sorted(by: Self.isBefore).map(Self.values))
            let events = try batch.events + Self.merge(batch.news, now: now, connection)
            try Self.add(events, isMailed: batch.isMailed, connection)
        }
    }

    /// Queues the messages and the mails of what was seen of keys, each once in its hour.
    private static func add(_ events: [KeyEvent], isMailed: Bool, _ connection: any SQLConnection) throws {
        let bySource = Dictionary(events.map { ($0.source, $0) }) { first, _ in first }
        for (source, event) in bySource.sorted(by: { $0.key < $1.key }) {
            let account = [SQLValue.id(event.userID), .text(source)]
            guard let row = try connection.first(UsageSQL.unannounced, account) else { continue }
            let workspaceID = row.text("service_workspace_id").map { WorkspaceID(rawValue: $0) }
            let mail = isMailed ? event.mail.map { add($0) } ?? [] : []
            for statement in [add(event.message(in: workspaceID))] + mail { try connection.execute(statement) }
        }
    }

    private static func isBefore(_ left: UsageCount, _ right: UsageCount) -> Bool {
        (left.userID, left.quarter, left.keyID, left.outcome.rawValue)
            < (right.userID, right.quarter, right.keyID, right.outcome.rawValue)
    }

    private static func values(_ count: UsageCount) -> [SQLValue] {
        [
            .id(count.userID), .time(count.quarter), .id(count.keyID), .text(count.outcome.rawValue),
            .number(count.count),
        ]
    }

    package func usage(of userID: UserID, between times: [Timestamp]) async throws -> [[UsageOutcome: Int]] {
        try await engine.read { connection in
            try zip(times, times.dropFirst()).map { first, end in
                let rows = try connection.rows(UsageSQL.sums, [.id(userID), .time(first), .time(end)])
                // What a newer version counts, this one does not show.
                return try rows.reduce(into: [:]) { sums, row in
                    guard let outcome = UsageOutcome(rawValue: try row.requiredText("outcome")) else { return }
                    sums[outcome] = Int(try row.requiredNumber("count"))
                }
            }
        }
    }

    package func removeOldUsage(keeping retention: Duration, now: Timestamp) async throws {
        try await remove(Self.oldUsage(keeping: retention), now: now)
        try await remove(Self.oldWriters, now: now)
    }

    private static func oldUsage(keeping retention: Duration) -> OldRows {
        OldRows(
            find: UsageSQL.old, bounds: { [.time($0.advanced(by: .zero - retention))] }, remove: UsageSQL.remove,
            key: usageKey)
    }

    /// How long the number of a process's last batch is kept: longer than one tries to write a batch.
    private static let writerMemory: Duration = .seconds(7 * 86_400)

    private static let oldWriters = OldRows(
        find: UsageSQL.oldWriters, bounds: { [.time($0.advanced(by: .zero - writerMemory))] },
        remove: UsageSQL.removeWriter, key: { [.text(try $0.requiredText("id"))] })

    private static func usageKey(_ row: any StoredRow) throws -> [SQLValue] {
        [
            .text(try row.requiredText("user_id")), .number(try row.requiredNumber("quarter")),
            .text(try row.requiredText("key_id")), .text(try row.requiredText("outcome")),
        ]
    }

    /// Removes a part of the usage of an account that was deleted.
    ///
    /// - Returns: whether more may be left.
    static func eraseUsage(of user: SQLValue, atMost count: Int, _ connection: any SQLConnection) throws -> Bool {
        let found = SQLStatement(UsageSQL.ofUser, [user, .number(count)])
        let locked = try connection.lock([(found, .replace)]).first ?? []
        try connection.executeMany(UsageSQL.remove, locked.map(usageKey))
        return locked.count == count
    }
}
