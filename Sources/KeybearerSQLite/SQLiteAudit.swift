import GRDB
public import Keybearer

extension SQLiteStore {
    public func auditEvents(userID: UserID?, limit: Int) async throws -> [AuditEvent] {
        try await read { db in
            let filter = userID == nil ? "" : "WHERE user_id = :user"
            var arguments: StatementArguments = ["limit": max(0, limit)]
            if let userID { arguments += ["user": userID.rawValue] }
            return try Row.fetchAll(
                db, sql: "SELECT * FROM audit_events \(filter) ORDER BY sequence DESC LIMIT :limit",
                arguments: arguments
            ).map { try StoredValues.auditEvent($0) }
        }
    }

    /// Writes an audit row in the caller's transaction: what fails leaves no row, and what leaves no row fails.
    static func record(_ event: AuditEvent, _ db: Database) throws {
        try db.executeCached(
            sql: """
                INSERT INTO audit_events (id, at, actor, action, user_id, workspace_id, address, detail)
                VALUES (:id, :at, :actor, :action, :user, :workspace, :address, :detail)
                """,
            arguments: [
                "id": event.id.rawValue, "at": event.at.milliseconds, "actor": event.actor.storedForm,
                "action": event.action.rawValue, "user": event.userID?.rawValue,
                "workspace": event.workspaceID?.rawValue, "address": event.address?.description,
                "detail": event.detail,
            ])
    }
}
