import Keybearer

/// A table as it is copied from one store to another: both engines have it, with the same columns.
package struct CopiedTable: Sendable {
    /// What a column holds.
    package enum Kind: Sendable {
        case text
        case number
        case flag
        case bytes
    }

    /// A column.
    package struct Column: Sendable {
        package let name: String
        package let kind: Kind
    }

    package let name: String
    package let columns: [Column]
    /// How many of the columns, from the first, are the primary key.
    package let keyCount: Int
    package let count: SQL
    package let clear: SQL
    /// The first rows in the order of the key, which compares bytes.
    let firstPage: SQL
    /// The rows behind a key.
    let pageAfter: SQL
    /// Adds one row.
    package let insert: SQL

    init(_ name: String, key keyCount: Int = 1, _ columns: [(String, Kind)]) {
        self.name = name
        self.keyCount = keyCount
        self.columns = columns.map { Column(name: $0.0, kind: $0.1) }
        let names = columns.map(\.0).joined(separator: ", ")
        let keys = columns.prefix(keyCount).map(\.0).joined(separator: ", ")
        let marks = { (numbers: ClosedRange<Int>) in numbers.map { "$\($0)" }.joined(separator: ", ") }
        count = SQL("SELECT count(*) AS count FROM \(name)")
        clear = SQL("DELETE FROM \(name)")
        firstPage = SQL("SELECT \(names) FROM \(name) ORDER BY \(keys) LIMIT $1")
        pageAfter = SQL(
            """
            SELECT \(names) FROM \(name)
            WHERE (\(keys)) > (\(marks(1...keyCount))) ORDER BY \(keys) LIMIT $\(keyCount + 1)
            """)
        insert = SQL("INSERT INTO \(name) (\(names)) VALUES (\(marks(1...columns.count)))")
    }
}

extension CopiedTable {
    /// All that is copied, each table behind those that it refers to. What is left behind: nodes, changes, recalls,
    /// and the batches of processes that write no more.
    package static let all = [
        plans, planFeatures, masterKeys, users, apiKeys, serviceKeyViews, pastKeys, workspaces, memberships, sessions,
        idempotentRequests, rateLimits, deletedAccountWindows, rateLimitSharedReservations, operatorTokens,
        endedOperatorTokens, portalLinks, invitations, identities, signInAttempts, secondFactors, recoveryCodes,
        pendingSignIns, mails, mailLinks, wantedEmails, knownDevices, storedSettings, erasures, auditEvents,
        auditChain, auditKeys, usageCounts, keyHistories, webhookEndpoints, webhookSequences, webhookMessages,
        webhookDeliveries, webhookAttempts, eventTypes,
    ]

    package static let users = CopiedTable(
        "users",
        [
            ("id", .text), ("email", .text), ("name", .text), ("status", .text), ("is_operator", .flag),
            ("password_hash", .text), ("password_version", .number), ("created_at", .number), ("external_id", .text),
            ("email_verified", .flag), ("version", .number), ("updated_at", .number), ("hourly_limit", .number),
            ("limit_ends_at", .number), ("default_workspace_id", .text), ("service_workspace_id", .text),
            ("allowed_networks", .text), ("disabled_by_operator", .flag), ("email_by_operator", .flag),
            ("made_by", .text),
        ])

    package static let auditEvents = CopiedTable(
        "audit_events",
        [
            ("sequence", .number), ("id", .text), ("at", .number), ("actor", .text), ("action", .text),
            ("user_id", .text), ("workspace_id", .text), ("address", .text), ("detail", .text), ("position", .number),
            ("user_agent", .text), ("request_id", .text), ("via", .text), ("old_value", .text), ("new_value", .text),
            ("seal_key_id", .text), ("salt", .bytes), ("commitment", .bytes), ("seal", .bytes),
        ])

    private static let auditChain = CopiedTable(
        "audit_chain",
        [
            ("id", .number), ("position", .number), ("seal", .bytes), ("checkpoint_position", .number),
            ("checkpoint_seal", .bytes), ("checkpoint_at", .number), ("checkpoint_key_id", .text),
            ("checkpoint_signature", .bytes),
        ])

    private static let auditKeys = CopiedTable(
        "audit_keys", [("id", .text), ("sealed_under", .text), ("box", .bytes)])

    private static let plans = CopiedTable(
        "plans",
        [
            ("id", .text), ("name", .text), ("hourly_limit", .number), ("billing_url", .text), ("position", .number),
        ])

    static let planFeatures = CopiedTable("plan_features", key: 2, [("plan_id", .text), ("feature", .text)])

    private static let masterKeys = CopiedTable(
        "master_keys",
        [
            ("id", .text), ("is_retired", .flag), ("seals", .flag), ("tags", .flag), ("tag_fingerprint", .bytes),
            ("digest_fingerprint", .bytes),
        ])

    private static let apiKeys = CopiedTable(
        "api_keys",
        [
            ("user_id", .text), ("key_id", .text), ("version", .number), ("shown_prefix", .text), ("digest", .bytes),
            ("master_key_id", .text), ("box", .bytes), ("generated_at", .number), ("last_used_at", .number),
            ("last_used_ip", .text), ("is_imported", .flag),
        ])

    private static let serviceKeyViews = CopiedTable(
        "service_key_views", key: 2,
        [("user_id", .text), ("viewer_id", .text), ("key_id", .text), ("at", .number)])

    private static let pastKeys = CopiedTable(
        "past_keys",
        [("digest", .bytes), ("master_key_id", .text), ("user_id", .text), ("ended_at", .number)])

    static let workspaces = CopiedTable(
        "workspaces",
        [
            ("id", .text), ("name", .text), ("plan_id", .text), ("created_at", .number), ("external_id", .text),
            ("is_suspended", .flag), ("version", .number), ("updated_at", .number), ("hourly_limit", .number),
            ("limit_ends_at", .number), ("plan_ends_at", .number), ("next_plan_id", .text),
        ])

    private static let memberships = CopiedTable(
        "memberships", key: 2, [("workspace_id", .text), ("user_id", .text), ("role", .text)])

    private static let sessions = CopiedTable(
        "sessions",
        [
            ("id", .text), ("user_id", .text), ("token_digest", .bytes), ("tag_key_id", .text), ("created_at", .number),
            ("authenticated_at", .number), ("last_seen_at", .number), ("address", .text), ("user_agent", .text),
            ("portal_token_id", .text), ("portal_section", .text), ("portal_workspace_id", .text),
            ("portal_return_url", .text),
        ])

    private static let idempotentRequests = CopiedTable(
        "idempotent_requests", key: 2,
        [
            ("scope", .text), ("key_digest", .bytes), ("request_digest", .bytes), ("resource", .text), ("at", .number),
        ])

    private static let rateLimits = CopiedTable("budgets", [("user_id", .text), ("rolling_hour", .bytes)])

    static let deletedAccountWindows = CopiedTable(
        "past_hours",
        [("user_id", .text), ("rolling_hour", .bytes), ("ended_at", .number), ("heir", .bytes)])

    /// What a crash left open still counts for every account.
    private static let rateLimitSharedReservations = CopiedTable(
        "budget_allowances", [("id", .number), ("holder", .text), ("minute", .number), ("count", .number)])

    private static let operatorTokens = CopiedTable(
        "operator_tokens",
        [
            ("id", .text), ("name", .text), ("scopes", .text), ("digest", .bytes), ("tag_key_id", .text),
            ("created_at", .number), ("expires_at", .number), ("shown_prefix", .text), ("last_used_at", .number),
            ("last_used_ip", .text),
        ])

    private static let endedOperatorTokens = CopiedTable(
        "ended_operator_tokens", [("id", .text), ("at", .number)])

    private static let erasures = CopiedTable(
        "erasures", [("user_id", .text), ("position", .number), ("at", .number)])

    private static let usageCounts = CopiedTable(
        "usage_counts", key: 4,
        [
            ("user_id", .text), ("quarter", .number), ("key_id", .text), ("outcome", .text), ("count", .number),
        ])

    private static let keyHistories = CopiedTable("key_histories", [("user_id", .text), ("history", .text)])

    private static let portalLinks = CopiedTable(
        "portal_links",
        [
            ("id", .text), ("digest", .bytes), ("tag_key_id", .text), ("user_id", .text), ("token_id", .text),
            ("section", .text), ("workspace_id", .text), ("return_url", .text), ("created_at", .number),
            ("expires_at", .number), ("used_at", .number), ("session_digest", .bytes),
        ])

    private static let invitations = CopiedTable(
        "invitations",
        [
            ("id", .text), ("digest", .bytes), ("tag_key_id", .text), ("workspace_id", .text), ("email", .text),
            ("role", .text), ("inviter_id", .text), ("created_at", .number), ("expires_at", .number),
            ("withdrawn_at", .number), ("accepted_at", .number), ("accepted_by", .text), ("requested_at", .number),
            ("requested_email", .text),
        ])

    static let identities = CopiedTable(
        "identities", key: 2,
        [("issuer", .text), ("subject", .text), ("user_id", .text), ("linked_at", .number)])

    private static let signInAttempts = CopiedTable(
        "sign_in_attempts",
        [("digest", .bytes), ("used_at", .number), ("issuer", .text), ("subject", .text), ("email", .text)])

    private static let secondFactors = CopiedTable(
        "second_factors",
        [
            ("user_id", .text), ("id", .text), ("master_key_id", .text), ("box", .bytes), ("last_step", .number),
            ("created_at", .number),
        ])

    static let recoveryCodes = CopiedTable(
        "recovery_codes", key: 2, [("user_id", .text), ("digest", .bytes)])

    private static let pendingSignIns = CopiedTable(
        "pending_sign_ins",
        [
            ("digest", .bytes), ("user_id", .text), ("password_version", .number), ("created_at", .number),
            ("attempts", .number),
        ])

    private static let mails = CopiedTable(
        "mails",
        [
            ("id", .text), ("kind", .text), ("topic", .text), ("user_id", .text), ("recipient", .text),
            ("requester", .text), ("invitation_id", .text), ("at", .number), ("address", .text),
            ("user_agent", .text), ("detail", .text), ("attempts", .number), ("next_attempt_at", .number),
            ("problem", .text), ("outcome", .text), ("ended_at", .number), ("claim", .bytes),
            ("claimed_until", .number),
        ])

    private static let mailLinks = CopiedTable(
        "mail_links",
        [
            ("digest", .bytes), ("tag_key_id", .text), ("purpose", .text), ("user_id", .text), ("email", .text),
            ("password_version", .number), ("invitation_id", .text), ("created_at", .number),
            ("expires_at", .number), ("used_at", .number), ("attempts", .number),
        ])

    private static let wantedEmails = CopiedTable(
        "wanted_emails", [("user_id", .text), ("email", .text), ("asked_at", .number)])

    private static let knownDevices = CopiedTable(
        "known_devices", key: 2,
        [
            ("user_id", .text), ("digest", .bytes), ("first_seen_at", .number), ("last_seen_at", .number),
            ("revealed_at", .number),
        ])

    private static let storedSettings = CopiedTable("stored_settings", [("name", .text), ("value", .text)])
}

extension SQLValue {
    /// Bytes that differ for different values, and for the same values at other places of a row: a kind, a length
    /// and the value.
    var canonicalForm: [UInt8] {
        let (kind, bytes): (UInt8, [UInt8]) =
            switch self {
            case .null: (0, [])
            case .text(let text): (1, Array(text.utf8))
            case .number(let number): (2, Array(String(number).utf8))
            case .flag(let flag): (3, [flag ? 1 : 0])
            case .bytes(let bytes): (4, bytes)
            }
        let length = UInt64(bytes.count)
        return [kind] + (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + bytes
    }
}

extension StoredRow {
    /// A column as it is copied.
    func value(_ column: CopiedTable.Column) -> SQLValue {
        switch column.kind {
        case .text: text(column.name).map { .text($0) } ?? .null
        case .number: number(column.name).map { .number($0) } ?? .null
        case .flag: flag(column.name).map { .flag($0) } ?? .null
        case .bytes: bytes(column.name).map { .bytes($0) } ?? .null
        }
    }
}
