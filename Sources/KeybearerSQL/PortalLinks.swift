package import Keybearer

enum PortalLinkSQL {
    static let columns = """
        SELECT id, user_id, token_id, section, workspace_id, return_url, created_at, expires_at, used_at
        FROM portal_links
        """

    static let insert = SQL(
        """
        INSERT INTO portal_links
            (id, digest, tag_key_id, user_id, token_id, section, workspace_id, return_url, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """)
    static let byDigest = SQL("\(columns) WHERE digest = $1")
    static let bySession = SQL("\(columns) WHERE session_digest = $1")
    static let use = SQL("UPDATE portal_links SET used_at = $1, session_digest = $2 WHERE digest = $3")
    static let unused = SQL("SELECT id FROM portal_links WHERE user_id = $1 AND used_at IS NULL ORDER BY id")
    static let endUnused = SQL(
        "UPDATE portal_links SET expires_at = $1 WHERE user_id = $2 AND used_at IS NULL AND expires_at > $1")
    static let old = SQL("SELECT id FROM portal_links WHERE expires_at < $1 OR created_at > $2 ORDER BY id LIMIT $3")
    static let remove = SQL("DELETE FROM portal_links WHERE id = $1")

    static let all = [insert, byDigest, bySession, use, unused, endUnused, old, remove]
}

extension SQLStore {
    package func createPortalLink(
        _ link: PortalLink, code: MintedToken, request: IdempotentRequest?, by authority: Authority, audit: AuditEvent
    ) async throws -> PortalLink {
        var locks = RowLocks([(.user(link.userID), .share), (.masterKey(code.tagKeyID), .share)])
        if let workspaceID = link.workspaceID { locks.add(.membership(workspaceID, link.userID), .share) }
        locks.readsTime = true
        return try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            let now = locked.now(link.createdAt)
            if let request, let id = try Self.claim(request, at: now, connection) {
                throw KeybearerError(
                    .conflict, "This Idempotency-Key made the portal link \(id) before. Its URL is not shown again.")
            }
            guard let user = locked[.user(link.userID)] else { throw KeybearerError.noSuchAccount }
            try locked.requirePerson(link.userID, "it cannot sign in, so it has no portal links")
            guard user.text("status") == User.Status.active.rawValue else {
                throw KeybearerError(.conflict, "The account is disabled.")
            }
            if let workspaceID = link.workspaceID, !locked.has(.membership(workspaceID, link.userID)) {
                throw KeybearerError.noSuchMember
            }
            try locked.requireTag(of: code.tagKeyID, connection)
            let stamped = link.stamped(now)
            try connection.execute(
                PortalLinkSQL.insert,
                [
                    .id(stamped.id), .bytes(code.digest), .id(code.tagKeyID), .id(stamped.userID), .id(stamped.tokenID),
                    .text(stamped.section.rawValue), .optional(stamped.workspaceID?.rawValue),
                    .optional(stamped.returnURL?.description), .time(stamped.createdAt), .time(stamped.expiresAt),
                ])
            let remembered = request.map { [Self.remembering($0, of: stamped.id.rawValue, at: now)] }
            return .changes(stamped, with: remembered ?? [])
        }
    }

    package func portalLink(
        codeDigest: [UInt8], now: Timestamp
    ) async throws -> (link: PortalLink, now: Timestamp)? {
        try await shortRead { connection in
            let (rows, now) = try connection.rowsAndTime(PortalLinkSQL.byDigest, [.bytes(codeDigest)], caller: now)
            return try rows.first.map { (try StoredValues.portalLink($0), now) }
        }
    }

    package func portalLink(sessionDigest: [UInt8]) async throws -> PortalLink? {
        try await shortRead { connection in
            try connection.first(PortalLinkSQL.bySession, [.bytes(sessionDigest)])
                .map { try StoredValues.portalLink($0) }
        }
    }

    package func usePortalLink(
        codeDigest: [UInt8], session: Session, token: MintedToken, replacing old: ReplacedSession?, audit: AuditEvent
    ) async throws -> Session? {
        guard let access = session.portal else { return nil }
        var locks = RowLocks([
            (.user(session.userID), .share), (.operatorToken(access.tokenID), .share),
            (.masterKey(token.tagKeyID), .share),
        ])
        if let old { locks.add(.session(old.id), .replace) }
        locks.readsTime = true
        return try await write(by: Authority(.anyone), audit: audit, locking: locks) { connection, locked in
            // Behind all others in the order of locks: of two uses the second waits here and sees the first.
            let link = try connection.lock([
                (SQLStatement(PortalLinkSQL.byDigest, [.bytes(codeDigest)]), .update)
            ]).first?.first.map { try StoredValues.portalLink($0) }
            let now = locked.now(session.createdAt)
            guard let link, link.isUsable(at: now), locked.isLive(access.tokenID, at: now),
                locked[.user(session.userID)]?.text("status") == User.Status.active.rawValue
            else { return .nothing(nil) }
            try locked.requireTag(of: token.tagKeyID, connection)
            let ended = try Self.end(old, connection)
            let stamped = session.stamped(now)
            try Self.insert(stamped, token, connection)
            try connection.execute(
                PortalLinkSQL.use, [.time(now), .bytes(token.digest), .bytes(codeDigest)])
            return .changes(stamped, with: ended)
        }
    }

    /// Ends all by which somebody could still come in who was let in before: sessions, but one that may stay, sign-ins that
    /// wait for a code, portal links that were not used yet, and the link to another address that somebody asked for.
    ///
    /// - Parameter time: by this process's clock; links end by the database's.
    static func endSignIns(
        of userID: UserID, keeping session: SessionID? = nil, at time: Timestamp, _ connection: any SQLConnection
    ) throws {
        try connection.execute(SessionSQL.endOthers, [.id(userID), .text(session?.rawValue ?? "")])
        try endPendingSignIns(of: userID, connection)
        try connection.execute(MailLinkSQL.forgetWanted, [.id(userID)])
        // Behind all others in the order of locks.
        try connection.lock([(SQLStatement(PortalLinkSQL.unused, [.id(userID)]), .update)])
        try connection.execute(PortalLinkSQL.endUnused, [.time(try connection.now(time)), .id(userID)])
    }

    package func removeOldPortalLinks(now: Timestamp) async throws {
        let old = OldRows(
            find: PortalLinkSQL.old,
            bounds: { now in
                [
                    .time(now.advanced(by: .zero - PortalLink.memory)),
                    .time(now.advanced(by: SessionPolicy.clockTolerance)),
                ]
            },
            remove: PortalLinkSQL.remove, key: { [.text(try $0.requiredText("id"))] })
        try await remove(old, now: now)
    }
}

extension LockedRows {
    /// Whether an operator token is there and has not expired.
    func isLive(_ id: OperatorTokenID, at now: Timestamp) -> Bool {
        guard let token = self[.operatorToken(id)] else { return false }
        return token.number("expires_at").map { now.millisecondsSinceEpoch < $0 } ?? true
    }
}

extension StoredValues {
    package static func portalLink(_ row: any StoredRow) throws -> PortalLink {
        guard let section = PortalSection(rawValue: try row.requiredText("section")) else {
            throw KeybearerError.unreadable("portal_links.section")
        }
        return PortalLink(
            id: PortalLinkID(rawValue: try row.requiredText("id")),
            userID: UserID(rawValue: try row.requiredText("user_id")),
            tokenID: OperatorTokenID(rawValue: try row.requiredText("token_id")), section: section,
            workspaceID: row.text("workspace_id").map(WorkspaceID.init(rawValue:)),
            returnURL: row.text("return_url").flatMap { ReturnURL(stored: $0) },
            createdAt: try row.timestamp("created_at"), expiresAt: try row.timestamp("expires_at"),
            usedAt: row.number("used_at").map { Timestamp(millisecondsSinceEpoch: $0) })
    }

    /// What a session is confined to; nil for one that a sign-in started.
    package static func portalAccess(_ row: any StoredRow) throws -> PortalAccess? {
        guard let tokenID = row.text("portal_token_id") else { return nil }
        guard let section = PortalSection(rawValue: try row.requiredText("portal_section")) else {
            throw KeybearerError.unreadable("sessions.portal_section")
        }
        return PortalAccess(
            tokenID: OperatorTokenID(rawValue: tokenID), section: section,
            workspaceID: row.text("portal_workspace_id").map(WorkspaceID.init(rawValue:)),
            returnURL: row.text("portal_return_url").flatMap { ReturnURL(stored: $0) },
            tokenExpiresAt: row.number("portal_ends_at").map { Timestamp(millisecondsSinceEpoch: $0) })
    }
}
