import Foundation
import GRDB
public import Keybearer

extension SQLiteStore {
    /// How long an idempotency key is remembered.
    private static let regenerationMemory: Duration = .seconds(24 * 3600)

    public func replaceKey(_ replacement: KeyReplacement, audit: AuditEvent) async throws -> KeyReplacementOutcome {
        try await write { [self] db in
            guard try Self.exists(replacement.userID, db) else { return .noSuchUser }
            let now = replacement.key.generatedAt
            try db.executeCached(
                sql: "DELETE FROM key_regenerations WHERE at < ?",
                arguments: [now.milliseconds - Self.regenerationMemory.wholeMilliseconds])
            if let digest = replacement.idempotencyDigest,
                let earlier = try Self.earlierOutcome(of: replacement.userID, digest, db)
            {
                return earlier
            }
            guard try Self.putKey(replacement, db) else { return .versionMoved }
            try Self.record(audit, db)
            let position = try nextPosition(db)
            if let digest = replacement.idempotencyDigest {
                try Self.rememberRegeneration(replacement, digest, position, db)
            }
            try Self.append(.user(replacement.userID), at: position, audit.at, db)
            return .replaced(position)
        }
    }

    public func replacement(of userID: UserID, idempotencyDigest: [UInt8]) async throws -> KeyReplacementOutcome? {
        try await read { db in try Self.earlierOutcome(of: userID, idempotencyDigest, db) }
    }

    /// Replaces the row if it still has the version before: two callers at once cannot both succeed.
    private static func putKey(_ replacement: KeyReplacement, _ db: Database) throws -> Bool {
        try db.executeCached(
            sql: """
                UPDATE api_keys
                SET key_id = :key, version = :version, shown_prefix = :prefix, digest = :digest,
                    master_key_id = :master, box = :box, generated_at = :generatedAt,
                    last_used_at = NULL, last_used_ip = NULL
                WHERE user_id = :user AND version = :version - 1
                """,
            arguments: [
                "key": replacement.key.id.rawValue, "version": replacement.key.version,
                "prefix": replacement.key.shownPrefix, "digest": Data(replacement.sealed.digest),
                "master": replacement.sealed.masterKeyID.rawValue, "box": Data(replacement.sealed.box),
                "generatedAt": replacement.key.generatedAt.milliseconds, "user": replacement.userID.rawValue,
            ])
        return db.changesCount == 1
    }

    private static func earlierOutcome(
        of userID: UserID, _ idempotencyDigest: [UInt8], _ db: Database
    ) throws -> KeyReplacementOutcome? {
        let statement = try db.cachedStatement(
            sql: """
                SELECT r.key_id, r.change_number, r.change_mark, r.key_id = k.key_id AS is_live
                FROM key_regenerations r JOIN api_keys k ON k.user_id = r.user_id
                WHERE r.user_id = ? AND r.idempotency_digest = ?
                """)
        let row = try Row.fetchOne(statement, arguments: [userID.rawValue, Data(idempotencyDigest)])
        return try row.map { try StoredValues.earlierOutcome($0) }
    }

    private static func rememberRegeneration(
        _ replacement: KeyReplacement, _ idempotencyDigest: [UInt8], _ position: ChangePosition, _ db: Database
    ) throws {
        try db.executeCached(
            sql: """
                INSERT INTO key_regenerations
                    (user_id, idempotency_digest, key_id, change_number, change_mark, at)
                VALUES (:user, :digest, :key, :number, :mark, :at)
                """,
            arguments: [
                "user": replacement.userID.rawValue, "digest": Data(idempotencyDigest),
                "key": replacement.key.id.rawValue, "number": position.number, "mark": position.mark,
                "at": replacement.key.generatedAt.milliseconds,
            ])
    }
}
