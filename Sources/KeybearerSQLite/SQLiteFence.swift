import GRDB
package import Keybearer
import KeybearerSQL

extension SQLiteEngine {
    package func registerNode(
        _ id: NodeID, label: String, version: String, lease: Duration
    ) async throws -> ChangeLogPosition {
        try watch.step()
        return try await writeRaw { db in
            let newest = try Self.newestPosition(db)
            try db.executeCached(
                sql: """
                    INSERT INTO nodes (id, label, version, acknowledged, renewals, lease_ms)
                    VALUES (:id, :label, :version, :number, 0, :lease)
                    ON CONFLICT (id) DO UPDATE
                    SET label = excluded.label, version = excluded.version, acknowledged = excluded.acknowledged,
                        renewals = renewals + 1, lease_ms = excluded.lease_ms
                    """,
                arguments: [
                    "id": id.rawValue, "label": label, "version": version, "number": newest.number,
                    "lease": lease.wholeMilliseconds,
                ])
            return newest
        }
    }

    /// The write lock takes the place of a lock on the counter: no change can commit between the look and the renewal.
    package func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal {
        try await writeRaw { db in
            let newest = try Self.newestPosition(db)
            if newest == applied {
                try db.executeCached(
                    sql: "UPDATE nodes SET acknowledged = ?, renewals = renewals + 1 WHERE id = ?",
                    arguments: [applied.number, id.rawValue])
                return db.changesCount == 1 ? .renewed : .unknownNode
            }
            let isRegistered = try Bool.fetchOne(
                db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM nodes WHERE id = ?)"), arguments: [id.rawValue])
            let isSameHistory = try ChangeLog.changes(after: applied, limit: 1, SQLiteConnection(db: db)) != nil
            return isRegistered == true && isSameHistory ? .behind : .unknownNode
        }
    }

    package func changes(after position: ChangeLogPosition, limit: Int) async throws -> [Change]? {
        try watch.step()
        return try await withTaskExecutorPreference(executor) {
            try readShort { try ChangeLog.changes(after: position, limit: limit, SQLiteConnection(db: $0)) }
        }
    }

    /// Waits out the span: a file gives no notifications.
    package func waitForNotification(atMost span: Duration) async { try? await Task.sleep(for: span) }
}

extension SQLiteEngine {
    /// The newest change; number 0 with an empty mark before the first.
    static func newestPosition(_ db: Database) throws -> ChangeLogPosition {
        let row = try SQLiteConnection(db: db).first(newest)
        return try row.map { try StoredValues.position($0) } ?? ChangeLogPosition(number: 0, nonce: "")
    }

    private static let newest = SQL("SELECT number, mark FROM changes ORDER BY number DESC LIMIT 1")

    /// The number after the newest, with a mark of 131 random bits. Only within a write transaction does it stay free.
    func nextPosition(_ db: Database) throws -> ChangeLogPosition {
        ChangeLogPosition(number: try Self.newestPosition(db).number + 1, nonce: newNonce())
    }

    func newNonce() -> String { String(decoding: random.base62(count: 22), as: UTF8.self) }

    /// Writes a change: the last statement of its transaction.
    static func append(
        _ subject: Change.Subject, at position: ChangeLogPosition, _ time: Timestamp, _ db: Database
    ) throws {
        try ChangeLog.prune(behind: position.number, SQLiteConnection(db: db))
        let (kind, id) = StoredValues.storedForm(subject)
        try db.executeCached(
            sql: "INSERT INTO changes (number, mark, subject_kind, subject_id, at) VALUES (?, ?, ?, ?, ?)",
            arguments: [position.number, position.nonce, kind, id, time.millisecondsSinceEpoch])
    }
}
