import Foundation
import GRDB
public import Keybearer

extension SQLiteStore {
    public func createOperatorToken(_ token: OperatorToken, digest: [UInt8], audit: AuditEvent) async throws {
        try await write { db in
            try db.execute(
                sql: """
                    INSERT INTO operator_tokens (id, name, scopes, digest, created_at)
                    VALUES (:id, :name, :scopes, :digest, :createdAt)
                    """,
                arguments: [
                    "id": token.id.rawValue, "name": token.name,
                    "scopes": token.scopes.sorted().map(\.rawValue).joined(separator: " "), "digest": Data(digest),
                    "createdAt": token.createdAt.milliseconds,
                ])
            try Self.record(audit, db)
        }
    }

    public func operatorToken(digest: [UInt8]) async throws -> OperatorToken? {
        try await read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM operator_tokens WHERE digest = ?")
            return try Row.fetchOne(statement, arguments: [Data(digest)]).map { try StoredValues.operatorToken($0) }
        }
    }

    public func operatorTokens() async throws -> [OperatorToken] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM operator_tokens ORDER BY created_at, id").map {
                try StoredValues.operatorToken($0)
            }
        }
    }

    public func revokeOperatorToken(_ id: OperatorTokenID, audit: AuditEvent) async throws {
        try await write { db in
            try db.execute(sql: "DELETE FROM operator_tokens WHERE id = ?", arguments: [id.rawValue])
            guard db.changesCount == 1 else { throw KeybearerError.noSuchOperatorToken }
            try Self.record(audit, db)
        }
    }
}
