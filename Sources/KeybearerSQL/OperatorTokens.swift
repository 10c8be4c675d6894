package import Keybearer

enum OperatorTokenSQL {
    static let insert = SQL(
        """
        INSERT INTO operator_tokens (id, name, scopes, digest, tag_key_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """)
    static let byDigest = SQL("SELECT id, name, scopes, created_at FROM operator_tokens WHERE digest = $1")
    static let untagged = SQL(
        "SELECT digest FROM operator_tokens WHERE tag_key_id IS NULL ORDER BY created_at DESC, id LIMIT $1")
    static let list = SQL("SELECT id, name, scopes, created_at FROM operator_tokens ORDER BY created_at, id")
    static let delete = SQL("DELETE FROM operator_tokens WHERE id = $1")

    static let all = [insert, byDigest, untagged, list, delete]
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
                    .id(token.tagKeyID), .time(record.createdAt),
                ])
            return .changes((), with: [])
        }
    }

    package func operatorToken(digest: [UInt8]) async throws -> OperatorToken? {
        try await shortRead { connection in
            try connection.first(OperatorTokenSQL.byDigest, [.bytes(digest)]).map { try StoredValues.operatorToken($0) }
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

    package func revokeOperatorToken(
        _ id: OperatorTokenID, by authority: Authority, audit: AuditEvent
    ) async throws {
        let locks = RowLocks([(.operatorToken(id), .replace)])
        try await write(by: authority, audit: audit, locking: locks) { connection, _ in
            guard try connection.execute(OperatorTokenSQL.delete, [.id(id)]) == 1 else {
                throw KeybearerError.noSuchOperatorToken
            }
            return .changes((), with: [])
        }
    }
}
