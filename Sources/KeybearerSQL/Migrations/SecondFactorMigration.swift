extension CommonMigrations {
    /// The tables of the step "c11 second factors".
    static let createSecondFactors = [
        // What an authenticator app shares with an account, and the last step whose code was used.
        """
        CREATE TABLE second_factors (
            user_id       {id} NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            id            {id} NOT NULL,
            master_key_id {id} NOT NULL,
            box           {bytes} NOT NULL,
            last_step     {number} NOT NULL,
            created_at    {number} NOT NULL
        ){strict}
        """,
        "CREATE INDEX second_factors_by_master_key ON second_factors (master_key_id)",
        // Those that were not used yet.
        """
        CREATE TABLE recovery_codes (
            user_id {id} NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
            digest  {bytes} NOT NULL,
            PRIMARY KEY (user_id, digest)
        ){strict}
        """,
        // Who has given the password and not the code yet.
        """
        CREATE TABLE pending_sign_ins (
            digest           {bytes} NOT NULL PRIMARY KEY,
            user_id          {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            password_version {number} NOT NULL,
            created_at       {number} NOT NULL,
            attempts         {number} NOT NULL
        ){strict}
        """,
        "CREATE INDEX pending_sign_ins_by_user ON pending_sign_ins (user_id, created_at)",
        "CREATE INDEX pending_sign_ins_by_time ON pending_sign_ins (created_at)",
    ]
}
