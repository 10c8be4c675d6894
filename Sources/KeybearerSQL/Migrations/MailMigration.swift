extension CommonMigrations {
    /// The tables of the step "c17 mail".
    static let createMails = [
        // The outbox: what waits for the mail program, and for some days what has ended. No reference to the account: a row
        // that refers to it would lock it where it is added, behind everything else.
        """
        CREATE TABLE mails (
            id              {id} NOT NULL PRIMARY KEY,
            kind            TEXT NOT NULL,
            topic           {id} NOT NULL,
            user_id         {id},
            recipient       {id} NOT NULL,
            requester       {id},
            invitation_id   {id},
            at              {number} NOT NULL,
            address         TEXT,
            user_agent      TEXT,
            detail          TEXT,
            attempts        {number} NOT NULL,
            next_attempt_at {number},
            problem         TEXT,
            outcome         TEXT,
            ended_at        {number},
            claim           {bytes},
            claimed_until   {number}
        ){strict}
        """,
        "CREATE INDEX mails_by_user ON mails (user_id) WHERE user_id IS NOT NULL",
        "CREATE INDEX mails_by_recipient ON mails (recipient, topic, at)",
        "CREATE INDEX mails_by_requester ON mails (requester, at) WHERE requester IS NOT NULL",
        "CREATE INDEX mails_by_next_attempt ON mails (next_attempt_at) WHERE next_attempt_at IS NOT NULL",
        "CREATE INDEX mails_by_time ON mails (at)",
        // The links in mails, by their digests.
        """
        CREATE TABLE mail_links (
            digest           {bytes} NOT NULL PRIMARY KEY,
            tag_key_id       {id} NOT NULL,
            purpose          TEXT NOT NULL,
            user_id          {id},
            email            {id} NOT NULL,
            password_version {number},
            invitation_id    {id},
            created_at       {number} NOT NULL,
            expires_at       {number} NOT NULL,
            used_at          {number},
            attempts         {number} NOT NULL
        ){strict}
        """,
        "CREATE INDEX mail_links_by_user ON mail_links (user_id) WHERE user_id IS NOT NULL",
        "CREATE INDEX mail_links_by_email ON mail_links (email)",
        "CREATE INDEX mail_links_by_end ON mail_links (expires_at)",
        // Addresses that holders of accounts want, until they are verified.
        """
        CREATE TABLE wanted_emails (
            user_id  {id} NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            email    TEXT NOT NULL,
            asked_at {number} NOT NULL
        ){strict}
        """,
        "CREATE INDEX wanted_emails_by_time ON wanted_emails (asked_at)",
        // The devices on which somebody signed in or saw the key.
        """
        CREATE TABLE known_devices (
            user_id       {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            digest        {bytes} NOT NULL,
            first_seen_at {number} NOT NULL,
            last_seen_at  {number} NOT NULL,
            revealed_at   {number},
            PRIMARY KEY (user_id, digest)
        ){strict}
        """,
        "CREATE INDEX known_devices_by_time ON known_devices (last_seen_at)",
    ]
}
