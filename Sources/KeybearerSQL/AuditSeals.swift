package import Keybearer

/// The columns of a stored audit event, for the engines' own statements.
package enum AuditColumns {
    package static let select = """
        SELECT sequence, id, at, actor, action, user_id, workspace_id, address, detail, user_agent, request_id, via,
               old_value, new_value, position, seal_key_id, salt, commitment, seal
        FROM audit_events
        """
}

enum AuditSealSQL {
    static let anyUnsealed = SQL("SELECT sequence FROM audit_events WHERE position IS NULL LIMIT 1")
    static let chain = SQL(
        """
        SELECT position, seal, checkpoint_position, checkpoint_seal, checkpoint_at, checkpoint_key_id,
               checkpoint_signature
        FROM audit_chain WHERE id = 1
        """)
    static let place = SQL(
        """
        UPDATE audit_events SET position = $2, seal_key_id = $3, salt = $4, commitment = $5, seal = $6
        WHERE sequence = $1
        """)
    static let moveChain = SQL("UPDATE audit_chain SET position = $1, seal = $2 WHERE id = 1")
    static let after = SQL("\(AuditColumns.select) WHERE position > $1 ORDER BY position LIMIT $2")
    static let oldest = SQL(
        "SELECT position, at, seal FROM audit_events WHERE position > $1 ORDER BY position LIMIT $2")
    static let remove = SQL("DELETE FROM audit_events WHERE position > $1 AND position <= $2")
    static let moveCheckpoint = SQL(
        """
        UPDATE audit_chain
        SET checkpoint_position = $1, checkpoint_seal = $2, checkpoint_at = $3, checkpoint_key_id = $4,
            checkpoint_signature = $5
        WHERE id = 1
        """)
    static let counts = SQL(
        """
        SELECT count(position) AS sealed,
               coalesce(sum(CASE WHEN position IS NOT NULL AND salt IS NULL THEN 1 ELSE 0 END), 0) AS erased,
               coalesce(sum(CASE WHEN position IS NULL THEN 1 ELSE 0 END), 0) AS waiting
        FROM audit_events
        """)
    static let keys = SQL("SELECT id, sealed_under, box FROM audit_keys ORDER BY id")
    static let putKey = SQL(
        """
        INSERT INTO audit_keys (id, sealed_under, box) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET sealed_under = excluded.sealed_under, box = excluded.box
        """)

    static let all = [
        anyUnsealed, chain, place, moveChain, after, oldest, remove, moveCheckpoint, counts, keys, putKey,
    ]
}

extension SQLStore {
    package func sealAuditEvents(atMost limit: Int, by key: AuditKey, random: RandomSource) async throws -> Int {
        // Most looks find nothing, and must not wait for anybody's lock.
        guard try await shortRead({ try $0.first(AuditSealSQL.anyUnsealed) != nil }) else { return 0 }
        return try await maintain { [settled = engine.settledAuditRows] connection in
            let chain = try Self.lockChain(connection)
            // Those who erase wait for these rows, or have them and are waited for.
            let found = try connection.lock([(SQLStatement(settled, [.number(limit)]), .update)]).first ?? []
            if found.isEmpty { return 0 }
            var (position, code) = (chain.position, chain.code)
            let rows = try found.map { row -> [SQLValue] in
                let record = try StoredValues.auditRecord(row)
                position += 1
                let seal = key.seal(record, at: position, behind: code, random: random)
                code = seal.code
                return [
                    .number(record.sequence), .number(position), .id(seal.keyID), .optional(seal.salt),
                    .bytes(seal.commitment), .bytes(seal.code),
                ]
            }
            try connection.executeMany(AuditSealSQL.place, rows)
            try connection.execute(AuditSealSQL.moveChain, [.number(position), .optional(code)])
            return found.count
        }
    }

    package func removeAuditEvents(before time: Timestamp, atMost limit: Int, by key: AuditKey) async throws -> Int {
        // Again without anybody's lock, where there is nothing to do.
        guard try await shortRead({ try Self.old(before: time, Self.chain($0), 1, $0) }) != nil else { return 0 }
        return try await maintain { connection in
            let chain = try Self.lockChain(connection)
            guard let old = try Self.old(before: time, chain, limit, connection) else { return 0 }
            let checkpoint = key.checkpoint(at: old.position, code: old.code, time: time)
            let removed = try connection.execute(
                AuditSealSQL.remove, [.number(chain.checkpoint?.position ?? 0), .number(old.position)])
            try connection.execute(
                AuditSealSQL.moveCheckpoint,
                [
                    .number(checkpoint.position), .bytes(checkpoint.code), .number(checkpoint.at),
                    .id(checkpoint.keyID), .bytes(checkpoint.signature),
                ])
            return removed
        }
    }

    /// The last of the oldest events that may go: all before it are older than the time, and one stays behind it.
    private static func old(
        before time: Timestamp, _ chain: AuditChain, _ limit: Int, _ connection: any SQLConnection
    ) throws -> (position: Int64, code: [UInt8])? {
        let first = chain.checkpoint?.position ?? 0
        var last: (Int64, [UInt8])?
        for row in try connection.rows(AuditSealSQL.oldest, [.number(first), .number(limit)]) {
            let position = try row.requiredNumber("position")
            guard try row.requiredNumber("at") < time.millisecondsSinceEpoch, position < chain.position else { break }
            last = (position, try row.requiredBytes("seal"))
        }
        return last
    }

    package func auditRecords(after position: Int64, limit: Int) async throws -> [AuditRecord] {
        try await engine.read { connection in
            try connection.rows(AuditSealSQL.after, [.number(position), .number(max(0, limit))])
                .map { try StoredValues.auditRecord($0) }
        }
    }

    package func auditChain() async throws -> AuditChain { try await shortRead { try Self.chain($0) } }

    package func auditCounts() async throws -> (sealed: Int, erased: Int, waiting: Int) {
        try await engine.read { connection in
            guard let row = try connection.first(AuditSealSQL.counts) else { return (0, 0, 0) }
            return (
                Int(try row.requiredNumber("sealed")), Int(try row.requiredNumber("erased")),
                Int(try row.requiredNumber("waiting"))
            )
        }
    }

    package func auditKeys() async throws -> [KeptAuditKey] {
        try await shortRead { connection in
            try connection.rows(AuditSealSQL.keys).map { row in
                KeptAuditKey(
                    id: MasterKeyID(rawValue: try row.requiredText("id")),
                    sealedUnder: MasterKeyID(rawValue: try row.requiredText("sealed_under")),
                    box: try row.requiredBytes("box"))
            }
        }
    }

    package func putAuditKeys(_ keys: [KeptAuditKey]) async throws {
        if keys.isEmpty { return }
        let rows = keys.sorted { $0.id < $1.id }.map { [SQLValue.id($0.id), .id($0.sealedUnder), .bytes($0.box)] }
        try await maintain { try $0.executeMany(AuditSealSQL.putKey, rows) }
    }

    private static func chain(_ connection: any SQLConnection) throws -> AuditChain {
        try StoredValues.auditChain(try connection.first(AuditSealSQL.chain))
    }

    /// Whoever moves an end of the chain holds its row.
    private static func lockChain(_ connection: any SQLConnection) throws -> AuditChain {
        try StoredValues.auditChain(try connection.lock([(SQLStatement(AuditSealSQL.chain), .update)]).first?.first)
    }
}
