import Foundation
import GRDB
public import Keybearer

extension SQLiteStore {
    /// A session starts only for an active account, decided in the same transaction: a sign-in that began before the
    /// account was disabled must not leave a session that would revive with it.
    ///
    /// - Throws: `NOT_FOUND` when there is no such account, or it is disabled.
    public func startSession(
        _ session: Session, tokenDigest: [UInt8], replacing old: SessionID?, audit: AuditEvent
    ) async throws {
        try await write { db in
            if let old {
                try db.executeCached(
                    sql: "DELETE FROM sessions WHERE id = ? AND user_id = ?",
                    arguments: [old.rawValue, session.userID.rawValue])
            }
            try db.executeCached(
                sql: """
                    INSERT INTO sessions
                        (id, user_id, token_digest, created_at, authenticated_at, last_seen_at, address, user_agent)
                    SELECT :id, id, :digest, :createdAt, :authenticatedAt, :lastSeenAt, :address, :userAgent
                    FROM users WHERE id = :user AND status = 'active'
                    """,
                arguments: [
                    "id": session.id.rawValue, "digest": Data(tokenDigest),
                    "createdAt": session.createdAt.milliseconds,
                    "authenticatedAt": session.authenticatedAt.milliseconds,
                    "lastSeenAt": session.lastSeenAt.milliseconds, "address": session.address.description,
                    "userAgent": session.userAgent, "user": session.userID.rawValue,
                ])
            guard db.changesCount == 1 else { throw KeybearerError.noSuchAccount }
            try Self.record(audit, db)
        }
    }

    public func session(tokenDigest: [UInt8]) async throws -> Session? {
        try await read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM sessions WHERE token_digest = ?")
            return try Row.fetchOne(statement, arguments: [Data(tokenDigest)]).map { try StoredValues.session($0) }
        }
    }

    public func touchSession(_ id: SessionID, at time: Timestamp) async throws {
        try await write { db in
            try db.executeCached(
                sql: "UPDATE sessions SET last_seen_at = max(last_seen_at, ?) WHERE id = ?",
                arguments: [time.milliseconds, id.rawValue])
        }
    }

    public func sessions(of userID: UserID) async throws -> [Session] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM sessions WHERE user_id = ? ORDER BY created_at DESC, id",
                arguments: [userID.rawValue]
            ).map { try StoredValues.session($0) }
        }
    }

    public func endSession(_ id: SessionID, of userID: UserID, audit: AuditEvent) async throws {
        try await write { db in
            try db.executeCached(
                sql: "DELETE FROM sessions WHERE id = ? AND user_id = ?", arguments: [id.rawValue, userID.rawValue])
            if db.changesCount == 1 { try Self.record(audit, db) }
        }
    }

    public func removeSessions(begunBefore: Timestamp, unseenSince: Timestamp) async throws {
        try await write { db in
            try db.executeCached(
                sql: "DELETE FROM sessions WHERE created_at < ? OR last_seen_at < ?",
                arguments: [begunBefore.milliseconds, unseenSince.milliseconds])
        }
    }
}
