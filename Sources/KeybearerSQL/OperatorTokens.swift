package import Keybearer

enum OperatorTokenSQL {
    static let insert = SQL(
        """
        INSERT INTO operator_tokens (id, name, scopes, digest, tag_key_id, created_at, expires_at, shown_prefix)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """)
    private static let columns = """
        SELECT id, name, scopes, created_at, expires_at, shown_prefix, last_used_at, last_used_ip FROM operator_tokens
        """
    /// For one that was revoked, and whose row waits for those who still use it.
    static let isNotEnded = "NOT EXISTS (SELECT 1 FROM ended_operator_tokens e WHERE e.id = operator_tokens.id)"
    static let byDigest = SQL("\(columns) WHERE digest = $1 AND \(isNotEnded)")
    static let byID = SQL("\(columns) WHERE id = $1")
    static let recordUse = SQL("UPDATE operator_tokens SET last_used_at = $1, last_used_ip = $2 WHERE id = $3")
    static let untagged = SQL(
        "SELECT digest FROM operator_tokens WHERE tag_key_id IS NULL ORDER BY created_at DESC, id LIMIT $1")
    static let list = SQL("\(columns) ORDER BY created_at, id")
    static let markEnded = SQL(
        "INSERT INTO ended_operator_tokens (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
    static let removeMark = SQL("DELETE FROM ended_operator_tokens WHERE id = $1")
    static let delete = SQL("DELETE FROM operator_tokens WHERE id = $1")

    static let all = [insert, byDigest, byID, recordUse, untagged, list, markEnded, removeMark, delete]
}

extension SQLStore {
    package func createOperatorToken(
        _ record: OperatorToken, token: MintedToken, by authority: Authority, audit: AuditEvent
    ) async throws {
        let locks = RowLocks([(.masterKey(token.tagKeyID), .share)])
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            try locked.requireTag(of: token.tagKeyID, connection)
            try connection.execute(
                OperatorTokenSQL.insert,
                [
                    .id(record.id), .text(record.name),
                    .text(record.scopes.sorted().map(\.rawValue).joined(separator: " ")), .bytes(token.digest),
                    .id(token.tagKeyID), .time(record.createdAt), record.expiresAt.map { .time($0) } ?? .null,
                    .optional(record.shownPrefix),
                ])
            return .changes((), with: [])
        }
    }

    package func operatorToken(digest: [UInt8], now: Timestamp) async throws -> OperatorToken? {
        try await shortRead { connection in
            let (rows, now) = try connection.rowsAndTime(OperatorTokenSQL.byDigest, [.bytes(digest)], caller: now)
            let token = try rows.first.map { try StoredValues.operatorToken($0) }
            return token.flatMap { token in token.expiresAt.map { now < $0 } ?? true ? token : nil }
        }
    }

    package func recordUse(of id: OperatorTokenID, _ use: LastUse) async throws {
        try await maintain {
            try $0.execute(OperatorTokenSQL.recordUse, [.time(use.at), .text(use.address.description), .id(id)])
        }
    }

    package func untaggedOperatorTokens(limit: Int) async throws -> [[UInt8]] {
        try await shortRead { connection in
            try connection.rows(OperatorTokenSQL.untagged, [.number(limit)]).map { try $0.requiredBytes("digest") }
        }
    }

    package func operatorTokens() async throws -> [OperatorToken] {
        try await engine.read { connection in
            try connection.rows(OperatorTokenSQL.list).map { try StoredValues.operatorToken($0) }
        }
    }

    /// In two transactions. Writers hold the token's row with a lock that they share, so while one overlaps the next, its
    /// row is never free. The mark needs no lock; whoever sees it takes none. So the writers that are left end soon, and
    /// the row can go, with the audit row behind theirs. What returned before that would let them commit behind it.
    ///
    /// Between the two, and where the second one fails, the token is refused, and is listed still: it can be revoked
    /// again.
    package func revokeOperatorToken(
        _ id: OperatorTokenID, by authority: Authority, audit: AuditEvent
    ) async throws {
        try await write(by: authority, audit: audit) { connection, _ in
            guard try connection.first(OperatorTokenSQL.byID, [.id(id)]) != nil else {
                throw KeybearerError.noSuchOperatorToken
            }
            try connection.execute(OperatorTokenSQL.markEnded, [.id(id), .time(audit.at)])
            // Committed without an audit row, which the removal writes.
            return .nothing(())
        }
        for _ in 1..<Self.removalAttempts {
            do {
                return try await removeToken(id, by: authority, audit: audit)
            } catch let error as KeybearerError where error.storeFailure?.isLockConflict == true {
                continue
            }
        }
        try await removeToken(id, by: authority, audit: audit)
    }

    /// Each waits for a fifth of a lease or more: together for longer than any transaction takes.
    private static let removalAttempts = 30

    private func removeToken(_ id: OperatorTokenID, by authority: Authority, audit: AuditEvent) async throws {
        try await write(by: authority, audit: audit) { connection, _ in
            guard try connection.execute(OperatorTokenSQL.delete, [.id(id)]) == 1 else {
                throw KeybearerError.noSuchOperatorToken
            }
            // The sessions that its portal links opened end with it.
            try connection.lock([(SQLStatement(SessionSQL.ofToken, [.id(id)]), .replace)])
            try connection.execute(SessionSQL.endOfToken, [.id(id)])
            try connection.execute(OperatorTokenSQL.removeMark, [.id(id)])
            return .changes((), with: [])
        }
    }
}
