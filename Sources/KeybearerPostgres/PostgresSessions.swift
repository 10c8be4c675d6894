public import Keybearer

extension PostgresStore {
    /// A session starts only for an active account, decided in the same transaction under a lock on the account: a
    /// sign-in that began before the account was disabled must not leave a session that would revive with it.
    ///
    /// - Throws: `NOT_FOUND` when there is no such account, or it is disabled.
    public func startSession(
        _ session: Session, tokenDigest: [UInt8], replacing old: SessionID?, audit: AuditEvent
    ) async throws {
        try await transaction { connection in
            if let old {
                try connection.execute(
                    "DELETE FROM sessions WHERE id = $1 AND user_id = $2",
                    [.text(old.rawValue), .text(session.userID.rawValue)])
            }
            let result = try connection.execute(
                """
                WITH active AS (SELECT id FROM users WHERE id = $2 AND status = 'active' FOR SHARE)
                INSERT INTO sessions
                    (id, user_id, token_digest, created_at, authenticated_at, last_seen_at, address, user_agent)
                SELECT $1, id, $3, $4, $5, $6, $7, $8 FROM active
                """,
                [
                    .text(session.id.rawValue), .text(session.userID.rawValue), .bytes(tokenDigest),
                    .number(session.createdAt.millisecondsSinceEpoch),
                    .number(session.authenticatedAt.millisecondsSinceEpoch),
                    .number(session.lastSeenAt.millisecondsSinceEpoch), .text(session.address.description),
                    .text(session.userAgent),
                ])
            guard result.touched == 1 else { throw KeybearerError.noSuchAccount }
            return [Self.record(audit)]
        }
    }

    public func session(tokenDigest: [UInt8]) async throws -> Session? {
        try await read { connection in
            try connection.execute("\(Self.selectSessions) WHERE token_digest = $1", [.bytes(tokenDigest)])
                .first.map { try StoredValues.session($0) }
        }
    }

    public func touchSession(_ id: SessionID, at time: Timestamp) async throws {
        try await write { connection in
            _ = try connection.execute(
                "UPDATE sessions SET last_seen_at = greatest(last_seen_at, $1) WHERE id = $2",
                [.number(time.millisecondsSinceEpoch), .text(id.rawValue)])
        }
    }

    public func sessions(of userID: UserID) async throws -> [Session] {
        try await read { connection in
            try connection.execute(
                "\(Self.selectSessions) WHERE user_id = $1 ORDER BY created_at DESC, id", [.text(userID.rawValue)]
            ).rows.map { try StoredValues.session($0) }
        }
    }

    public func endSession(_ id: SessionID, of userID: UserID, audit: AuditEvent) async throws {
        try await transaction { connection in
            let result = try connection.execute(
                "DELETE FROM sessions WHERE id = $1 AND user_id = $2", [.text(id.rawValue), .text(userID.rawValue)])
            return result.touched == 1 ? [Self.record(audit)] : []
        }
    }

    public func removeSessions(begunBefore: Timestamp, unseenSince: Timestamp) async throws {
        try await write { connection in
            _ = try connection.execute(
                "DELETE FROM sessions WHERE created_at < $1 OR last_seen_at < $2",
                [.number(begunBefore.millisecondsSinceEpoch), .number(unseenSince.millisecondsSinceEpoch)])
        }
    }

    private static let selectSessions = """
        SELECT id, user_id, created_at, authenticated_at, last_seen_at, address, user_agent FROM sessions
        """
}
