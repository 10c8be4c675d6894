package import Keybearer

enum MailLinkSQL {
    private static let columns = """
        SELECT purpose, user_id, email, password_version, invitation_id, created_at, used_at FROM mail_links
        """

    static let insert = SQL(
        """
        INSERT INTO mail_links
            (digest, tag_key_id, purpose, user_id, email, password_version, invitation_id, created_at, expires_at,
             attempts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)
        """)
    static let byDigest = SQL("\(columns) WHERE digest = $1")
    static let use = SQL("UPDATE mail_links SET used_at = $2 WHERE digest = $1")
    static let countAttempt = SQL(
        "UPDATE mail_links SET attempts = attempts + 1 WHERE digest = $1 AND attempts < $2")
    /// Of the account, or to one of its addresses: links of invitations belong to no account.
    private static let isOfPerson = "user_id = $1 OR email = $2 OR email = $3"
    static let ofPerson = SQL("SELECT digest FROM mail_links WHERE \(isOfPerson) ORDER BY digest")
    static let removeOfPerson = SQL("DELETE FROM mail_links WHERE \(isOfPerson)")
    static let old = SQL(
        "SELECT digest FROM mail_links WHERE expires_at < $1 OR created_at > $2 ORDER BY digest LIMIT $3")
    static let remove = SQL("DELETE FROM mail_links WHERE digest = $1")

    static let want = SQL(
        """
        INSERT INTO wanted_emails (user_id, email, asked_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, asked_at = excluded.asked_at
        """)
    static let wanted = SQL("SELECT email FROM wanted_emails WHERE user_id = $1 AND asked_at > $2")
    static let wish = SQL("SELECT email FROM wanted_emails WHERE user_id = $1")
    static let forgetWanted = SQL("DELETE FROM wanted_emails WHERE user_id = $1")
    static let oldWanted = SQL(
        "SELECT user_id FROM wanted_emails WHERE asked_at < $1 OR asked_at > $2 ORDER BY user_id LIMIT $3")
    static let markVerified = SQL(
        """
        UPDATE users SET email = $2, email_verified = $3, version = version + 1, updated_at = $4 WHERE id = $1
        """)

    static let all = [
        insert, byDigest, use, countAttempt, ofPerson, removeOfPerson, old, remove, want, wanted, wish, forgetWanted,
        oldWanted, markVerified,
    ]
}

extension SQLStore {
    package func addMailLink(
        _ link: MailLink, code: MintedToken, of mail: MailID, claim: [UInt8], audit: AuditEvent?
    ) async throws -> Bool {
        var locks = RowLocks([(.masterKey(code.tagKeyID), .share)])
        if let userID = link.userID { locks.add(.user(userID), .share) }
        locks.readsTime = true
        let wanted = locks
        return try await maintain { connection in
            let locked = try wanted.acquire(connection)
            try locked.requireTag(of: code.tagKeyID, connection)
            // The account may have been deleted meanwhile, and its mails with it.
            guard try connection.first(MailSQL.isClaimed, [.id(mail), .bytes(claim)]) != nil,
                link.userID.map({ locked.has(.user($0)) }) ?? true
            else { return false }
            let stamped = link.stamped(locked.now(link.createdAt))
            try connection.execute(
                MailLinkSQL.insert,
                [
                    .bytes(code.digest), .id(code.tagKeyID), .text(link.purpose.rawValue),
                    .optional(link.userID?.rawValue), .text(link.email.rawValue),
                    link.passwordVersion.map { .number($0) } ?? .null, .optional(link.invitationID?.rawValue),
                    .time(stamped.createdAt), .time(stamped.expiresAt),
                ])
            if let audit { try connection.execute(Self.record(audit)) }
            return true
        }
    }

    package func mailLink(codeDigest: [UInt8], now: Timestamp) async throws -> (link: MailLink, now: Timestamp)? {
        try await shortRead { connection in
            let (rows, now) = try connection.rowsAndTime(MailLinkSQL.byDigest, [.bytes(codeDigest)], caller: now)
            return try rows.first.map { (try StoredValues.mailLink($0), now) }
        }
    }

    package func askForVerification(of userID: UserID, by authority: Authority, audit: AuditEvent) async throws {
        try await write(by: authority, audit: audit, locking: RowLocks([(.user(userID), .share)])) { _, locked in
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            return .changes((), with: [])
        }
    }

    package func askForEmailChange(
        of userID: UserID, to email: EmailAddress, by authority: Authority, audit: AuditEvent, mail: NewMail
    ) async throws {
        var locks = RowLocks([(.user(userID), .update)])
        locks.readsTime = true
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            // Whether somebody has the address is told to whoever reads its mail, when the link is used.
            try connection.execute(
                MailLinkSQL.want, [.id(userID), .text(email.rawValue), .time(locked.now(audit.at))])
            return .changes((), with: Self.add(mail))
        }
    }

    /// Also in the spellings in which earlier versions may have stored it.
    private static func requireFree(_ email: EmailAddress, _ connection: any SQLConnection) throws {
        for spelling in EmailAddress.spellings(of: email.rawValue)
        where try connection.first(AccountSQL.emailIsTaken, [.text(spelling.rawValue)]) != nil {
            throw KeybearerError.emailTaken
        }
    }

    package func wantedEmail(of userID: UserID, now: Timestamp) async throws -> EmailAddress? {
        try await shortRead { try Self.wantedEmail(of: userID, at: try $0.now(now), $0) }
    }

    static func wantedEmail(
        of userID: UserID, at now: Timestamp, _ connection: any SQLConnection
    ) throws -> EmailAddress? {
        let since = SQLValue.time(now.advanced(by: .zero - MailLink.wishLife))
        return try connection.first(MailLinkSQL.wanted, [.id(userID), since])
            .map { EmailAddress(normalised: try $0.requiredText("email")) }
    }

    package func useEmailLink(
        _ link: MailLink, codeDigest: [UInt8], by authority: Authority, audit: AuditEvent, notice: NewMail?
    ) async throws -> Committed<Bool> {
        guard let userID = link.userID else { throw KeybearerError.noSuchAccount }
        // The address identifies the row.
        var locks = RowLocks([(.user(userID), .replace)])
        locks.readsTime = true
        return try await change(.user(userID), by: authority, audit: audit, locking: locks) { connection, locked in
            let now = locked.now(audit.at)
            guard locked[.user(userID)]?.text("status") == User.Status.active.rawValue,
                let stored = try lockedMailLink(codeDigest, connection), stored.isUsable(at: now),
                stored.purpose == link.purpose, let user = try Self.account(userID, connection)?.user
            else { return .nothing(false) }
            if stored.purpose == .changeEmail {
                guard try Self.wantedEmail(of: userID, at: now, connection) == stored.email else {
                    return .nothing(false)
                }
                try Self.requireFree(stored.email, connection)
                try connection.execute(MailLinkSQL.forgetWanted, [.id(userID)])
            } else {
                guard user.email == stored.email else { return .nothing(false) }
            }
            try connection.execute(
                MailLinkSQL.markVerified, [.id(userID), .text(stored.email.rawValue), .flag(true), .time(audit.at)])
            try connection.execute(MailLinkSQL.use, [.bytes(codeDigest), .time(now)])
            return .changes(true, with: notice.map { Self.add($0) } ?? [])
        }
    }

    package func resetPassword(
        to hash: String, by link: MailLink, codeDigest: [UInt8], proof: SecondFactorProof?,
        takeover: KeyReplacement?, authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Bool> {
        guard let userID = link.userID else { throw KeybearerError.noSuchAccount }
        var locks = RowLocks([(.user(userID), .update), (.sessions(of: userID), .replace)])
        if let takeover {
            locks.add(.apiKey(of: userID), .replace)
            locks.add(.masterKey(takeover.sealed.masterKeyID), .share)
        }
        locks.readsTime = true
        return try await change(.user(userID), by: authority, audit: audit, locking: locks) { connection, locked in
            let now = locked.now(audit.at)
            guard let user = try Self.account(userID, connection)?.user, user.hasPassword,
                user.email == link.email, user.isEmailVerified == (takeover == nil)
            else { return .nothing(false) }
            try Self.require(proof.map { SignInProof($0) }, of: userID, by: authority, connection)
            if let takeover {
                guard try Self.canTakeOver(userID, connection) else { return .nothing(false) }
                try Self.takeOver(userID, with: takeover, locked, connection)
                try connection.execute(
                    MailLinkSQL.markVerified, [.id(userID), .text(user.email.rawValue), .flag(true), .time(audit.at)])
            }
            try connection.execute(AccountSQL.setPassword, [.text(hash), .id(userID)])
            // Whoever had the account in their hands may have connected an identity of their own with it.
            try connection.execute(IdentitySQL.removeOfUser, [.id(userID)])
            try Self.endSignIns(of: userID, at: audit.at, connection)
            // Behind all others in the order of locks: of two uses the second waits at the account, and finds another
            // password there.
            guard let stored = try lockedMailLink(codeDigest, connection), stored.isUsable(at: now),
                stored.purpose == .resetPassword
            else { throw KeybearerError.authorityEnded("This link no longer works.") }
            try connection.execute(MailLinkSQL.use, [.bytes(codeDigest), .time(now)])
            return .changes(true, with: [])
        }
    }

    package func canTakeOverByMail(_ userID: UserID) async throws -> Bool {
        try await shortRead { try Self.canTakeOver(userID, $0) }
    }

    /// Whether who reads the mails to an unverified address may have the account: not where the operator has given it that
    /// address without vouching for it, and not where others are in what it owns.
    private static func canTakeOver(_ userID: UserID, _ connection: any SQLConnection) throws -> Bool {
        let isForeign = try connection.first(AccountSQL.hasForeignAddress, [.id(userID), .flag(true)]) != nil
        return try !isForeign && connection.first(AccountSQL.isShared, [.id(userID)]) == nil
    }

    package func countAttempt(ofMailLink digest: [UInt8]) async throws -> Bool {
        try await maintain { connection in
            try connection.execute(
                MailLinkSQL.countAttempt, [.bytes(digest), .number(MailLink.mostAttempts)]) == 1
        }
    }

    package func removeOldMailLinks(now: Timestamp) async throws {
        let tolerance = SessionPolicy.clockTolerance
        let links = OldRows(
            find: MailLinkSQL.old,
            bounds: {
                [.time($0.advanced(by: .zero - MailLink.memory)), .time($0.advanced(by: tolerance))]
            },
            remove: MailLinkSQL.remove, key: { [.bytes(try $0.requiredBytes("digest"))] })
        try await remove(links, now: now)
        let wishes = OldRows(
            find: MailLinkSQL.oldWanted,
            bounds: {
                [.time($0.advanced(by: .zero - MailLink.wishLife)), .time($0.advanced(by: tolerance))]
            },
            remove: MailLinkSQL.forgetWanted, key: { [.text(try $0.requiredText("user_id"))] })
        try await remove(wishes, now: now)
    }
}

/// The link with a code, held until the transaction ends.
private func lockedMailLink(_ digest: [UInt8], _ connection: any SQLConnection) throws -> MailLink? {
    let row = SQLStatement(MailLinkSQL.byDigest, [.bytes(digest)])
    return try connection.lock([(row, .update)]).first?.first.map { try StoredValues.mailLink($0) }
}

extension StoredValues {
    package static func mailLink(_ row: any StoredRow) throws -> MailLink {
        guard let purpose = MailLink.Purpose(rawValue: try row.requiredText("purpose")) else {
            throw KeybearerError.unreadable("mail_links.purpose")
        }
        return MailLink(
            purpose, of: row.text("user_id").map(UserID.init(rawValue:)),
            sentTo: EmailAddress(normalised: try row.requiredText("email")),
            passwordVersion: row.number("password_version").map { Int($0) },
            invitationID: row.text("invitation_id").map(InvitationID.init(rawValue:)),
            createdAt: try row.timestamp("created_at"),
            usedAt: row.number("used_at").map { Timestamp(millisecondsSinceEpoch: $0) })
    }
}
