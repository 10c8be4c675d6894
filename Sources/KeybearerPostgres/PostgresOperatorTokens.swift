public import Keybearer

extension PostgresStore {
    public func createOperatorToken(_ token: OperatorToken, digest: [UInt8], audit: AuditEvent) async throws {
        try await transaction { connection in
            try connection.execute(
                "INSERT INTO operator_tokens (id, name, scopes, digest, created_at) VALUES ($1, $2, $3, $4, $5)",
                [
                    .text(token.id.rawValue), .text(token.name),
                    .text(token.scopes.sorted().map(\.rawValue).joined(separator: " ")), .bytes(digest),
                    .number(token.createdAt.millisecondsSinceEpoch),
                ])
            return [Self.record(audit)]
        }
    }

    public func operatorToken(digest: [UInt8]) async throws -> OperatorToken? {
        try await read { connection in
            try connection.execute("\(Self.selectOperatorTokens) WHERE digest = $1", [.bytes(digest)])
                .first.map { try StoredValues.operatorToken($0) }
        }
    }

    public func operatorTokens() async throws -> [OperatorToken] {
        try await read { connection in
            try connection.execute("\(Self.selectOperatorTokens) ORDER BY created_at, id")
                .rows.map { try StoredValues.operatorToken($0) }
        }
    }

    public func revokeOperatorToken(_ id: OperatorTokenID, audit: AuditEvent) async throws {
        try await transaction { connection in
            let result = try connection.execute("DELETE FROM operator_tokens WHERE id = $1", [.text(id.rawValue)])
            guard result.touched == 1 else { throw KeybearerError.noSuchOperatorToken }
            return [Self.record(audit)]
        }
    }

    private static let selectOperatorTokens = "SELECT id, name, scopes, created_at FROM operator_tokens"
}
