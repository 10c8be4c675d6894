extension CommonMigrations {
    /// The columns and tables of the step "c16 key history, allowed networks".
    static let createKeyHistory = [
        // From where the account's key may be used, separated by spaces; NULL for everywhere.
        "ALTER TABLE users ADD COLUMN allowed_networks TEXT",
        // What was seen of an account's keys: see StoredKeyHistory.
        """
        CREATE TABLE key_histories (
            user_id {id} NOT NULL PRIMARY KEY,
            history TEXT NOT NULL
        ){strict}
        """,
    ]
}
