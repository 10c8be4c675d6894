import GRDB
public import Keybearer

extension SQLiteStore {
    /// How many changes are kept at least, so that a node that fell behind can still catch up.
    static let keptChanges: Int64 = 10_000
    /// Older ones are removed this many at a time.
    private static let prunedAtOnce: Int64 = 1_000

    public func registerNode(_ id: NodeID, label: String, lease: Duration) async throws -> ChangePosition {
        try await write { db in
            let newest = try Self.newestPosition(db)
            try db.executeCached(
                sql: """
                    INSERT INTO nodes (id, label, acknowledged, renewals, lease_ms)
                    VALUES (:id, :label, :number, 0, :lease)
                    ON CONFLICT (id) DO UPDATE
                    SET label = excluded.label, acknowledged = excluded.acknowledged, renewals = renewals + 1,
                        lease_ms = excluded.lease_ms
                    """,
                arguments: [
                    "id": id.rawValue, "label": label, "number": newest.number, "lease": lease.wholeMilliseconds,
                ])
            return newest
        }
    }

    /// The write lock stands in for a lock on the counter: no change can commit between the look and the renewal.
    public func renewLease(of id: NodeID, applied: ChangePosition) async throws -> LeaseRenewal {
        try await write { db in
            let newest = try Self.newestPosition(db)
            if newest == applied {
                try db.executeCached(
                    sql: "UPDATE nodes SET acknowledged = ?, renewals = renewals + 1 WHERE id = ?",
                    arguments: [applied.number, id.rawValue])
                return db.changesCount == 1 ? .renewed : .unknownNode
            }
            let isRegistered = try Bool.fetchOne(
                db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM nodes WHERE id = ?)"), arguments: [id.rawValue])
            let isSameHistory = try Self.changes(after: applied, limit: 1, db) != nil
            return isRegistered == true && isSameHistory ? .behind : .unknownNode
        }
    }

    public func recordChange(of subject: Change.Subject, audit: AuditEvent) async throws -> ChangePosition {
        try await change(subject, audit: audit) { _ in }
    }

    public func changes(after position: ChangePosition, limit: Int) async throws -> [Change]? {
        try readShort { db in try Self.changes(after: position, limit: limit, db) }
    }

    public func nodes(behind number: Int64) async throws -> [(id: NodeID, lease: Duration)] {
        try readShort { db in
            try Row.fetchAll(
                db.cachedStatement(sql: "SELECT id, lease_ms FROM nodes WHERE acknowledged < ?"), arguments: [number]
            ).map { (NodeID(rawValue: $0["id"]), .milliseconds($0["lease_ms"] as Int64)) }
        }
    }

    public func expelNodes(_ ids: [NodeID], behind number: Int64) async throws {
        try await write { db in
            for id in ids {
                try db.executeCached(
                    sql: "DELETE FROM nodes WHERE id = ? AND acknowledged < ?", arguments: [id.rawValue, number])
            }
        }
    }

    public func unregisterNode(_ id: NodeID) async throws {
        try await write { db in
            try db.executeCached(sql: "DELETE FROM nodes WHERE id = ?", arguments: [id.rawValue])
        }
    }

    public func nodes() async throws -> [RegisteredNode] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM nodes ORDER BY id").map { try StoredValues.node($0) }
        }
    }
}

extension SQLiteStore {
    /// Runs a write transaction that ends with its audit row and its number in the fence.
    func change(
        _ subject: Change.Subject, audit: AuditEvent, _ body: @escaping @Sendable (Database) throws -> Void
    ) async throws -> ChangePosition {
        try await write { [self] db in
            try body(db)
            return try conclude(subject, audit: audit, db)
        }
    }

    /// Writes the audit row of a change and, as the last statement of the transaction, its number.
    func conclude(_ subject: Change.Subject, audit: AuditEvent, _ db: Database) throws -> ChangePosition {
        try Self.record(audit, db)
        let position = try nextPosition(db)
        try Self.append(subject, at: position, audit.at, db)
        return position
    }

    /// The newest change; number 0 with an empty mark before the first.
    static func newestPosition(_ db: Database) throws -> ChangePosition {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT number, mark FROM changes ORDER BY number DESC LIMIT 1"))
        return try row.map { try StoredValues.position($0) } ?? ChangePosition(number: 0, mark: "")
    }

    /// The number after the newest, with a mark of 131 random bits. Only within a write transaction does it stay free.
    func nextPosition(_ db: Database) throws -> ChangePosition {
        ChangePosition(number: try Self.newestPosition(db).number + 1, mark: newMark())
    }

    func newMark() -> String { String(decoding: random.base62(count: 22), as: UTF8.self) }

    /// Writes a change: the last statement of its transaction.
    static func append(
        _ subject: Change.Subject, at position: ChangePosition, _ time: Timestamp, _ db: Database
    ) throws {
        if position.number % prunedAtOnce == 0 {
            try db.executeCached(
                sql: "DELETE FROM changes WHERE number <= ?", arguments: [position.number - keptChanges])
        }
        let (kind, id) = StoredValues.storedForm(subject)
        try db.executeCached(
            sql: "INSERT INTO changes (number, mark, subject_kind, subject_id, at) VALUES (?, ?, ?, ?, ?)",
            arguments: [position.number, position.mark, kind, id, time.milliseconds])
    }

    private static func changes(after position: ChangePosition, limit: Int, _ db: Database) throws -> [Change]? {
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT number, mark, subject_kind, subject_id FROM changes
                    WHERE number >= ? ORDER BY number LIMIT ?
                    """),
            arguments: [position.number, min(max(0, limit), 100_000) + 1])
        return try StoredValues.changes(after: position, limit: limit, of: rows)
    }
}
