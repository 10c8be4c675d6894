import Foundation
import GRDB
public import Keybearer

extension SQLiteStore {
    public func account(keyDigests: [[UInt8]]) async throws -> Account? {
        if keyDigests.isEmpty { return nil }
        return try readShort { db in
            let marks = databaseQuestionMarks(count: keyDigests.count)
            let statement = try db.cachedStatement(
                sql: "\(AccountRows.select) WHERE k.digest IN (\(marks)) \(AccountRows.order)")
            let rows = try Row.fetchAll(statement, arguments: StatementArguments(keyDigests.map { Data($0) }))
            return try StoredValues.accounts(rows).first
        }
    }

    public func sealedKey(of userID: UserID) async throws -> (key: APIKey, sealed: SealedKey)? {
        try readShort { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM api_keys WHERE user_id = ?")
            let row = try Row.fetchOne(statement, arguments: [userID.rawValue])
            return try row.map { (try StoredValues.key($0), try StoredValues.sealed($0)) }
        }
    }

    public func recordReveal(audit: AuditEvent) async throws {
        try await write { db in try Self.record(audit, db) }
    }

    public func keys(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [StoredKey] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM api_keys WHERE master_key_id <> ? ORDER BY user_id LIMIT ?",
                arguments: [id.rawValue, max(0, limit)]
            ).map { try StoredValues.storedKey($0) }
        }
    }

    public func reseal(_ keys: [StoredKey], audit: AuditEvent) async throws {
        try await write { db in
            let statement = try db.cachedStatement(
                sql: """
                    UPDATE api_keys SET master_key_id = :master, box = :box, digest = :digest
                    WHERE user_id = :user AND key_id = :key AND version = :version
                    """)
            for key in keys {
                try statement.execute(arguments: [
                    "master": key.sealed.masterKeyID.rawValue, "box": Data(key.sealed.box),
                    "digest": Data(key.sealed.digest), "user": key.userID.rawValue, "key": key.keyID.rawValue,
                    "version": key.version,
                ])
            }
            try Self.record(audit, db)
        }
    }

    public func retireMasterKeys(_ ids: [MasterKeyID], audit: AuditEvent) async throws {
        try await write { db in
            for id in ids {
                try db.execute(
                    sql: "INSERT INTO retired_master_keys (id) VALUES (?) ON CONFLICT DO NOTHING",
                    arguments: [id.rawValue])
            }
            try Self.record(audit, db)
        }
    }

    public func sealedKeyCounts() async throws -> [MasterKeyID: Int] {
        try await read { db in
            let rows = try Row.fetchAll(
                db, sql: "SELECT master_key_id, count(*) AS keys FROM api_keys GROUP BY master_key_id")
            return Dictionary(
                uniqueKeysWithValues: rows.map { (MasterKeyID(rawValue: $0["master_key_id"]), $0["keys"]) })
        }
    }

    public func storedKeys(after userID: UserID?, limit: Int) async throws -> [StoredKey] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM api_keys WHERE user_id > ? ORDER BY user_id LIMIT ?",
                arguments: [userID?.rawValue ?? "", max(0, limit)]
            ).map { try StoredValues.storedKey($0) }
        }
    }

    public func recordLastUses(_ uses: [(keyID: KeyID, use: LastUse)]) async throws {
        if uses.isEmpty { return }
        try await write { db in
            // The key's id in the WHERE keeps a late flush off the key that took its place.
            let statement = try db.cachedStatement(
                sql: """
                    UPDATE api_keys SET last_used_at = :at, last_used_ip = :address
                    WHERE key_id = :key AND (last_used_at IS NULL OR last_used_at < :at)
                    """)
            for (keyID, use) in uses {
                try statement.execute(arguments: [
                    "at": use.at.milliseconds, "address": use.address.description, "key": keyID.rawValue,
                ])
            }
        }
    }
}
