package import Keybearer
import KeybearerSQL

extension PostgresEngine {
    /// Under a shared lock on the counter: no change can commit between the look and the row. In a transaction, whose
    /// commit notices when the wait for a standby was cancelled: a row that a failover loses is waited for by nobody.
    package func registerNode(
        _ id: NodeID, label: String, version: String, lease: Duration
    ) async throws -> ChangeLogPosition {
        try await fence(.write) { connection in
            let register = Statement(
                """
                WITH newest AS (SELECT number, mark FROM fence_counter FOR SHARE),
                registered AS (
                    INSERT INTO nodes (id, label, version, acknowledged, renewals, lease_ms)
                    SELECT $1, $2, $4, number, 0, $3 FROM newest
                    ON CONFLICT (id) DO UPDATE
                    SET label = excluded.label, version = excluded.version, acknowledged = excluded.acknowledged,
                        renewals = nodes.renewals + 1, lease_ms = excluded.lease_ms
                )
                SELECT number, mark FROM newest
                """,
                [.text(id.rawValue), .text(label), .number(lease.wholeMilliseconds), .text(version)])
            let (_, results) = try connection.transaction { _ in ((), [register]) }
            guard let row = results.first?.first else { throw KeybearerError.unreadable("fence_counter") }
            return try StoredValues.position(row)
        }
    }

    /// Under a shared lock on the counter, which a change that is being committed holds alone: a renewal waits for it
    /// and then reads its number.
    package func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal {
        try await fence(.write) { connection in
            let renewed = try connection.execute(
                """
                WITH newest AS (SELECT number, mark FROM fence_counter FOR SHARE)
                UPDATE nodes SET acknowledged = newest.number, renewals = renewals + 1 FROM newest
                WHERE nodes.id = $1 AND newest.number = $2 AND newest.mark = $3
                """,
                [.text(id.rawValue), .number(applied.number), .text(applied.nonce)])
            if renewed.touched == 1 { return .renewed }
            let isRegistered = try connection.execute("SELECT 1 FROM nodes WHERE id = $1", [.text(id.rawValue)])
            guard isRegistered.first != nil else { return .unknownNode }
            let isSameHistory =
                try ChangeLog.changes(
                    after: applied, limit: 1, PostgresTransaction(connection: connection, clock: .caller)) != nil
            return isSameHistory ? .behind : .unknownNode
        }
    }

    package func changes(after position: ChangeLogPosition, limit: Int) async throws -> [Change]? {
        try await fence(.read) {
            try ChangeLog.changes(
                after: position, limit: limit, PostgresTransaction(connection: $0, clock: .caller))
        }
    }
}

extension PostgresEngine {
    /// The position of the newest change.
    static let newest = Statement("SELECT number, mark FROM fence_counter")

    func newNonce() -> String { String(decoding: random.base62(count: 22), as: UTF8.self) }

    /// Numbers the changes of one transaction, and notes them: its last statement.
    ///
    /// - Parameter nonce: of the last one.
    func number(_ subjects: [Change.Subject], _ nonce: String, _ time: Timestamp) -> Statement {
        if subjects.count == 1 { return Self.number(subjects[0], nonce, time) }
        let stored = subjects.map { StoredValues.storedForm($0) }
        let nonces = stored.dropLast().map { _ in SQLValue.text(newNonce()) } + [.text(nonce)]
        return Statement(
            """
            WITH counted AS (
                UPDATE fence_counter SET number = number + $1, mark = $2 RETURNING number
            ), noted AS (
                INSERT INTO changes (number, mark, subject_kind, subject_id, at)
                SELECT counted.number - $1 + wanted.place, wanted.mark, wanted.kind, wanted.id, $6
                FROM counted, unnest($3::text[], $4::text[], $5::text[])
                    WITH ORDINALITY AS wanted (mark, kind, id, place)
            )
            SELECT number FROM counted
            """,
            [
                .number(Int64(subjects.count)), .text(nonce), .array(nonces), .array(stored.map { .text($0.kind) }),
                .array(stored.map { .optional($0.id) }), .number(time.millisecondsSinceEpoch),
            ])
    }

    /// Numbers one change.
    static func number(_ subject: Change.Subject, _ nonce: String, _ time: Timestamp) -> Statement {
        let (kind, id) = StoredValues.storedForm(subject)
        return Statement(
            """
            WITH counted AS (
                UPDATE fence_counter SET number = number + 1, mark = $1 RETURNING number
            ), noted AS (
                INSERT INTO changes (number, mark, subject_kind, subject_id, at)
                SELECT number, $1, $2, $3, $4 FROM counted
            )
            SELECT number FROM counted
            """,
            [.text(nonce), .text(kind), .optional(id), .number(time.millisecondsSinceEpoch)])
    }

    /// Reads the number that a committed change took, and tells the nodes that there is something new.
    static func announce(
        _ last: [PostgresResult], _ nonce: String, taking count: Int, _ connection: PostgresConnection
    ) throws -> ChangeLogPosition {
        guard let number = try last.last?.first?.requiredNumber("number") else {
            throw KeybearerError.unreadable("fence_counter.number")
        }
        notifyNodes(connection)
        // A failure leaves old rows for the next time.
        try? ChangeLog.prune(behind: number, taking: count, PostgresTransaction(connection: connection, clock: .caller))
        return ChangeLogPosition(number: number, nonce: nonce)
    }

    /// A hint that fails, or that the server does not know, is no failure of what it hints at.
    static func notifyNodes(_ connection: PostgresConnection) {
        _ = try? connection.execute("SELECT pg_notify($1, '')", [.text(PostgresListener.channel)])
    }
}
