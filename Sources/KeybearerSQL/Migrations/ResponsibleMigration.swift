extension CommonMigrations {
    /// The statements of the step "c20 who is responsible, new messages in turn".
    static let createResponsible = [
        // Who made a service account. No reference: a row that refers to one would lock it where it is added.
        "ALTER TABLE users ADD COLUMN made_by {id}",
        // Those of each workspace, however many another one has.
        """
        CREATE INDEX webhook_messages_new_in_turn ON webhook_messages (coalesce(workspace_id, ''), created_at, id)
        WHERE spread_at IS NULL
        """,
    ]
}
