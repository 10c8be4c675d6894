extension CommonMigrations {
    /// The tables of the step "c19 webhooks".
    static let createWebhooks = [
        // Without a workspace: one of the operator's.
        """
        CREATE TABLE webhook_endpoints (
            id               {id} NOT NULL PRIMARY KEY,
            workspace_id     {id} REFERENCES workspaces (id) ON DELETE CASCADE,
            name             TEXT NOT NULL,
            url              TEXT NOT NULL,
            events           TEXT NOT NULL,
            state            TEXT NOT NULL,
            version          {number} NOT NULL,
            created_at       {number} NOT NULL,
            updated_at       {number} NOT NULL,
            master_key_id    {id} NOT NULL,
            box              {bytes} NOT NULL,
            previous_ends_at {number},
            failing_since    {number},
            notice           {number} NOT NULL,
            failures         {number} NOT NULL,
            paused_until     {number},
            sequence         {number} NOT NULL
        ){strict}
        """,
        "CREATE INDEX webhook_endpoints_by_workspace ON webhook_endpoints (workspace_id, created_at)",
        "CREATE INDEX webhook_endpoints_by_seal ON webhook_endpoints (master_key_id)",
        // The place that a workspace's last message has.
        """
        CREATE TABLE webhook_sequences (
            workspace_id {id} NOT NULL PRIMARY KEY,
            last         {number} NOT NULL
        ){strict}
        """,
        // What is told. No reference to workspaces and accounts: a row that refers to one would lock it where it is added,
        // behind everything else.
        """
        CREATE TABLE webhook_messages (
            id           {id} NOT NULL PRIMARY KEY,
            event        {id} NOT NULL,
            workspace_id {id},
            user_id      {id},
            endpoint_id  {id},
            excluded_id  {id},
            source       {id} UNIQUE,
            created_at   {number} NOT NULL,
            body         {bytes} NOT NULL,
            spread_at    {number}
        ){strict}
        """,
        "CREATE INDEX webhook_messages_new ON webhook_messages (created_at, id) WHERE spread_at IS NULL",
        "CREATE INDEX webhook_messages_by_time ON webhook_messages (created_at)",
        "CREATE INDEX webhook_messages_by_user ON webhook_messages (user_id) WHERE user_id IS NOT NULL",
        // What becomes of a message at an endpoint. A claim touches no index.
        """
        CREATE TABLE webhook_deliveries (
            endpoint_id     {id} NOT NULL,
            message_id      {id} NOT NULL,
            event           {id} NOT NULL,
            sequence        {number} NOT NULL,
            created_at      {number} NOT NULL,
            state           {id} NOT NULL,
            attempts        {number} NOT NULL,
            attempts_before {number} NOT NULL,
            due_at          {number},
            ended_at        {number},
            claim           {bytes},
            claimed_until   {number},
            PRIMARY KEY (endpoint_id, message_id)
        ){strict}
        """,
        """
        CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, message_id)
        WHERE due_at IS NOT NULL
        """,
        "CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (endpoint_id, created_at, message_id)",
        "CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (endpoint_id, state, created_at, message_id)",
        "CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (endpoint_id, event, created_at, message_id)",
        "CREATE INDEX webhook_deliveries_by_message ON webhook_deliveries (message_id)",
        """
        CREATE TABLE webhook_attempts (
            message_id  {id} NOT NULL,
            endpoint_id {id} NOT NULL,
            number      {number} NOT NULL,
            at          {number} NOT NULL,
            duration_ms {number} NOT NULL,
            headers     TEXT NOT NULL,
            status      {number},
            problem     TEXT,
            response    {bytes} NOT NULL,
            PRIMARY KEY (message_id, endpoint_id, number)
        ){strict}
        """,
        // The product's own events.
        """
        CREATE TABLE event_types (
            name        {id} NOT NULL PRIMARY KEY,
            description TEXT NOT NULL,
            example     TEXT,
            updated_at  {number} NOT NULL
        ){strict}
        """,
    ]
}
