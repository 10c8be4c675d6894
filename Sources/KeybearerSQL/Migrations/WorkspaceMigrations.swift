extension CommonMigrations {
    static let createDefaultWorkspaces = [
        // The workspace that a person's dashboard begins with. It may be gone, or not be the person's any more.
        "ALTER TABLE users ADD COLUMN default_workspace_id {id}"
    ]

    static let createInvitations = [
        // Whoever invited, and the workspace, may be gone: the link says so until the row is removed.
        """
        CREATE TABLE invitations (
            id           {id} NOT NULL PRIMARY KEY,
            digest       {bytes} NOT NULL UNIQUE,
            tag_key_id   TEXT NOT NULL,
            workspace_id {id} NOT NULL,
            email        {id} NOT NULL,
            role         TEXT NOT NULL,
            inviter_id   {id} NOT NULL,
            created_at   {number} NOT NULL,
            expires_at   {number} NOT NULL,
            withdrawn_at {number},
            accepted_at  {number},
            accepted_by  {id},
            requested_at {number},
            requested_email {id}
        ){strict}
        """,
        "CREATE INDEX invitations_by_workspace ON invitations (workspace_id, created_at)",
        "CREATE INDEX invitations_by_email ON invitations (email)",
        "CREATE INDEX invitations_by_request ON invitations (requested_email) WHERE requested_email IS NOT NULL",
        "CREATE INDEX invitations_by_member ON invitations (accepted_by) WHERE accepted_by IS NOT NULL",
        "CREATE INDEX invitations_by_inviter ON invitations (inviter_id)",
        "CREATE INDEX invitations_by_end ON invitations (expires_at)",
    ]

    static let createServiceAccounts = [
        // The one workspace of a service account; NULL for a person. Its id is where others have their address.
        "ALTER TABLE users ADD COLUMN service_workspace_id {id}",
        "CREATE INDEX users_by_service_workspace ON users (service_workspace_id) WHERE service_workspace_id IS NOT NULL",
        // Who has seen the key of a service account, until it is regenerated. Who saw it may be gone.
        """
        CREATE TABLE service_key_views (
            user_id   {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            viewer_id {id} NOT NULL,
            key_id    {id} NOT NULL,
            at        {number} NOT NULL,
            PRIMARY KEY (user_id, viewer_id)
        ){strict}
        """,
        "CREATE INDEX service_key_views_by_viewer ON service_key_views (viewer_id)",
    ]
}
