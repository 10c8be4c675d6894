extension CommonMigrations {
    /// The statements of the step "c18 who disabled, who gave the address, heirs of hours".
    static let createOrigins = [
        // Whether it was the operator who disabled the account, and who gave it an address that nobody vouched for.
        "ALTER TABLE users ADD COLUMN disabled_by_operator {flag} NOT NULL DEFAULT {no}",
        "ALTER TABLE users ADD COLUMN email_by_operator {flag} NOT NULL DEFAULT {no}",
        // Who gets the hour of a deleted account: the next one with the same digest of an address or a workspace.
        "ALTER TABLE past_hours ADD COLUMN heir {bytes}",
        "CREATE INDEX past_hours_by_heir ON past_hours (heir) WHERE heir IS NOT NULL",
    ]
}
