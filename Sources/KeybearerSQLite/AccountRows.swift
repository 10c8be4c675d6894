import Foundation
import GRDB
import Keybearer

/// The SELECT behind every account: one row per account, workspace and feature, for ``StoredValues``.
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

    static let order = StoredValues.accountOrder
}

extension Row: StoredRow {
    package func text(_ column: String) -> String? { self[column] }
    package func number(_ column: String) -> Int64? { self[column] }
    package func flag(_ column: String) -> Bool? { self[column] }
    package func bytes(_ column: String) -> [UInt8]? { (self[column] as Data?).map { [UInt8]($0) } }
}

extension Timestamp {
    /// The stored form.
    var milliseconds: Int64 { millisecondsSinceEpoch }
}
