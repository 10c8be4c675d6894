/// A table as it is copied from one store to another: both have it, with the same columns.
package struct TransferTable: Sendable {
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

    private init(_ name: String, key keyCount: Int = 1, _ columns: [(String, Kind)]) {
        self.name = name
        self.keyCount = keyCount
        self.columns = columns.map { Column(name: $0.0, kind: $0.1) }
    }
}

extension TransferTable {
    /// All that is copied, each table behind those that it refers to. What is left behind: nodes, changes, recalls.
    package static let all = [
        plans, planFeatures, users, apiKeys, workspaces, memberships, sessions, keyRegenerations, budgets,
        budgetAllowances, operatorTokens, retiredMasterKeys, auditEvents,
    ]

    package static let users = TransferTable(
        "users",
        [
            ("id", .text), ("email", .text), ("name", .text), ("status", .text), ("is_operator", .flag),
            ("password_hash", .text), ("created_at", .number),
        ])

    /// In PostgreSQL no table but a list in one row.
    package static let retiredMasterKeys = TransferTable("retired_master_keys", [("id", .text)])

    package static let auditEvents = TransferTable(
        "audit_events",
        [
            ("sequence", .number), ("id", .text), ("at", .number), ("actor", .text), ("action", .text),
            ("user_id", .text), ("workspace_id", .text), ("address", .text), ("detail", .text),
        ])

    private static let plans = TransferTable(
        "plans",
        [
            ("id", .text), ("name", .text), ("hourly_limit", .number), ("billing_url", .text), ("position", .number),
        ])

    private static let planFeatures = TransferTable("plan_features", key: 2, [("plan_id", .text), ("feature", .text)])

    private static let apiKeys = TransferTable(
        "api_keys",
        [
            ("user_id", .text), ("key_id", .text), ("version", .number), ("shown_prefix", .text), ("digest", .bytes),
            ("master_key_id", .text), ("box", .bytes), ("generated_at", .number), ("last_used_at", .number),
            ("last_used_ip", .text),
        ])

    private static let workspaces = TransferTable(
        "workspaces", [("id", .text), ("name", .text), ("plan_id", .text), ("created_at", .number)])

    private static let memberships = TransferTable(
        "memberships", key: 2, [("workspace_id", .text), ("user_id", .text), ("role", .text)])

    private static let sessions = TransferTable(
        "sessions",
        [
            ("id", .text), ("user_id", .text), ("token_digest", .bytes), ("created_at", .number),
            ("authenticated_at", .number), ("last_seen_at", .number), ("address", .text), ("user_agent", .text),
        ])

    private static let keyRegenerations = TransferTable(
        "key_regenerations", key: 2,
        [
            ("user_id", .text), ("idempotency_digest", .bytes), ("key_id", .text), ("change_number", .number),
            ("change_mark", .text), ("at", .number),
        ])

    private static let budgets = TransferTable("budgets", [("user_id", .text), ("rolling_hour", .bytes)])

    /// What a crash left open still counts for every account.
    private static let budgetAllowances = TransferTable(
        "budget_allowances", [("id", .number), ("holder", .text), ("minute", .number), ("count", .number)])

    private static let operatorTokens = TransferTable(
        "operator_tokens",
        [("id", .text), ("name", .text), ("scopes", .text), ("digest", .bytes), ("created_at", .number)])
}

/// One value of a row on its way from one store to another.
package enum StoredValue: Sendable, Hashable {
    case null
    case text(String)
    case number(Int64)
    case flag(Bool)
    case bytes([UInt8])

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
    package func value(_ column: TransferTable.Column) -> StoredValue {
        switch column.kind {
        case .text: text(column.name).map { .text($0) } ?? .null
        case .number: number(column.name).map { .number($0) } ?? .null
        case .flag: flag(column.name).map { .flag($0) } ?? .null
        case .bytes: bytes(column.name).map { .bytes($0) } ?? .null
        }
    }
}
