package import Keybearer

enum SessionSQL {
    /// When the operator token ends that made the portal link of a session.
    static let portalEnd = """
        (SELECT t.expires_at FROM operator_tokens t WHERE t.id = sessions.portal_token_id) AS portal_ends_at
        """
    private static let columns = """
        SELECT id, user_id, created_at, authenticated_at, last_seen_at, address, user_agent,
               portal_token_id, portal_section, portal_workspace_id, portal_return_url, \(portalEnd)
        FROM sessions
        """

    static let insert = SQL(
        """
        INSERT INTO sessions
            (id, user_id, token_digest, tag_key_id, created_at, authenticated_at, last_seen_at, address, user_agent,
             portal_token_id, portal_section, portal_workspace_id, portal_return_url)
        VALUES ($1, $2, $3, $4, $5, $5, $5, $6, $7, $8, $9, $10, $11)
        """)
    static let byDigest = SQL("\(columns) WHERE token_digest = $1")
    static let ofUser = SQL("\(columns) WHERE user_id = $1 ORDER BY created_at DESC, id")
    static let touch = SQL("UPDATE sessions SET last_seen_at = $1 WHERE id = $2 AND last_seen_at < $1")
    static let end = SQL("DELETE FROM sessions WHERE id = $1 AND user_id = $2")
    static let endOthers = SQL("DELETE FROM sessions WHERE user_id = $1 AND id <> $2")
    /// Those that are over, and those that seem to come from the future: a clock was ahead when they were made.
    static let expired = SQL(
        """
        SELECT id FROM sessions
        WHERE created_at < $1 OR last_seen_at < $2 OR created_at > $3 OR last_seen_at > $3 ORDER BY id LIMIT $4
        """)
    static let remove = SQL("DELETE FROM sessions WHERE id = $1")
    static let ofToken = SQL("SELECT id FROM sessions WHERE portal_token_id = $1 ORDER BY id")
    static let endOfToken = SQL("DELETE FROM sessions WHERE portal_token_id = $1")

    static let all = [ofToken, endOfToken, insert, byDigest, ofUser, touch, end, endOthers, expired, remove]
}

extension SQLStore {
    package func startSession(
        _ session: Session, token: MintedToken, replacing old: ReplacedSession?, proof: SignInProof?,
        by authority: Authority, audit: AuditEvent
    ) async throws -> Session {
        var locks = RowLocks([(.user(session.userID), .share), (.masterKey(token.tagKeyID), .share)])
        if let old { locks.add(.session(old.id), .replace) }
        locks.readsTime = true
        return try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            // A sign-in that began before the account was disabled must not leave a session that would revive with it.
            guard locked[.user(session.userID)]?.text("status") == User.Status.active.rawValue else {
                throw KeybearerError.noSuchAccount
            }
            try locked.requirePerson(session.userID, "it cannot sign in")
            try locked.requireTag(of: token.tagKeyID, connection)
            try Self.require(proof, of: session.userID, by: authority, connection)
            let ended = try Self.end(old, connection)
            let stamped = session.stamped(locked.now(session.createdAt))
            try Self.insert(stamped, token, connection)
            return .changes(stamped, with: try ended + Self.noteDevice(of: audit, session.userID, connection))
        }
    }

    /// Ends the session that another one takes the place of.
    ///
    /// - Returns: its audit row, where it did end.
    static func end(_ old: ReplacedSession?, _ connection: any SQLConnection) throws -> [SQLStatement] {
        guard let old, try connection.execute(SessionSQL.end, [.id(old.id), .id(old.userID)]) == 1 else { return [] }
        return old.audit.map { [record($0)] } ?? []
    }

    static func insert(_ session: Session, _ token: MintedToken, _ connection: any SQLConnection) throws {
        try connection.execute(
            SessionSQL.insert,
            [
                .id(session.id), .id(session.userID), .bytes(token.digest), .id(token.tagKeyID),
                .time(session.createdAt), .text(session.address.description), .text(session.userAgent),
                .optional(session.portal?.tokenID.rawValue), .optional(session.portal?.section.rawValue),
                .optional(session.portal?.workspaceID?.rawValue), .optional(session.portal?.returnURL?.description),
            ])
    }

    package func session(
        tokenDigest: [UInt8], now: Timestamp
    ) async throws -> (session: Session, now: Timestamp)? {
        try await shortRead { connection in
            let (rows, now) = try connection.rowsAndTime(SessionSQL.byDigest, [.bytes(tokenDigest)], caller: now)
            return try rows.first.map { (try StoredValues.session($0), now) }
        }
    }

    package func touchSession(_ id: SessionID, at time: Timestamp) async throws {
        try await maintain { try $0.execute(SessionSQL.touch, [.time(time), .id(id)]) }
    }

    package func sessions(of userID: UserID, now: Timestamp) async throws -> (sessions: [Session], now: Timestamp) {
        try await engine.read { connection in
            let (rows, now) = try connection.rowsAndTime(SessionSQL.ofUser, [.id(userID)], caller: now)
            return (try rows.map { try StoredValues.session($0) }, now)
        }
    }

    package func endSession(
        _ id: SessionID, of userID: UserID, by authority: Authority, audit: AuditEvent
    ) async throws {
        let locks = RowLocks([(.session(id), .replace)])
        try await write(by: authority, audit: audit, locking: locks) { connection, _ in
            let touched = try connection.execute(SessionSQL.end, [.id(id), .id(userID)])
            // What did nothing leaves no event.
            return touched == 1 ? .changes((), with: []) : .nothing(())
        }
    }

    package func removeExpiredSessions(_ policy: SessionPolicy, now: Timestamp) async throws {
        let expired = OldRows(
            find: SessionSQL.expired,
            bounds: { now in
                [
                    .time(now.advanced(by: .zero - policy.absolute)), .time(now.advanced(by: .zero - policy.idle)),
                    .time(now.advanced(by: SessionPolicy.clockTolerance)),
                ]
            },
            remove: SessionSQL.remove, key: { [.text(try $0.requiredText("id"))] })
        try await remove(expired, now: now)
    }
}
