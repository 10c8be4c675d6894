import Foundation
import GRDB
public import Keybearer

extension SQLiteStore {
    public func createAccount(_ new: NewAccount, audit: AuditEvent) async throws -> Account {
        try await write { db in
            if try Bool.fetchOne(
                db, sql: "SELECT EXISTS (SELECT 1 FROM users WHERE email = ?)", arguments: [new.user.email.rawValue]
            ) == true {
                throw KeybearerError.emailTaken
            }
            try Self.insertUser(new, db)
            try Self.insertKey(new, db)
            try Self.insertWorkspace(
                id: new.workspaceID, name: new.workspaceName, owner: new.user.id, createdAt: new.user.createdAt, db)
            try Self.record(audit, db)
            guard let account = try Self.account(new.user.id, db) else { throw KeybearerError.noSuchAccount }
            return account
        }
    }

    public func account(id: UserID) async throws -> Account? {
        try await read { db in try Self.account(id, db) }
    }

    public func account(email: EmailAddress) async throws -> Account? {
        try await read { db in
            let rows = try Row.fetchAll(
                db, sql: "\(AccountRows.select) WHERE u.email = ? \(AccountRows.order)", arguments: [email.rawValue])
            return try StoredValues.accounts(rows).first
        }
    }

    public func accounts(offset: Int, limit: Int) async throws -> (page: [Account], total: Int) {
        try await read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    \(AccountRows.select)
                    WHERE u.id IN (SELECT id FROM users ORDER BY created_at, id LIMIT :limit OFFSET :offset)
                    \(AccountRows.order)
                    """,
                arguments: ["limit": max(0, limit), "offset": max(0, offset)])
            let total = try Int.fetchOne(db, sql: "SELECT count(*) FROM users") ?? 0
            return (try StoredValues.accounts(rows), total)
        }
    }

    public func passwordHash(of userID: UserID) async throws -> String? {
        try await read { db in
            try String.fetchOne(
                db, sql: "SELECT password_hash FROM users WHERE id = ?", arguments: [userID.rawValue])
        }
    }

    public func setPasswordHash(
        _ hash: String, of userID: UserID, keeping session: SessionID?, audit: AuditEvent
    ) async throws -> ChangePosition {
        try await change(.user(userID), audit: audit) { db in
            try db.executeCached(
                sql: "UPDATE users SET password_hash = ? WHERE id = ?", arguments: [hash, userID.rawValue])
            guard db.changesCount == 1 else { throw KeybearerError.noSuchAccount }
            try db.executeCached(
                sql: "DELETE FROM sessions WHERE user_id = ? AND id IS NOT ?",
                arguments: [userID.rawValue, session?.rawValue])
        }
    }

    public func setStatus(
        _ status: User.Status, of userID: UserID, audit: AuditEvent
    ) async throws -> ChangePosition {
        try await change(.user(userID), audit: audit) { db in
            try db.executeCached(
                sql: "UPDATE users SET status = ? WHERE id = ?", arguments: [status.rawValue, userID.rawValue])
            guard db.changesCount == 1 else { throw KeybearerError.noSuchAccount }
            if status == .disabled {
                try db.executeCached(sql: "DELETE FROM sessions WHERE user_id = ?", arguments: [userID.rawValue])
            }
        }
    }

    public func deleteAccount(_ userID: UserID, audit: AuditEvent) async throws -> ChangePosition {
        try await change(.user(userID), audit: audit) { db in
            let arguments: StatementArguments = ["user": userID.rawValue]
            if try Bool.fetchOne(db, sql: Self.leavesMembersWithoutOwner, arguments: arguments) == true {
                throw KeybearerError.lastOwner
            }
            try db.executeCached(sql: Self.deleteLonelyWorkspaces, arguments: arguments)
            // The key, the sessions, the memberships and the hour go with the account by ON DELETE CASCADE.
            try db.executeCached(sql: "DELETE FROM users WHERE id = :user", arguments: arguments)
            guard db.changesCount == 1 else { throw KeybearerError.noSuchAccount }
        }
    }

    private static let leavesMembersWithoutOwner = """
        SELECT EXISTS (
            SELECT 1 FROM memberships mine
            WHERE mine.user_id = :user AND mine.role = 'owner'
              AND EXISTS (
                SELECT 1 FROM memberships other
                WHERE other.workspace_id = mine.workspace_id AND other.user_id <> :user)
              AND NOT EXISTS (
                SELECT 1 FROM memberships other
                WHERE other.workspace_id = mine.workspace_id AND other.user_id <> :user AND other.role = 'owner'))
        """

    private static let deleteLonelyWorkspaces = """
        DELETE FROM workspaces
        WHERE id IN (SELECT workspace_id FROM memberships WHERE user_id = :user)
          AND NOT EXISTS (
            SELECT 1 FROM memberships other
            WHERE other.workspace_id = workspaces.id AND other.user_id <> :user)
        """

    private static func insertUser(_ new: NewAccount, _ db: Database) throws {
        try db.executeCached(
            sql: """
                INSERT INTO users (id, email, name, status, is_operator, password_hash, created_at)
                VALUES (:id, :email, :name, :status, :operator, :hash, :createdAt)
                """,
            arguments: [
                "id": new.user.id.rawValue, "email": new.user.email.rawValue, "name": new.user.name,
                "status": new.user.status.rawValue, "operator": new.user.isOperator, "hash": new.passwordHash,
                "createdAt": new.user.createdAt.milliseconds,
            ])
    }

    private static func insertKey(_ new: NewAccount, _ db: Database) throws {
        try db.executeCached(
            sql: """
                INSERT INTO api_keys
                    (user_id, key_id, version, shown_prefix, digest, master_key_id, box, generated_at)
                VALUES (:user, :key, :version, :prefix, :digest, :master, :box, :generatedAt)
                """,
            arguments: [
                "user": new.user.id.rawValue, "key": new.key.id.rawValue, "version": new.key.version,
                "prefix": new.key.shownPrefix, "digest": Data(new.sealedKey.digest),
                "master": new.sealedKey.masterKeyID.rawValue, "box": Data(new.sealedKey.box),
                "generatedAt": new.key.generatedAt.milliseconds,
            ])
    }

    static func account(_ id: UserID, _ db: Database) throws -> Account? {
        let statement = try db.cachedStatement(sql: "\(AccountRows.select) WHERE u.id = ? \(AccountRows.order)")
        let rows = try Row.fetchAll(statement, arguments: [id.rawValue])
        return try StoredValues.accounts(rows).first
    }

    static func exists(_ id: UserID, _ db: Database) throws -> Bool {
        let statement = try db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)")
        return try Bool.fetchOne(statement, arguments: [id.rawValue]) ?? false
    }
}
