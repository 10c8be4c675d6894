import Foundation
import GRDB
import Keybearer

/// Reads accounts and plans from the rows of one SELECT each.
///
/// A SELECT of ``AccountRows`` has one row per account, workspace and feature, so that an account with everything a
/// decision needs comes from one statement and therefore from one state of the database.
enum AccountRows {
    /// The part of the SELECT before WHERE; `u` is the user and `k` the key.
    static let select = """
        SELECT u.id AS user_id, u.email, u.name AS user_name, u.status, u.is_operator, u.created_at AS user_created_at,
               k.key_id, k.version, k.shown_prefix, k.generated_at, k.last_used_at, k.last_used_ip,
               m.role, w.id AS workspace_id, w.name AS workspace_name, w.created_at AS workspace_created_at,
               p.id AS plan_id, p.name AS plan_name, p.hourly_limit, p.billing_url, p.position, f.feature
        FROM users u
        JOIN api_keys k ON k.user_id = u.id
        LEFT JOIN memberships m ON m.user_id = u.id
        LEFT JOIN workspaces w ON w.id = m.workspace_id
        LEFT JOIN plans p ON p.id = w.plan_id
        LEFT JOIN plan_features f ON f.plan_id = p.id
        """

    /// The ORDER BY that ``accounts(_:)`` relies on.
    static let order = "ORDER BY u.created_at, u.id, w.created_at, w.id"

    static func accounts(_ rows: [Row]) throws -> [Account] {
        try groups(rows, by: "user_id").map { rows in
            let workspaces = try groups(rows, by: "workspace_id").map(workspaceAccess)
            return try Account(user: user(rows[0]), key: key(rows[0]), workspaces: workspaces)
        }
    }

    static func user(_ row: Row) throws -> User {
        guard let status = User.Status(rawValue: row["status"]) else { throw KeybearerError.unreadable("users.status") }
        return User(
            id: UserID(rawValue: row["user_id"]), email: EmailAddress(normalised: row["email"]),
            name: row["user_name"], status: status, isOperator: row["is_operator"],
            createdAt: row.timestamp("user_created_at"))
    }

    static func key(_ row: Row) throws -> APIKey {
        var lastUse: LastUse?
        if let at = row["last_used_at"] as Int64?, let text = row["last_used_ip"] as String? {
            guard let address = IPAddress(text) else { throw KeybearerError.unreadable("api_keys.last_used_ip") }
            lastUse = LastUse(at: Timestamp(millisecondsSinceEpoch: at), address: address)
        }
        return APIKey(
            id: KeyID(rawValue: row["key_id"]), version: row["version"], shownPrefix: row["shown_prefix"],
            generatedAt: row.timestamp("generated_at"), lastUse: lastUse)
    }

    static func role(_ row: Row) throws -> Role {
        guard let role = Role(rawValue: row["role"]) else { throw KeybearerError.unreadable("memberships.role") }
        return role
    }

    static func workspace(_ row: Row) -> Workspace {
        Workspace(
            id: WorkspaceID(rawValue: row["workspace_id"]), name: row["workspace_name"],
            planID: PlanID(rawValue: row["plan_id"]), createdAt: row.timestamp("workspace_created_at"))
    }

    /// The plan of rows that differ in nothing but the feature.
    static func plan(_ rows: [Row]) -> Plan {
        let row = rows[0]
        let features = rows.compactMap { $0["feature"] as String? }.map(Feature.init(rawValue:))
        return Plan(
            id: PlanID(rawValue: row["plan_id"]), name: row["plan_name"], features: Set(features),
            hourlyLimit: row["hourly_limit"], billingURL: row["billing_url"], position: row["position"])
    }

    /// Neighbouring rows with the same text in a column; rows without one are left out.
    static func groups(_ rows: [Row], by column: String) -> [[Row]] {
        var groups: [[Row]] = []
        var current: String?
        for row in rows {
            guard let value = row[column] as String? else { continue }
            if value == current {
                groups[groups.count - 1].append(row)
            } else {
                groups.append([row])
                current = value
            }
        }
        return groups
    }

    private static func workspaceAccess(_ rows: [Row]) throws -> WorkspaceAccess {
        try WorkspaceAccess(workspace: workspace(rows[0]), role: role(rows[0]), plan: plan(rows))
    }
}

extension Row {
    /// A column of milliseconds since the Unix epoch.
    func timestamp(_ column: String) -> Timestamp { Timestamp(millisecondsSinceEpoch: self[column]) }

    /// A column of bytes.
    func bytes(_ column: String) -> [UInt8] { [UInt8](self[column] as Data) }
}

extension Timestamp {
    /// The stored form.
    var milliseconds: Int64 { millisecondsSinceEpoch }
}
