/// The steps of version 0.1, frozen for ever: those behind them are in ``CommonMigrations``. Times are milliseconds
/// since the Unix epoch.
enum SQLiteMigrations {
    static let all: [(identifier: String, sql: String)] = [
        ("1 accounts, workspaces, fence", createEverything),
        ("2 operator tokens", createOperatorTokens),
        ("3 recalls of budget, labels of nodes", createReclaims),
        ("4 allowances of budget", createSharedReservations),
    ]

    /// `users.id` refers to `api_keys` and the other way round, checked at the end of a transaction: an account
    /// without its key cannot be committed, and the primary key of `api_keys` forbids a second one.
    private static let createEverything = """
        CREATE TABLE plans (
            id           TEXT NOT NULL PRIMARY KEY,
            name         TEXT NOT NULL,
            hourly_limit INTEGER NOT NULL,
            billing_url  TEXT,
            position     INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE plan_features (
            plan_id TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
            feature TEXT NOT NULL,
            PRIMARY KEY (plan_id, feature)
        ) STRICT, WITHOUT ROWID;

        INSERT INTO plans (id, name, hourly_limit, billing_url, position)
        VALUES ('free', 'Free', 1000, NULL, 0),
               ('pro', 'Pro', 1000, NULL, 1);
        INSERT INTO plan_features (plan_id, feature) VALUES ('pro', 'api_webhooks');

        CREATE TABLE users (
            id            TEXT NOT NULL PRIMARY KEY REFERENCES api_keys (user_id) DEFERRABLE INITIALLY DEFERRED,
            email         TEXT NOT NULL UNIQUE,
            name          TEXT NOT NULL,
            status        TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
            is_operator   INTEGER NOT NULL CHECK (is_operator IN (0, 1)),
            password_hash TEXT NOT NULL,
            created_at    INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX users_by_creation ON users (created_at, id);

        CREATE TABLE api_keys (
            user_id       TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            key_id        TEXT NOT NULL UNIQUE,
            version       INTEGER NOT NULL CHECK (version >= 1),
            shown_prefix  TEXT NOT NULL,
            digest        BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            master_key_id TEXT NOT NULL,
            box           BLOB NOT NULL,
            generated_at  INTEGER NOT NULL,
            last_used_at  INTEGER,
            last_used_ip  TEXT
        ) STRICT;
        CREATE INDEX api_keys_by_master_key ON api_keys (master_key_id, user_id);

        CREATE TABLE key_regenerations (
            user_id            TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            idempotency_digest BLOB NOT NULL,
            key_id             TEXT NOT NULL,
            change_number      INTEGER NOT NULL,
            change_mark        TEXT NOT NULL,
            at                 INTEGER NOT NULL,
            PRIMARY KEY (user_id, idempotency_digest)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX key_regenerations_by_time ON key_regenerations (at);

        CREATE TABLE workspaces (
            id         TEXT NOT NULL PRIMARY KEY,
            name       TEXT NOT NULL,
            plan_id    TEXT NOT NULL REFERENCES plans (id),
            created_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX workspaces_by_creation ON workspaces (created_at, id);

        CREATE TABLE memberships (
            workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
            user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            role         TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
            PRIMARY KEY (workspace_id, user_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX memberships_by_user ON memberships (user_id, workspace_id);

        CREATE TABLE sessions (
            id               TEXT NOT NULL PRIMARY KEY,
            user_id          TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            token_digest     BLOB NOT NULL UNIQUE,
            created_at       INTEGER NOT NULL,
            authenticated_at INTEGER NOT NULL,
            last_seen_at     INTEGER NOT NULL,
            address          TEXT NOT NULL,
            user_agent       TEXT NOT NULL
        ) STRICT;
        CREATE INDEX sessions_by_user ON sessions (user_id, created_at);

        CREATE TABLE budgets (
            user_id      TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            rolling_hour BLOB NOT NULL
        ) STRICT;

        CREATE TABLE changes (
            number       INTEGER PRIMARY KEY,
            mark         TEXT NOT NULL,
            subject_kind TEXT NOT NULL CHECK (subject_kind IN ('user', 'workspace', 'everything')),
            subject_id   TEXT,
            at           INTEGER NOT NULL
        ) STRICT;

        -- Master keys under which nothing may be sealed any more: a process that still holds an old ring must not make
        -- a key that no ring opens.
        CREATE TABLE retired_master_keys (
            id TEXT NOT NULL PRIMARY KEY
        ) STRICT;
        CREATE TRIGGER no_insert_under_retired_master_key BEFORE INSERT ON api_keys
        WHEN EXISTS (SELECT 1 FROM retired_master_keys WHERE id = NEW.master_key_id)
        BEGIN SELECT RAISE (ABORT, 'sealed under a retired master key'); END;
        CREATE TRIGGER no_update_under_retired_master_key BEFORE UPDATE OF box ON api_keys
        WHEN EXISTS (SELECT 1 FROM retired_master_keys WHERE id = NEW.master_key_id)
        BEGIN SELECT RAISE (ABORT, 'sealed under a retired master key'); END;

        CREATE TABLE nodes (
            id           TEXT NOT NULL PRIMARY KEY,
            acknowledged INTEGER NOT NULL,
            renewals     INTEGER NOT NULL,
            lease_ms     INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE audit_events (
            sequence     INTEGER PRIMARY KEY,
            id           TEXT NOT NULL UNIQUE,
            at           INTEGER NOT NULL,
            actor        TEXT NOT NULL,
            action       TEXT NOT NULL,
            user_id      TEXT,
            workspace_id TEXT,
            address      TEXT,
            detail       TEXT
        ) STRICT;
        CREATE INDEX audit_events_by_user ON audit_events (user_id, sequence);
        """

    private static let createOperatorTokens = """
        CREATE TABLE operator_tokens (
            id         TEXT NOT NULL PRIMARY KEY,
            name       TEXT NOT NULL,
            scopes     TEXT NOT NULL,
            digest     BLOB NOT NULL UNIQUE,
            created_at INTEGER NOT NULL
        ) STRICT;
        """

    private static let createReclaims = """
        ALTER TABLE nodes ADD COLUMN label TEXT NOT NULL DEFAULT '';

        CREATE TABLE budget_recalls (
            user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            round   INTEGER NOT NULL,
            at      INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX budget_recalls_by_time ON budget_recalls (at);
        """

    private static let createSharedReservations = """
        CREATE TABLE budget_allowances (
            id     INTEGER PRIMARY KEY AUTOINCREMENT,
            holder TEXT NOT NULL,
            minute INTEGER NOT NULL,
            count  INTEGER NOT NULL CHECK (count > 0)
        ) STRICT;
        """
}
