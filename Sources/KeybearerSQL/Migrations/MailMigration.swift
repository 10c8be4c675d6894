extension CommonMigrations {
    /// The table of the step "c9 mails".
    static let createMails = [
        // The outbox: what waits to be handed to the mail program, and what was given up. No reference to the account: a
        // row that refers to it would lock it where it is added, behind everything else.
        """
        CREATE TABLE mails (
            id              {id} NOT NULL PRIMARY KEY,
            user_id         {id} NOT NULL,
            kind            TEXT NOT NULL,
            recipient       TEXT NOT NULL,
            at              {number} NOT NULL,
            address         TEXT,
            attempts        {number} NOT NULL,
            next_attempt_at {number},
            problem         TEXT,
            claim           {bytes},
            claimed_until   {number}
        ){strict}
        """,
        "CREATE INDEX mails_by_user ON mails (user_id)",
        "CREATE INDEX mails_by_next_attempt ON mails (next_attempt_at) WHERE next_attempt_at IS NOT NULL",
    ]
}
