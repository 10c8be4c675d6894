public import Keybearer

extension PostgresStore {
    /// How many changes are kept at least, so that a node that fell behind can still catch up.
    static let keptChanges: Int64 = 10_000
    /// Older ones are removed this many at a time.
    private static let prunedAtOnce: Int64 = 1_000

    /// Under a shared lock on the counter: no change can commit between the look and the row. In a transaction, whose
    /// commit notices when the wait for a standby was cancelled: a row that a failover loses is waited for by nobody.
    public func registerNode(_ id: NodeID, label: String, lease: Duration) async throws -> ChangePosition {
        try await fence(.write) { connection in
            let register = Statement(
                """
                WITH newest AS (SELECT number, mark FROM fence_counter FOR SHARE),
                registered AS (
                    INSERT INTO nodes (id, label, acknowledged, renewals, lease_ms)
                    SELECT $1, $2, number, 0, $3 FROM newest
                    ON CONFLICT (id) DO UPDATE
                    SET label = excluded.label, acknowledged = excluded.acknowledged,
                        renewals = nodes.renewals + 1, lease_ms = excluded.lease_ms
                )
                SELECT number, mark FROM newest
                """,
                [.text(id.rawValue), .text(label), .number(lease.wholeMilliseconds)])
            let (_, results) = try connection.transaction { _ in ((), [register]) }
            guard let row = results.first?.first else { throw KeybearerError.unreadable("fence_counter") }
            return try StoredValues.position(row)
        }
    }

    /// Under a shared lock on the counter, which a change that is being committed holds alone: a renewal waits for it
    /// and then reads its number.
    public func renewLease(of id: NodeID, applied: ChangePosition) async throws -> LeaseRenewal {
        try await fence(.write) { connection in
            let renewed = try connection.execute(
                """
                WITH newest AS (SELECT number, mark FROM fence_counter FOR SHARE)
                UPDATE nodes SET acknowledged = newest.number, renewals = renewals + 1 FROM newest
                WHERE nodes.id = $1 AND newest.number = $2 AND newest.mark = $3
                """,
                [.text(id.rawValue), .number(applied.number), .text(applied.mark)])
            if renewed.touched == 1 { return .renewed }
            let isRegistered = try connection.execute("SELECT 1 FROM nodes WHERE id = $1", [.text(id.rawValue)])
            guard isRegistered.first != nil else { return .unknownNode }
            let isSameHistory = try Self.changes(after: applied, limit: 1, connection) != nil
            return isSameHistory ? .behind : .unknownNode
        }
    }

    public func recordChange(of subject: Change.Subject, audit: AuditEvent) async throws -> ChangePosition {
        try await change(subject, audit: audit) { _ in }
    }

    public func changes(after position: ChangePosition, limit: Int) async throws -> [Change]? {
        try await fence(.read) { try Self.changes(after: position, limit: limit, $0) }
    }

    public func nodes(behind number: Int64) async throws -> [(id: NodeID, lease: Duration)] {
        try await fence(.read) { connection in
            try connection.execute("SELECT id, lease_ms FROM nodes WHERE acknowledged < $1", [.number(number)])
                .rows.map { row in
                    (
                        NodeID(rawValue: try row.requiredText("id")),
                        .milliseconds(try row.requiredNumber("lease_ms"))
                    )
                }
        }
    }

    public func expelNodes(_ ids: [NodeID], behind number: Int64) async throws {
        try await fence(.write) { connection in
            _ = try connection.execute(
                "DELETE FROM nodes WHERE id = ANY ($1) AND acknowledged < $2",
                [.texts(ids.map(\.rawValue)), .number(number)])
        }
    }

    public func unregisterNode(_ id: NodeID) async throws {
        try await fence(.write) { connection in
            _ = try connection.execute("DELETE FROM nodes WHERE id = $1", [.text(id.rawValue)])
        }
    }

    public func nodes() async throws -> [RegisteredNode] {
        try await read { connection in
            try connection.execute("SELECT id, label, acknowledged, renewals, lease_ms FROM nodes ORDER BY id")
                .rows.map { try StoredValues.node($0) }
        }
    }
}

extension PostgresStore {
    /// Runs a transaction that ends with its audit row and its number in the fence, both in one round trip with the
    /// commit. The hint follows the commit: whether it is heard changes nothing.
    func change(
        _ subject: Change.Subject, audit: AuditEvent, _ body: @escaping @Sendable (PostgresConnection) throws -> Void
    ) async throws -> ChangePosition {
        try await change(subject, audit: audit) { connection in
            try body(connection)
            return ()
        }.position
    }

    /// The same for a body that answers something.
    func change<Value: Sendable>(
        _ subject: Change.Subject, audit: AuditEvent,
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> (value: Value, position: ChangePosition) {
        let mark = newMark()
        return try await write { connection in
            let (value, last) = try connection.transaction { connection in
                (try body(connection), [Self.record(audit), Self.number(subject, mark, audit.at)])
            }
            return (value, try Self.announce(last, mark, connection))
        }
    }

    func newMark() -> String { String(decoding: random.base62(count: 22), as: UTF8.self) }

    /// Numbers a change, and notes it: the last statement of its transaction.
    ///
    /// - Parameter alongside: further parts of the statement that use the number, and their parameters from `$5` on.
    static func number(
        _ subject: Change.Subject, _ mark: String, _ time: Timestamp,
        alongside: (sql: String, parameters: [PostgresValue])? = nil
    ) -> Statement {
        let (kind, id) = StoredValues.storedForm(subject)
        return Statement(
            """
            WITH counted AS (
                UPDATE fence_counter SET number = number + 1, mark = $1 RETURNING number
            ), noted AS (
                INSERT INTO changes (number, mark, subject_kind, subject_id, at)
                SELECT number, $1, $2, $3, $4 FROM counted
            )\(alongside.map { ", \($0.sql)" } ?? "")
            SELECT number FROM counted
            """,
            [.text(mark), .text(kind), .optional(id), .number(time.millisecondsSinceEpoch)]
                + (alongside?.parameters ?? []))
    }

    /// Reads the number that a committed change took, and tells the nodes that there is something new.
    static func announce(
        _ last: [PostgresResult], _ mark: String, _ connection: PostgresConnection
    ) throws -> ChangePosition {
        guard let number = try last.last?.first?.requiredNumber("number") else {
            throw KeybearerError.unreadable("fence_counter.number")
        }
        hint(connection)
        if number % prunedAtOnce == 0 {
            // A failure leaves old rows for the next time.
            _ = try? connection.execute("DELETE FROM changes WHERE number <= $1", [.number(number - keptChanges)])
        }
        return ChangePosition(number: number, mark: mark)
    }

    /// A hint that fails, or that the server does not know, is no failure of what it hints at.
    static func hint(_ connection: PostgresConnection) {
        _ = try? connection.execute("SELECT pg_notify($1, '')", [.text(PostgresListener.channel)])
    }

    private static func changes(
        after position: ChangePosition, limit: Int, _ connection: PostgresConnection
    ) throws -> [Change]? {
        let rows = try connection.execute(
            """
            SELECT number, mark, subject_kind, subject_id FROM changes
            WHERE number >= $1 ORDER BY number LIMIT $2
            """,
            [.number(position.number), .number(min(max(0, limit), 100_000) + 1)]
        ).rows
        return try StoredValues.changes(after: position, limit: limit, of: rows)
    }
}
