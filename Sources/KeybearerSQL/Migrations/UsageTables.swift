extension CommonMigrations {
    static let createUsage = [
        // What requests came to, in quarters of an hour in UTC. An account's counts outlive its keys.
        """
        CREATE TABLE usage_counts (
            user_id {id} NOT NULL,
            quarter {number} NOT NULL,
            key_id  {id} NOT NULL,
            outcome {id} NOT NULL,
            count   {number} NOT NULL,
            PRIMARY KEY (user_id, quarter, key_id, outcome)
        ){clustered}
        """,
        "CREATE INDEX usage_counts_by_quarter ON usage_counts (quarter)",
        // The last batch of counts that each process has written, so that none is added twice.
        """
        CREATE TABLE usage_writers (
            id    {id} NOT NULL PRIMARY KEY,
            batch {number} NOT NULL,
            at    {number} NOT NULL
        ){strict}
        """,
    ]
}
