/// The steps that give the audit log its positions, its seals and its pages. Frozen, as all steps are.
extension CommonMigrations {
    static let createAuditPositions = [
        "ALTER TABLE audit_events ADD COLUMN position {number}",
        "CREATE UNIQUE INDEX audit_events_by_position ON audit_events (position) WHERE position IS NOT NULL",
        "CREATE INDEX audit_events_by_user_position ON audit_events (user_id, position) WHERE position IS NOT NULL",
        "CREATE INDEX audit_events_unsealed ON audit_events (sequence) WHERE position IS NULL",
        // The last position that was given. Whoever gives one holds this row.
        "CREATE TABLE audit_chain (id {number} NOT NULL PRIMARY KEY CHECK (id = 1), position {number} NOT NULL){strict}",
        "INSERT INTO audit_chain (id, position) VALUES (1, 0)",
    ]

    static let createAuditSeals = [
        // What the request said of itself, whose portal link opened the session, and the value before and after.
        "ALTER TABLE audit_events ADD COLUMN user_agent TEXT",
        "ALTER TABLE audit_events ADD COLUMN request_id TEXT",
        "ALTER TABLE audit_events ADD COLUMN via TEXT",
        "ALTER TABLE audit_events ADD COLUMN old_value TEXT",
        "ALTER TABLE audit_events ADD COLUMN new_value TEXT",
        "ALTER TABLE audit_events ADD COLUMN seal_key_id TEXT",
        "ALTER TABLE audit_events ADD COLUMN salt {bytes}",
        "ALTER TABLE audit_events ADD COLUMN commitment {bytes}",
        "ALTER TABLE audit_events ADD COLUMN seal {bytes}",
        // Positions are given with seals.
        "UPDATE audit_events SET position = NULL WHERE position IS NOT NULL",
        "UPDATE audit_chain SET position = 0",
        "ALTER TABLE audit_chain ADD COLUMN seal {bytes}",
        // Behind which event the log begins, where older ones were removed because of their age.
        "ALTER TABLE audit_chain ADD COLUMN checkpoint_position {number}",
        "ALTER TABLE audit_chain ADD COLUMN checkpoint_seal {bytes}",
        "ALTER TABLE audit_chain ADD COLUMN checkpoint_at {number}",
        "ALTER TABLE audit_chain ADD COLUMN checkpoint_key_id TEXT",
        "ALTER TABLE audit_chain ADD COLUMN checkpoint_signature {bytes}",
        // The audit subkeys of retired master keys, sealed under one that is not.
        "CREATE TABLE audit_keys (id {id} NOT NULL PRIMARY KEY, sealed_under TEXT NOT NULL, box {bytes} NOT NULL){strict}",
    ]

    /// As the ids that they are compared with.
    static let collateAudit = """
        ALTER TABLE audit_events
            ALTER COLUMN actor TYPE TEXT COLLATE "C", ALTER COLUMN action TYPE TEXT COLLATE "C"
        """

    static let createAuditPages = [
        "CREATE INDEX audit_events_of_workspace ON audit_events (workspace_id, at, sequence) WHERE workspace_id IS NOT NULL",
        """
        CREATE INDEX audit_events_of_workspace_by_actor ON audit_events (workspace_id, actor, at, sequence)
        WHERE workspace_id IS NOT NULL
        """,
        """
        CREATE INDEX audit_events_of_workspace_by_action ON audit_events (workspace_id, action, at, sequence)
        WHERE workspace_id IS NOT NULL
        """,
        "CREATE INDEX audit_events_of_user_by_time ON audit_events (user_id, at, sequence) WHERE user_id IS NOT NULL",
        "CREATE INDEX audit_events_of_actor_by_time ON audit_events (actor, at, sequence)",
    ]

    /// The tables of the step "c7 ended tokens, erasures".
    static let createErasures = [
        // Operator tokens that were revoked and whose row waits for those who still use it.
        "CREATE TABLE ended_operator_tokens (id {id} NOT NULL PRIMARY KEY, at {number} NOT NULL){strict}",
        // Accounts that were deleted, until what tells who they were is out of the audit log: up to this event it is.
        """
        CREATE TABLE erasures (
            user_id  {id} NOT NULL PRIMARY KEY,
            position {number} NOT NULL,
            at       {number} NOT NULL
        ){strict}
        """,
        "CREATE INDEX audit_events_by_actor ON audit_events (actor, sequence)",
        "CREATE INDEX sessions_by_portal_workspace ON sessions (portal_workspace_id) WHERE portal_workspace_id IS NOT NULL",
        "CREATE INDEX portal_links_by_workspace ON portal_links (workspace_id)",
    ]
}
