/// The engines that a migration is written for.
package enum Dialect: Sendable {
    case sqlite
    case postgres
}

/// The steps behind those of version 0.1, one list for both engines.
///
/// A step is a frozen text: it is never edited after a release, and a new one is added at the end. Where the engines'
/// types differ, a word in braces stands for them. Times are milliseconds since the Unix epoch.
package enum CommonMigrations {
    /// One step.
    package struct Migration: Sendable {
        /// Names it for ever.
        package let identifier: String
        /// Whether programs that do not know this step can go on beside it.
        package let isCompatible: Bool
        let statements: [String]
        let before: [Dialect: [String]]
        let after: [Dialect: [String]]

        init(
            _ identifier: String, isCompatible: Bool, _ statements: [String], before: [Dialect: [String]] = [:],
            after: [Dialect: [String]] = [:]
        ) {
            self.identifier = identifier
            self.isCompatible = isCompatible
            self.statements = statements
            self.before = before
            self.after = after
        }

        /// The statements for one engine, in order.
        package func statements(for dialect: Dialect) -> [String] {
            (before[dialect] ?? [])
                + statements.map { CommonMigrations.translate($0, for: dialect) }
                + (after[dialect] ?? [])
        }
    }

    package static let all = [
        Migration(
            "c1 master keys, past keys, authority", isCompatible: false, createMasterKeys,
            before: [
                .sqlite: [
                    "DROP TRIGGER no_insert_under_retired_master_key",
                    "DROP TRIGGER no_update_under_retired_master_key",
                ]
            ],
            after: [
                .sqlite: [
                    """
                    INSERT INTO master_keys (id, is_retired, seals, tags) SELECT id, 1, 0, 0 FROM retired_master_keys
                    WHERE true ON CONFLICT (id) DO UPDATE SET is_retired = 1
                    """,
                    "DROP TABLE retired_master_keys",
                ],
                .postgres: [
                    """
                    INSERT INTO master_keys (id, is_retired, seals, tags)
                    SELECT unnest(retired), true, false, false FROM sealing
                    ON CONFLICT (id) DO UPDATE SET is_retired = true
                    """,
                    "DROP TABLE sealing",
                ],
            ]),
        Migration("c2 hours of deleted accounts", isCompatible: true, createDeletedAccountWindows),
        // A node that does not know them would let a suspended workspace pass.
        Migration("c3 external ids, operator API", isCompatible: false, createOperatorAPI),
        // A node that does not know them would let a plan's limit hold instead.
        // What an earlier step has written is checked before a table gets columns.
        Migration(
            "c4 limits, ends of plans", isCompatible: false, createLimits,
            before: [.postgres: ["SET CONSTRAINTS ALL IMMEDIATE"]],
            // Whoever fills the new tables in the same transaction adds accounts before their keys.
            after: [.postgres: ["SET CONSTRAINTS ALL DEFERRED"]]),
        // A node that does not know them would refuse imported keys.
        Migration("c5 imported keys", isCompatible: false, createImportedKeys),
        // A node that does not know them would leave a stranger's identity with an account that is taken over.
        Migration("c6 identities at providers", isCompatible: false, createIdentities),
        // A node that does not know them looks at the tokens themselves, which go as well.
        Migration("c7 ended tokens, erasures", isCompatible: true, createErasures),
        // A node that does not know them counts nothing.
        Migration("c8 usage", isCompatible: true, createUsage),
        Migration("c9 default workspaces", isCompatible: true, createDefaultWorkspaces),
        // A rotation by a process that does not know them could drop the tag that they carry.
        Migration("c10 invitations", isCompatible: false, createInvitations),
        // A node that does not know them would let a password alone pass.
        Migration("c11 second factors", isCompatible: false, createSecondFactors),
        // The rows of a node that does not know them get their positions from the others.
        Migration(
            "c12 audit positions", isCompatible: true, createAuditPositions,
            // Who wrote a row: the default is the same for all rows that are there, so the table is not written again.
            after: [.postgres: ["ALTER TABLE audit_events ADD COLUMN writer xid8 DEFAULT pg_current_xact_id()"]]),
        // A node that does not know them would erase without the salt, so that the log looks changed.
        Migration("c13 audit seals", isCompatible: false, createAuditSeals),
        Migration(
            "c14 pages of the audit log", isCompatible: true, createAuditPages, before: [.postgres: [collateAudit]]),
        // A node that does not know them would sign them in by portal links and make them Owners.
        Migration("c15 service accounts", isCompatible: false, createServiceAccounts),
        // A node that does not know them would let every address pass.
        Migration("c16 key history, allowed networks", isCompatible: false, createKeyHistory),
        // A rotation by a process that does not know them could drop the tag that their links carry.
        Migration("c17 mail", isCompatible: false, createMails),
        // A node that does not know them would let an Admin enable what the operator has disabled.
        Migration("c18 who disabled, who gave the address, heirs of hours", isCompatible: false, createOrigins),
        // A rotation by a process that does not know them could retire what seals their secrets.
        Migration("c19 webhooks", isCompatible: false, createWebhooks),
        // What a node that does not know it makes belongs to an Owner.
        Migration("c20 who is responsible, new messages in turn", isCompatible: true, createResponsible),
    ]

    private static let createImportedKeys = [
        "ALTER TABLE api_keys ADD COLUMN is_imported {flag} NOT NULL DEFAULT {no}",
        // Nodes read all of these digests when they start.
        "CREATE INDEX api_keys_imported ON api_keys (digest) WHERE is_imported",
    ]

    private static let createDeletedAccountWindows = [
        """
        CREATE TABLE past_hours (
            user_id      {id} NOT NULL PRIMARY KEY,
            rolling_hour {bytes} NOT NULL,
            ended_at     {number} NOT NULL
        ){strict}
        """
    ]

    private static let createOperatorAPI = [
        "ALTER TABLE users ADD COLUMN external_id TEXT",
        "CREATE UNIQUE INDEX users_by_external_id ON users (external_id)",
        "ALTER TABLE users ADD COLUMN email_verified {flag} NOT NULL DEFAULT {no}",
        "ALTER TABLE users ADD COLUMN version {number} NOT NULL DEFAULT 1",
        "ALTER TABLE users ADD COLUMN updated_at {number} NOT NULL DEFAULT 0",
        "UPDATE users SET updated_at = created_at",
        // The operator typed these addresses.
        """
        UPDATE users SET email_verified = {yes}
        WHERE id IN (SELECT user_id FROM audit_events WHERE action = 'user.created' AND actor = 'cli')
        """,
        "ALTER TABLE workspaces ADD COLUMN external_id TEXT",
        "CREATE UNIQUE INDEX workspaces_by_external_id ON workspaces (external_id)",
        "ALTER TABLE workspaces ADD COLUMN is_suspended {flag} NOT NULL DEFAULT {no}",
        "ALTER TABLE workspaces ADD COLUMN version {number} NOT NULL DEFAULT 1",
        "ALTER TABLE workspaces ADD COLUMN updated_at {number} NOT NULL DEFAULT 0",
        "UPDATE workspaces SET updated_at = created_at",
        "ALTER TABLE operator_tokens ADD COLUMN expires_at {number}",
        "ALTER TABLE operator_tokens ADD COLUMN shown_prefix TEXT",
        "ALTER TABLE operator_tokens ADD COLUMN last_used_at {number}",
        "ALTER TABLE operator_tokens ADD COLUMN last_used_ip TEXT",
        // A link that the product made for one of its users, until a day behind its end: what has ended leads back.
        """
        CREATE TABLE portal_links (
            id           {id} NOT NULL PRIMARY KEY,
            digest       {bytes} NOT NULL UNIQUE,
            tag_key_id   TEXT NOT NULL,
            user_id      {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            token_id     {id} NOT NULL,
            section      TEXT NOT NULL,
            workspace_id {id},
            return_url   TEXT,
            created_at   {number} NOT NULL,
            expires_at   {number} NOT NULL,
            used_at      {number},
            session_digest {bytes}
        ){strict}
        """,
        "CREATE INDEX portal_links_by_user ON portal_links (user_id)",
        "CREATE INDEX portal_links_by_end ON portal_links (expires_at)",
        "CREATE INDEX portal_links_by_session ON portal_links (session_digest)",
        // The sessions that such links open; nil for those of a sign-in.
        "ALTER TABLE sessions ADD COLUMN portal_token_id TEXT",
        "ALTER TABLE sessions ADD COLUMN portal_section TEXT",
        "ALTER TABLE sessions ADD COLUMN portal_workspace_id TEXT",
        "ALTER TABLE sessions ADD COLUMN portal_return_url TEXT",
        "CREATE INDEX sessions_by_portal_token ON sessions (portal_token_id) WHERE portal_token_id IS NOT NULL",
    ]

    private static let createLimits = [
        "ALTER TABLE users ADD COLUMN hourly_limit {number}",
        "ALTER TABLE users ADD COLUMN limit_ends_at {number}",
        "CREATE INDEX users_by_limit ON users (hourly_limit) WHERE hourly_limit IS NOT NULL",
        "CREATE INDEX users_by_limit_end ON users (limit_ends_at) WHERE limit_ends_at IS NOT NULL",
        "ALTER TABLE workspaces ADD COLUMN hourly_limit {number}",
        "ALTER TABLE workspaces ADD COLUMN limit_ends_at {number}",
        "CREATE INDEX workspaces_by_limit ON workspaces (hourly_limit) WHERE hourly_limit IS NOT NULL",
        "CREATE INDEX workspaces_by_limit_end ON workspaces (limit_ends_at) WHERE limit_ends_at IS NOT NULL",
        "ALTER TABLE workspaces ADD COLUMN plan_ends_at {number}",
        "ALTER TABLE workspaces ADD COLUMN next_plan_id {id} REFERENCES plans (id)",
        "CREATE INDEX workspaces_by_plan_end ON workspaces (plan_ends_at) WHERE plan_ends_at IS NOT NULL",
    ]

    private static let createIdentities = [
        // Who somebody is at an OpenID Connect provider.
        """
        CREATE TABLE identities (
            issuer    {id} NOT NULL,
            subject   {id} NOT NULL,
            user_id   {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            linked_at {number} NOT NULL,
            PRIMARY KEY (issuer, subject)
        ){strict}
        """,
        "CREATE INDEX identities_by_user ON identities (user_id)",
        // Ways to a provider and back that were used, so that none is used twice; and who came back, where no account
        // has that identity yet.
        """
        CREATE TABLE sign_in_attempts (
            digest  {bytes} NOT NULL PRIMARY KEY,
            used_at {number} NOT NULL,
            issuer  TEXT,
            subject TEXT,
            email   TEXT
        ){strict}
        """,
        "CREATE INDEX sign_in_attempts_by_time ON sign_in_attempts (used_at)",
    ]

    private static func translate(_ text: String, for dialect: Dialect) -> String {
        let words: [(String, sqlite: String, postgres: String)] = [
            ("{id}", "TEXT", "TEXT COLLATE \"C\""), ("{number}", "INTEGER", "BIGINT"), ("{bytes}", "BLOB", "BYTEA"),
            ("{flag}", "INTEGER", "BOOLEAN"), ("{yes}", "1", "true"), ("{no}", "0", "false"),
            ("{strict}", " STRICT", ""), ("{clustered}", " STRICT, WITHOUT ROWID", ""),
        ]
        return words.reduce(text) { $0.replacing($1.0, with: dialect == .sqlite ? $1.sqlite : $1.postgres) }
    }

    private static let createMasterKeys = [
        // The master keys that a process must hold, by what they are good for: those that seal and digest live keys,
        // and those whose tag a live key or token carries. A retired one seals nothing any more.
        """
        CREATE TABLE master_keys (
            id                 {id} NOT NULL PRIMARY KEY,
            is_retired         {flag} NOT NULL,
            seals              {flag} NOT NULL,
            tags               {flag} NOT NULL,
            tag_fingerprint    {bytes},
            digest_fingerprint {bytes}
        ){strict}
        """,
        """
        INSERT INTO master_keys (id, is_retired, seals, tags)
        SELECT DISTINCT master_key_id, {no}, {yes}, {yes} FROM api_keys
        """,
        // Digests that lived here: what is among them is never taken in again.
        """
        CREATE TABLE past_keys (
            digest        {bytes} NOT NULL PRIMARY KEY,
            master_key_id {id} NOT NULL,
            user_id       {id} NOT NULL,
            ended_at      {number} NOT NULL
        ){strict}
        """,
        "CREATE INDEX past_keys_by_user ON past_keys (user_id, ended_at)",
        // What requests with an Idempotency-Key led to. The scope is an account or an operator token.
        """
        CREATE TABLE idempotent_requests (
            scope          {id} NOT NULL,
            key_digest     {bytes} NOT NULL,
            request_digest {bytes},
            resource       {id} NOT NULL,
            at             {number} NOT NULL,
            PRIMARY KEY (scope, key_digest)
        ){strict}
        """,
        "CREATE INDEX idempotent_requests_by_time ON idempotent_requests (at)",
        """
        INSERT INTO idempotent_requests (scope, key_digest, resource, at)
        SELECT user_id, idempotency_digest, key_id, at FROM key_regenerations
        """,
        "DROP TABLE key_regenerations",
        // Facts about the database, and defaults of settings that depend on who made it.
        """
        CREATE TABLE stored_settings (
            name  {id} NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        ){strict}
        """,
        """
        INSERT INTO stored_settings (name, value)
        SELECT 'regenerate-by-key', CASE WHEN count(*) > 0 THEN 'open' ELSE 'closed' END FROM users
        """,
        // The highest cost that a password was ever hashed at: a sign-in takes as long for every address.
        // `GROUP BY`: without such passwords no row is inserted.
        """
        INSERT INTO stored_settings (name, value)
        SELECT 'password-cost', CAST(max(CAST(substr(password_hash, 12, 2) AS {number})) AS TEXT) FROM users
        WHERE substr(password_hash, 1, 11) = '$scrypt$ln=' GROUP BY substr(password_hash, 1, 11)
        """,
        "ALTER TABLE users ADD COLUMN password_version {number} NOT NULL DEFAULT 1",
        // Sessions of version 0.1 carry no tag: they end with the upgrade.
        "DELETE FROM sessions",
        "ALTER TABLE sessions ADD COLUMN tag_key_id TEXT",
        "ALTER TABLE operator_tokens ADD COLUMN tag_key_id TEXT",
        "DELETE FROM nodes",
        "ALTER TABLE nodes ADD COLUMN version TEXT NOT NULL DEFAULT ''",
    ]
}
