public import Keybearer

extension PostgresStore {
    public func createAccount(_ new: NewAccount, audit: AuditEvent) async throws -> Account {
        try await write { connection in
            do {
                _ = try connection.transaction { connection in
                    try Self.insertUser(new, connection)
                    try Self.insertKey(new, connection)
                    try Self.insertWorkspace(
                        id: new.workspaceID, name: new.workspaceName, owner: new.user.id,
                        createdAt: new.user.createdAt, connection)
                    return ((), [Self.record(audit)])
                }
            } catch let failure as PostgresFailure where failure.state == "23505" {
                throw KeybearerError.emailTaken.caused(by: failure)
            }
            guard let account = try Self.account(new.user.id, connection) else { throw KeybearerError.noSuchAccount }
            return account
        }
    }

    public func account(id: UserID) async throws -> Account? {
        try await read { try Self.account(id, $0) }
    }

    public func account(email: EmailAddress) async throws -> Account? {
        try await read { connection in
            let rows = try connection.execute(
                "\(Self.selectAccounts) WHERE u.email = $1 \(StoredValues.accountOrder)", [.text(email.rawValue)]
            ).rows
            return try StoredValues.accounts(rows).first
        }
    }

    public func accounts(offset: Int, limit: Int) async throws -> (page: [Account], total: Int) {
        try await readOneState { connection in
            let rows = try connection.execute(
                """
                \(Self.selectAccounts)
                WHERE u.id IN (SELECT id FROM users ORDER BY created_at, id LIMIT $1 OFFSET $2)
                \(StoredValues.accountOrder)
                """,
                [.number(max(0, limit)), .number(max(0, offset))]
            ).rows
            return (try StoredValues.accounts(rows), try Self.count("users", connection))
        }
    }

    public func passwordHash(of userID: UserID) async throws -> String? {
        try await read { connection in
            try connection.execute("SELECT password_hash FROM users WHERE id = $1", [.text(userID.rawValue)])
                .first?.requiredText("password_hash")
        }
    }

    public func setPasswordHash(
        _ hash: String, of userID: UserID, keeping session: SessionID?, audit: AuditEvent
    ) async throws -> ChangePosition {
        try await change(.user(userID), audit: audit) { connection in
            let result = try connection.execute(
                "UPDATE users SET password_hash = $1 WHERE id = $2", [.text(hash), .text(userID.rawValue)])
            guard result.touched == 1 else { throw KeybearerError.noSuchAccount }
            try connection.execute(
                "DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2",
                [.text(userID.rawValue), .optional(session?.rawValue)])
        }
    }

    public func setStatus(
        _ status: User.Status, of userID: UserID, audit: AuditEvent
    ) async throws -> ChangePosition {
        try await change(.user(userID), audit: audit) { connection in
            let result = try connection.execute(
                "UPDATE users SET status = $1 WHERE id = $2", [.text(status.rawValue), .text(userID.rawValue)])
            guard result.touched == 1 else { throw KeybearerError.noSuchAccount }
            if status == .disabled {
                try connection.execute("DELETE FROM sessions WHERE user_id = $1", [.text(userID.rawValue)])
            }
        }
    }

    public func deleteAccount(_ userID: UserID, audit: AuditEvent) async throws -> ChangePosition {
        try await change(.user(userID), audit: audit) { connection in
            let user = [PostgresValue.text(userID.rawValue)]
            // Whoever changes a workspace's members locks it first: two Owners must not leave it at the same moment.
            try connection.execute(
                """
                SELECT id FROM workspaces WHERE id IN (SELECT workspace_id FROM memberships WHERE user_id = $1)
                ORDER BY id FOR UPDATE
                """, user)
            let check = try connection.execute(Self.leavesMembersWithoutOwner, user)
            if try check.first?.requiredFlag("leaves") == true { throw KeybearerError.lastOwner }
            try connection.execute(Self.deleteLonelyWorkspaces, user)
            // The key, the sessions, the memberships and the hour go with the account by ON DELETE CASCADE.
            let result = try connection.execute("DELETE FROM users WHERE id = $1", user)
            guard result.touched == 1 else { throw KeybearerError.noSuchAccount }
        }
    }
}

extension PostgresStore {
    /// The part of the SELECT before WHERE; `u` is the user and `k` the key.
    static let selectAccounts = """
        SELECT u.id AS user_id, u.email, u.name AS user_name, u.status, u.is_operator, u.created_at AS user_created_at,
               k.key_id, k.version, k.shown_prefix, k.generated_at, k.last_used_at, k.last_used_ip,
               m.role, w.id AS workspace_id, w.name AS workspace_name, w.created_at AS workspace_created_at,
               p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM users u
        JOIN api_keys k ON k.user_id = u.id
        LEFT JOIN memberships m ON m.user_id = u.id
        LEFT JOIN workspaces w ON w.id = m.workspace_id
        LEFT JOIN plans p ON p.id = w.plan_id
        LEFT JOIN plan_features f ON f.plan_id = p.id
        """

    static func account(_ id: UserID, _ connection: PostgresConnection) throws -> Account? {
        let rows = try connection.execute(
            "\(selectAccounts) WHERE u.id = $1 \(StoredValues.accountOrder)", [.text(id.rawValue)]
        ).rows
        return try StoredValues.accounts(rows).first
    }

    static func exists(_ id: UserID, _ connection: PostgresConnection) throws -> Bool {
        try connection.execute("SELECT 1 FROM users WHERE id = $1", [.text(id.rawValue)]).first != nil
    }

    /// - Parameter table: a name of this module's, never a value.
    static func count(_ table: StaticString, _ connection: PostgresConnection) throws -> Int {
        Int(try connection.execute("SELECT count(*) AS count FROM \(table)").first?.requiredNumber("count") ?? 0)
    }

    private static let leavesMembersWithoutOwner = """
        SELECT EXISTS (
            SELECT 1 FROM memberships mine
            WHERE mine.user_id = $1 AND mine.role = 'owner'
              AND EXISTS (
                SELECT 1 FROM memberships other
                WHERE other.workspace_id = mine.workspace_id AND other.user_id <> $1)
              AND NOT EXISTS (
                SELECT 1 FROM memberships other
                WHERE other.workspace_id = mine.workspace_id AND other.user_id <> $1 AND other.role = 'owner')
        ) AS leaves
        """

    private static let deleteLonelyWorkspaces = """
        DELETE FROM workspaces
        WHERE id IN (SELECT workspace_id FROM memberships WHERE user_id = $1)
          AND NOT EXISTS (
            SELECT 1 FROM memberships other
            WHERE other.workspace_id = workspaces.id AND other.user_id <> $1)
        """

    private static func insertUser(_ new: NewAccount, _ connection: PostgresConnection) throws {
        try connection.execute(
            """
            INSERT INTO users (id, email, name, status, is_operator, password_hash, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            [
                .text(new.user.id.rawValue), .text(new.user.email.rawValue), .text(new.user.name),
                .text(new.user.status.rawValue), .flag(new.user.isOperator), .text(new.passwordHash),
                .number(new.user.createdAt.millisecondsSinceEpoch),
            ])
    }

    private static func insertKey(_ new: NewAccount, _ connection: PostgresConnection) throws {
        let result = try connection.execute(
            """
            WITH \(sealingAllowed("$6"))
            INSERT INTO api_keys (user_id, key_id, version, shown_prefix, digest, master_key_id, box, generated_at)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8 FROM allowed
            """,
            [
                .text(new.user.id.rawValue), .text(new.key.id.rawValue), .number(new.key.version),
                .text(new.key.shownPrefix), .bytes(new.sealedKey.digest), .text(new.sealedKey.masterKeyID.rawValue),
                .bytes(new.sealedKey.box), .number(new.key.generatedAt.millisecondsSinceEpoch),
            ])
        guard result.touched == 1 else { throw KeybearerError.masterKeysRotated }
    }

    /// One row if nothing forbids to seal under a master key; it waits for a retirement that is being committed.
    static func sealingAllowed(_ parameter: StaticString) -> String {
        "allowed AS (SELECT 1 FROM sealing WHERE NOT (\(parameter) = ANY (retired)) FOR SHARE)"
    }
}
