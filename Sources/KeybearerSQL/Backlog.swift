package import Keybearer

enum BacklogSQL {
    static let sessions = SQL("SELECT count(*) AS count FROM (SELECT 1 AS one FROM sessions LIMIT $1) AS counted")
    static let mails = SQL(
        """
        SELECT count(*) AS count, min(at) AS first FROM (
            SELECT at FROM mails WHERE next_attempt_at IS NOT NULL ORDER BY next_attempt_at LIMIT $1
        ) AS counted
        """)
    static let newMessages = SQL(
        """
        SELECT count(*) AS count, min(created_at) AS first FROM (
            SELECT created_at FROM webhook_messages WHERE spread_at IS NULL ORDER BY created_at, id LIMIT $1
        ) AS counted
        """)
    /// Of webhooks that get messages now: neither disabled nor paused after failures.
    static let deliveries = SQL(
        """
        SELECT count(*) AS count, min(due_at) AS first FROM (
            SELECT d.due_at FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
            WHERE d.due_at IS NOT NULL AND e.state = 'enabled' AND (e.paused_until IS NULL OR e.paused_until <= $2)
            LIMIT $1
        ) AS counted
        """)
    static let all = [sessions, mails, newMessages, deliveries]
}

extension SQLStore {
    package var observation: StoreObservation { engine.observation }
    package var connections: StoreConnections? { engine.connections }

    package func backlog(now: Timestamp) async throws -> StoreBacklog {
        let most = SQLValue.number(StoreBacklog.mostCounted)
        return try await engine.read { connection in
            let now = try connection.now(now)
            func queue(_ sql: SQL, _ parameters: [SQLValue]) throws -> StoreBacklog.Queue {
                guard let row = try connection.first(sql, parameters) else { return .init(count: 0, age: .zero) }
                let first = row.number("first").map { Timestamp(millisecondsSinceEpoch: $0) }
                return StoreBacklog.Queue(
                    count: Int(try row.requiredNumber("count")), age: max(.zero, first?.duration(to: now) ?? .zero))
            }
            let sessions = try connection.first(BacklogSQL.sessions, [most])
            return StoreBacklog(
                sessions: Int(try sessions?.requiredNumber("count") ?? 0), mails: try queue(BacklogSQL.mails, [most]),
                newMessages: try queue(BacklogSQL.newMessages, [most]),
                deliveries: try queue(BacklogSQL.deliveries, [most, .time(now)]))
        }
    }
}
