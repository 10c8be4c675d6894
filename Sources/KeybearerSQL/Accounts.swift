package import Keybearer

enum AccountSQL {
    /// One row for each account, workspace and feature, for ``StoredValues/accounts(_:)``; `u` is the user and `k` the
    /// key.
    /// A user's, for ``StoredValues/user(_:)``.
    static let userColumns = """
        u.id AS user_id, u.email, u.name AS user_name, u.status, u.is_operator, u.created_at AS user_created_at,
        u.external_id AS user_external_id, u.email_verified, u.version AS user_version,
        u.updated_at AS user_updated_at, u.hourly_limit AS user_limit, u.limit_ends_at AS user_limit_ends_at,
        u.default_workspace_id, u.service_workspace_id, u.allowed_networks,
        CASE WHEN u.password_hash = '' THEN 0 ELSE 1 END AS has_password
        """
    private static let columns = """
        SELECT \(userColumns),
               k.key_id, k.version, k.shown_prefix, k.generated_at, k.last_used_at, k.last_used_ip,
               m.role, w.id AS workspace_id, \(WorkspaceSQL.workspaceColumns),
               p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM users u
        JOIN api_keys k ON k.user_id = u.id
        LEFT JOIN memberships m ON m.user_id = u.id
        LEFT JOIN workspaces w ON w.id = m.workspace_id
        LEFT JOIN plans p ON p.id = w.plan_id
        LEFT JOIN plan_features f ON f.plan_id = p.id
        """
    private static let order = "ORDER BY u.created_at, u.id, w.created_at, w.id"

    static let byID = SQL("\(columns) WHERE u.id = $1 \(order)")
    /// A person's.
    static let byEmail = SQL("\(columns) WHERE u.email = $1 AND u.service_workspace_id IS NULL \(order)")
    static let byDigest = SQL("\(columns) WHERE k.digest = $1 \(order)")
    /// Whether an account is of a kind; a NULL parameter is not looked at.
    static func isOfKind(_ parameter: String) -> String {
        """
        (CAST(\(parameter) AS TEXT) IS NULL
            OR CASE WHEN service_workspace_id IS NULL THEN 'person' ELSE 'service' END = CAST(\(parameter) AS TEXT))
        """
    }
    static let page = SQL(
        """
        \(columns) WHERE u.id IN (
            SELECT id FROM users WHERE \(isOfKind("$3")) ORDER BY created_at, id LIMIT $1 OFFSET $2) \(order)
        """)
    static let count = SQL("SELECT count(*) AS count FROM users WHERE \(isOfKind("$1"))")
    static let servicesOf = SQL("\(columns) WHERE u.service_workspace_id = $1 \(order)")
    static let byExternalID = SQL("\(columns) WHERE u.external_id = $1 \(order)")
    /// With ``UserFilter``: a NULL parameter is not looked at.
    static let matching = SQL(
        """
        \(columns) WHERE u.id IN (
            SELECT id FROM users
            WHERE (created_at, id) > ($1, $2)
              AND (CAST($3 AS TEXT) IS NULL OR status = CAST($3 AS TEXT))
              AND (CAST($4 AS TEXT) IS NULL AND CAST($5 AS TEXT) IS NULL OR EXISTS (
                SELECT 1 FROM memberships f JOIN workspaces g ON g.id = f.workspace_id
                WHERE f.user_id = users.id AND (CAST($4 AS TEXT) IS NULL OR g.id = CAST($4 AS TEXT))
                  AND (CAST($5 AS TEXT) IS NULL OR g.plan_id = CAST($5 AS TEXT))))
              AND created_at >= $6 AND updated_at >= $7
              AND \(isOfKind("$9"))
            ORDER BY created_at, id LIMIT $8) \(order)
        """)
    static let byIdentity = SQL(
        "\(columns) WHERE u.id IN (SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2) \(order)")
    static let emailIsTaken = SQL("SELECT 1 AS taken FROM users WHERE email = $1")
    static let externalIDIsTaken = SQL("SELECT 1 AS taken FROM users WHERE external_id = $1")
    static let update = SQL(
        """
        UPDATE users SET email = $2, email_verified = $3, name = $4, external_id = $5, version = $6, updated_at = $7,
            hourly_limit = $8, limit_ends_at = $9, allowed_networks = $10
        WHERE id = $1
        """)
    static let insert = SQL(
        """
        INSERT INTO users
            (id, email, name, status, is_operator, password_hash, created_at, external_id, email_verified, updated_at,
             service_workspace_id, made_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $7, $10, $11)
        """)
    static let password = SQL("SELECT password_hash, password_version FROM users WHERE id = $1")
    static let setPassword = SQL(
        "UPDATE users SET password_hash = $1, password_version = password_version + 1 WHERE id = $2")
    static let rehash = SQL(
        "UPDATE users SET password_hash = $1 WHERE id = $2 AND password_version = $3 AND password_hash = $4")
    static let setStatus = SQL(
        """
        UPDATE users SET status = $1, disabled_by_operator = $4, version = version + 1, updated_at = $3 WHERE id = $2
        """)
    static let isHeld = SQL("SELECT 1 AS found FROM users WHERE id = $1 AND disabled_by_operator = $2")
    static let noteAddress = SQL("UPDATE users SET email_by_operator = $2 WHERE id = $1")
    /// Whether what others have in it, or who gave it its address, forbids that an account is taken over.
    static let isShared = SQL(
        """
        SELECT 1 AS found FROM memberships m
        WHERE m.user_id = $1 AND m.role = 'owner'
          AND EXISTS (SELECT 1 FROM memberships o WHERE o.workspace_id = m.workspace_id AND o.user_id <> m.user_id)
        """)
    static let hasForeignAddress = SQL("SELECT 1 AS found FROM users WHERE id = $1 AND email_by_operator = $2")
    static let setDefaultWorkspace = SQL("UPDATE users SET default_workspace_id = $2 WHERE id = $1")
    static let delete = SQL("DELETE FROM users WHERE id = $1")
    static let version = SQL("SELECT version FROM users WHERE id = $1")

    static let all = [
        byID, byEmail, byDigest, byExternalID, byIdentity, matching, page, count, servicesOf, emailIsTaken,
        externalIDIsTaken, insert,
        update, password, setPassword, rehash, setStatus, setDefaultWorkspace, delete,
        version, isHeld, noteAddress, isShared, hasForeignAddress,
    ]
}

extension SQLStore {
    package func createAccount(
        _ new: NewAccount, by authority: Authority, audit: AuditEvent
    ) async throws -> Account {
        do {
            let work = Self.creating(new)
            return try await write(by: authority, audit: audit, locking: work.locks, work.body)
        } catch let error as KeybearerError where error.code == .conflict {
            throw KeybearerError.emailTaken.caused(by: error.cause)
        }
    }

    /// Adds an account. No node has to hear of one that was not there, unless its key was imported.
    static func creating(_ new: NewAccount) -> Write<Account> {
        Write(subject(of: new), locking: locks(of: new)) { connection, locked in
            try locked.requireSealing(under: new.sealedKey.masterKeyID, connection)
            try requireImportable(new, connection)
            try requireFree(new.user, instead: nil, connection)
            try insertUser(new.user, passwordHash: new.passwordHash, connection)
            try insertKey(new.key, new.sealedKey, of: new.user.id, isImported: new.isImported, connection)
            try insertWorkspace(
                NewWorkspace(
                    id: new.workspaceID, name: new.workspaceName, externalID: nil, planID: nil, owner: new.user.id,
                    createdAt: new.user.createdAt),
                connection)
            guard let account = try account(new.user.id, connection) else { throw KeybearerError.noSuchAccount }
            return .changes(account, with: [])
        }
    }

    package func account(id: UserID) async throws -> Account? {
        try await shortRead { try Self.account(id, $0) }
    }

    package func account(email: EmailAddress) async throws -> Account? {
        try await shortRead { connection in
            try StoredValues.accounts(try connection.rows(AccountSQL.byEmail, [.text(email.rawValue)])).first
        }
    }

    package func accounts(
        of kind: User.Kind?, offset: Int, limit: Int
    ) async throws -> (page: [Account], total: Int) {
        let kind = SQLValue.optional(kind?.rawValue)
        return try await engine.read { connection in
            let rows = try connection.rows(AccountSQL.page, [.number(max(0, limit)), .number(max(0, offset)), kind])
            return (try StoredValues.accounts(rows), try connection.count(AccountSQL.count, [kind]))
        }
    }

    package func credentials(email spellings: [EmailAddress]) async throws -> StoredCredentials? {
        try await engine.read { connection in
            // All are looked for, so that the time does not tell which one is there.
            let found = try spellings.compactMap { email in
                try StoredValues.accounts(try connection.rows(AccountSQL.byEmail, [.text(email.rawValue)])).first
            }
            return try found.first.flatMap { try Self.credentials($0, connection) }
        }
    }

    package func credentials(of userID: UserID) async throws -> StoredCredentials? {
        try await engine.read { connection in
            try Self.account(userID, connection).flatMap { try Self.credentials($0, connection) }
        }
    }

    private static func credentials(_ account: Account, _ connection: any SQLConnection) throws -> StoredCredentials? {
        guard let row = try connection.first(AccountSQL.password, [.id(account.user.id)]) else { return nil }
        return StoredCredentials(
            account: account,
            password: StoredPassword(
                hash: try row.requiredText("password_hash"), version: Int(try row.requiredNumber("password_version"))),
            hasTwin: try account.user.email.otherSpellings.contains { email in
                try connection.first(AccountSQL.emailIsTaken, [.text(email.rawValue)]) != nil
            },
            hasSecondFactor: try connection.first(SecondFactorSQL.ofUser, [.id(account.user.id)]) != nil)
    }

    package func setPassword(
        _ hash: String, of userID: UserID, keeping session: SessionID?, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        let locks = RowLocks([(.user(userID), .update), (.sessions(of: userID), .replace)])
        return try await change(.user(userID), by: authority, audit: audit, locking: locks) { connection, locked in
            try locked.requirePerson(userID, "it cannot sign in, so it has no password")
            guard try connection.execute(AccountSQL.setPassword, [.text(hash), .id(userID)]) == 1 else {
                throw KeybearerError.noSuchAccount
            }
            // Whoever had the account in their hands may have connected an identity of their own with it.
            try connection.execute(IdentitySQL.removeOfUser, [.id(userID)])
            try Self.endSignIns(of: userID, keeping: session, at: audit.at, connection)
            return .changes((), with: [])
        }
    }

    package func rehashPassword(_ hash: String, of userID: UserID, replacing old: StoredPassword) async throws {
        try await maintain { connection in
            try connection.execute(
                AccountSQL.rehash, [.text(hash), .id(userID), .number(old.version), .text(old.hash)])
        }
    }

    package func setStatus(
        _ status: User.Status, of userID: UserID, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        var locks = RowLocks([(.user(userID), .update)])
        if status == .disabled { locks.add(.sessions(of: userID), .replace) }
        return try await change(.user(userID), by: authority, audit: audit, locking: locks) { connection, _ in
            try Self.setStatus(status, of: userID, audit, connection)
            return .changes((), with: [])
        }
    }

    static func setStatus(
        _ status: User.Status, of userID: UserID, _ audit: AuditEvent, _ connection: any SQLConnection
    ) throws {
        let values: [SQLValue] = [
            .text(status.rawValue), .id(userID), .time(audit.at),
            .flag(status == .disabled && audit.actor.isOperator),
        ]
        guard try connection.execute(AccountSQL.setStatus, values) == 1 else { throw KeybearerError.noSuchAccount }
        if status == .disabled { try endSignIns(of: userID, at: audit.at, connection) }
    }

    /// Whether the operator has disabled an account: nobody else enables it.
    static func isHeld(_ userID: UserID, _ connection: any SQLConnection) throws -> Bool {
        try connection.first(AccountSQL.isHeld, [.id(userID), .flag(true)]) != nil
    }

    static func insertUser(
        _ user: User, passwordHash: String = "", madeBy maker: UserID? = nil, _ connection: any SQLConnection
    ) throws {
        try connection.execute(
            AccountSQL.insert,
            [
                .id(user.id), .text(user.email.rawValue), .text(user.name), .text(user.status.rawValue),
                .flag(user.isOperator), .text(passwordHash), .time(user.createdAt),
                .optional(user.externalID?.rawValue), .flag(user.isEmailVerified),
                .optional(user.serviceWorkspaceID?.rawValue), .optional(maker?.rawValue),
            ])
        try DeletedAccountWindows.inherit(user, connection)
    }

    static func insertKey(
        _ key: APIKey, _ sealed: SealedKey, of userID: UserID, isImported: Bool = false,
        _ connection: any SQLConnection
    ) throws {
        try connection.execute(
            KeySQL.insert,
            [
                .id(userID), .id(key.id), .number(key.version), .text(key.shownPrefix), .bytes(sealed.digest),
                .id(sealed.masterKeyID), .bytes(sealed.box), .time(key.generatedAt), .flag(isImported),
            ])
    }

    static func account(_ id: UserID, _ connection: any SQLConnection) throws -> Account? {
        try StoredValues.accounts(try connection.rows(AccountSQL.byID, [.id(id)])).first
    }
}
