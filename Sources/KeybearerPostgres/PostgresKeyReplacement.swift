public import Keybearer

extension PostgresStore {
    /// How long an idempotency key is remembered.
    private static let regenerationMemory: Duration = .seconds(24 * 3600)

    public func replaceKey(_ replacement: KeyReplacement, audit: AuditEvent) async throws -> KeyReplacementOutcome {
        let mark = newMark()
        return try await write { connection in
            let (settled, last) = try connection.transaction { connection -> (KeyReplacementOutcome?, [Statement]) in
                if let settled = try Self.outcomeWithoutChange(replacement, connection) { return (settled, []) }
                guard try Self.putKey(replacement, connection) else { return (.versionMoved, []) }
                let number = Self.number(
                    .user(replacement.userID), mark, audit.at, alongside: Self.remembering(replacement))
                return (nil, [Self.record(audit), number])
            }
            if let settled { return settled }
            let position = try Self.announce(last, mark, connection)
            if replacement.idempotencyDigest != nil { Self.forgetOldRegenerations(replacement, connection) }
            return .replaced(position)
        }
    }

    public func replacement(of userID: UserID, idempotencyDigest: [UInt8]) async throws -> KeyReplacementOutcome? {
        try await read { try Self.earlierOutcome(of: userID, idempotencyDigest, since: .min, $0) }
    }

    private static func outcomeWithoutChange(
        _ replacement: KeyReplacement, _ connection: PostgresConnection
    ) throws -> KeyReplacementOutcome? {
        guard try exists(replacement.userID, connection) else { return .noSuchUser }
        return try replacement.idempotencyDigest.flatMap {
            try earlierOutcome(of: replacement.userID, $0, since: oldestRemembered(replacement), connection)
        }
    }

    /// Replaces the row if it still has the version before: of two callers at once the second waits for the first and
    /// then finds another version.
    private static func putKey(_ replacement: KeyReplacement, _ connection: PostgresConnection) throws -> Bool {
        let result = try connection.execute(
            """
            WITH \(sealingAllowed("$5"))
            UPDATE api_keys
            SET key_id = $1, version = $2, shown_prefix = $3, digest = $4, master_key_id = $5, box = $6,
                generated_at = $7, last_used_at = NULL, last_used_ip = NULL
            FROM allowed WHERE user_id = $8 AND version = $2 - 1
            """,
            [
                .text(replacement.key.id.rawValue), .number(replacement.key.version),
                .text(replacement.key.shownPrefix), .bytes(replacement.sealed.digest),
                .text(replacement.sealed.masterKeyID.rawValue), .bytes(replacement.sealed.box),
                .number(replacement.key.generatedAt.millisecondsSinceEpoch), .text(replacement.userID.rawValue),
            ])
        if result.touched == 1 { return true }
        let allowed = try connection.execute(
            "WITH \(sealingAllowed("$1")) SELECT 1 FROM allowed", [.text(replacement.sealed.masterKeyID.rawValue)])
        guard allowed.first != nil else { throw KeybearerError.masterKeysRotated }
        return false
    }

    private static func earlierOutcome(
        of userID: UserID, _ idempotencyDigest: [UInt8], since oldest: Int64, _ connection: PostgresConnection
    ) throws -> KeyReplacementOutcome? {
        try connection.execute(
            """
            SELECT r.key_id, r.change_number, r.change_mark, r.key_id = k.key_id AS is_live
            FROM key_regenerations r JOIN api_keys k ON k.user_id = r.user_id
            WHERE r.user_id = $1 AND r.idempotency_digest = $2 AND r.at >= $3
            """,
            [.text(userID.rawValue), .bytes(idempotencyDigest), .number(oldest)]
        ).first.map { try StoredValues.earlierOutcome($0) }
    }

    /// The row that a replay finds, made of the number in the same statement that takes it.
    private static func remembering(
        _ replacement: KeyReplacement
    ) -> (sql: String, parameters: [PostgresValue])? {
        guard let digest = replacement.idempotencyDigest else { return nil }
        return (
            """
            remembered AS (
                INSERT INTO key_regenerations (user_id, idempotency_digest, key_id, change_number, change_mark, at)
                SELECT $5, $6, $7, number, $1, $8 FROM counted
                -- One that is too old to be replayed and not yet removed.
                ON CONFLICT (user_id, idempotency_digest) DO UPDATE
                SET key_id = excluded.key_id, change_number = excluded.change_number,
                    change_mark = excluded.change_mark, at = excluded.at
            )
            """,
            [
                .text(replacement.userID.rawValue), .bytes(digest), .text(replacement.key.id.rawValue),
                .number(replacement.key.generatedAt.millisecondsSinceEpoch),
            ]
        )
    }

    /// Behind the change and for itself: what is locked or fails is left for the next time.
    private static func forgetOldRegenerations(_ replacement: KeyReplacement, _ connection: PostgresConnection) {
        _ = try? connection.execute(
            """
            DELETE FROM key_regenerations WHERE (user_id, idempotency_digest) IN (
                SELECT user_id, idempotency_digest FROM key_regenerations WHERE at < $1
                LIMIT 100 FOR UPDATE SKIP LOCKED)
            """, [.number(oldestRemembered(replacement))])
    }

    /// Milliseconds since the Unix epoch.
    private static func oldestRemembered(_ replacement: KeyReplacement) -> Int64 {
        replacement.key.generatedAt.millisecondsSinceEpoch - regenerationMemory.wholeMilliseconds
    }
}
