package import Keybearer

enum IdentitySQL {
    static let ofUser = SQL(
        "SELECT issuer, subject, linked_at FROM identities WHERE user_id = $1 ORDER BY issuer, subject")
    static let remove = SQL("DELETE FROM identities WHERE issuer = $1 AND subject = $2 AND user_id = $3")
    static let removeOfUser = SQL("DELETE FROM identities WHERE user_id = $1")

    static let useAttempt = SQL(
        "INSERT INTO sign_in_attempts (digest, used_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING")
    static let putPending = SQL(
        "UPDATE sign_in_attempts SET issuer = $2, subject = $3, email = $4 WHERE digest = $1")
    static let pending = SQL("SELECT issuer, subject, email, used_at FROM sign_in_attempts WHERE digest = $1")
    static let endPending = SQL(
        "UPDATE sign_in_attempts SET issuer = NULL, subject = NULL, email = NULL WHERE digest = $1")
    static let endPendingWithEmail = SQL(
        "UPDATE sign_in_attempts SET issuer = NULL, subject = NULL, email = NULL WHERE email = $1")
    static let oldAttempts = SQL(
        "SELECT digest FROM sign_in_attempts WHERE used_at < $1 OR used_at > $2 ORDER BY digest LIMIT $3")
    static let removeAttempt = SQL("DELETE FROM sign_in_attempts WHERE digest = $1")

    static let all = [
        ofUser, remove, removeOfUser, useAttempt, putPending, pending, endPending, endPendingWithEmail, oldAttempts,
        removeAttempt,
    ]
}

extension SQLStore {
    package func account(identity: Identity) async throws -> Account? {
        try await shortRead { connection in
            let rows = try connection.rows(AccountSQL.byIdentity, [.text(identity.issuer), .text(identity.subject)])
            return try StoredValues.accounts(rows).first
        }
    }

    package func identities(of userID: UserID) async throws -> [Identity] {
        try await shortRead { try Self.identities(of: userID, $0) }
    }

    static func identities(of userID: UserID, _ connection: any SQLConnection) throws -> [Identity] {
        try connectedIdentities(of: userID, connection).map(\.identity)
    }

    package func connectedIdentities(of userID: UserID) async throws -> [ConnectedIdentity] {
        try await shortRead { try Self.connectedIdentities(of: userID, $0) }
    }

    private static func connectedIdentities(
        of userID: UserID, _ connection: any SQLConnection
    ) throws -> [ConnectedIdentity] {
        try connection.rows(IdentitySQL.ofUser, [.id(userID)]).map {
            ConnectedIdentity(
                identity: Identity(issuer: try $0.requiredText("issuer"), subject: try $0.requiredText("subject")),
                connectedAt: try $0.timestamp("linked_at"))
        }
    }

    package func unlinkIdentity(
        _ identity: Identity, of userID: UserID, signInIssuer issuer: String?, by authority: Authority,
        audit: AuditEvent
    ) async throws {
        // The account's row first: of two that take its last two identities, the second waits here, and is refused.
        let locks = RowLocks([(.user(userID), .update), (.identity(identity), .replace)])
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            guard locked[.identity(identity)]?.text("user_id") == userID.rawValue,
                let user = try Self.account(userID, connection)?.user
            else { throw KeybearerError.noSuchIdentity }
            let all = try Self.identities(of: userID, connection)
            guard !IdentityRules.isOnlyWay(identity, of: all, hasPassword: user.hasPassword, issuer: issuer) else {
                throw KeybearerError.onlyWayToSignIn
            }
            try connection.execute(
                IdentitySQL.remove, [.text(identity.issuer), .text(identity.subject), .id(userID)])
            return .changes((), with: [])
        }
    }

    package func useSignInAttempt(digest: [UInt8], now: Timestamp) async throws -> Bool {
        try await maintain { connection in
            try connection.execute(IdentitySQL.useAttempt, [.bytes(digest), .time(try connection.now(now))]) == 1
        }
    }

    package func putPendingIdentity(_ pending: PendingIdentity, ofAttempt digest: [UInt8]) async throws {
        try await maintain { connection in
            try connection.execute(
                IdentitySQL.putPending,
                [
                    .bytes(digest), .text(pending.identity.issuer), .text(pending.identity.subject),
                    .optional(pending.email),
                ])
        }
    }

    package func pendingIdentity(
        ofAttempt digest: [UInt8], now: Timestamp
    ) async throws -> (pending: PendingIdentity, usedAt: Timestamp, now: Timestamp)? {
        try await shortRead { connection in
            let (rows, now) = try connection.rowsAndTime(IdentitySQL.pending, [.bytes(digest)], caller: now)
            guard let row = rows.first, let pending = Self.pending(row) else { return nil }
            return (pending, try row.timestamp("used_at"), now)
        }
    }

    private static func pending(_ row: any StoredRow) -> PendingIdentity? {
        guard let issuer = row.text("issuer"), let subject = row.text("subject") else { return nil }
        return PendingIdentity(
            identity: Identity(issuer: issuer, subject: subject), email: row.text("email"))
    }

    package func linkIdentity(
        _ identity: Identity, toVerified email: EmailAddress, of userID: UserID, audit: AuditEvent
    ) async throws {
        let locks = RowLocks([(.user(userID), .update)])
        try await write(by: Authority(.anyone), audit: audit, locking: locks) { connection, _ in
            // Meanwhile the account may have got another address, or one that nobody has proved.
            guard let user = try Self.account(userID, connection)?.user, user.status == .active, user.isEmailVerified,
                user.email.rawValue.utf8.elementsEqual(email.rawValue.utf8)
            else { throw KeybearerError.noSuchAccount }
            try Self.insert(identity, of: userID, at: audit.at, connection)
            return .changes((), with: [])
        }
    }

    package func linkPendingIdentity(
        ofAttempt digest: [UInt8], to userID: UserID, by authority: Authority, audit: AuditEvent
    ) async throws {
        let locks = RowLocks([(.user(userID), .update)])
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            // Behind all others in the order of locks: of two links the second waits here, and finds nothing.
            let waiting = try connection.lock([
                (SQLStatement(IdentitySQL.pending, [.bytes(digest)]), .update)
            ]).first?.first.flatMap { Self.pending($0) }
            guard let waiting, locked.has(.user(userID)) else { throw KeybearerError.nobodyWaits }
            try Self.insert(waiting.identity, of: userID, at: audit.at, connection)
            try connection.execute(IdentitySQL.endPending, [.bytes(digest)])
            return .changes((), with: [])
        }
    }

    /// Says what is taken before the primary key does, which decides.
    private static func insert(
        _ identity: Identity, of userID: UserID, at time: Timestamp, _ connection: any SQLConnection
    ) throws {
        let key = [SQLValue.text(identity.issuer), .text(identity.subject)]
        guard try connection.first(LockSQL.identity, key) == nil else { throw KeybearerError.identityTaken }
        guard try identities(of: userID, connection).count < Identity.mostPerAccount else {
            throw KeybearerError(
                .conflict, "An account can have at most \(Identity.mostPerAccount) ways to sign in at a provider.")
        }
        try connection.execute(CopiedTable.identities.insert, key + [.id(userID), .time(time)])
    }

    package func createAccount(
        _ new: NewAccount, with identity: Identity, audit: AuditEvent, linked: AuditEvent
    ) async throws -> Account {
        let work = Self.creating(new)
        return try await write(by: Authority(.anyone), audit: audit, locking: work.locks) { connection, locked in
            switch try work.body(connection, locked) {
            case .changes(let account, let last):
                try Self.insert(identity, of: new.user.id, at: audit.at, connection)
                return .changes(account, with: last + [Self.record(linked)])
            case .nothing(let account): return .nothing(account)
            }
        }
    }

    package func removeOldSignInAttempts(now: Timestamp) async throws {
        let old = OldRows(
            find: IdentitySQL.oldAttempts,
            bounds: { now in
                [
                    .time(now.advanced(by: .seconds(-3600))),
                    .time(now.advanced(by: SessionPolicy.clockTolerance)),
                ]
            },
            remove: IdentitySQL.removeAttempt, key: { [.bytes(try $0.requiredBytes("digest"))] })
        try await remove(old, now: now)
    }
}

extension KeybearerError {
    fileprivate static let identityTaken = KeybearerError(
        .conflict, "Another account signs in with this already.")
    fileprivate static let nobodyWaits = KeybearerError(.notFound, "Nothing waits to be connected.")
}
