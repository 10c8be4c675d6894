import Foundation
import GRDB
package import Keybearer
package import KeybearerSQL

extension SQLiteEngine {
    /// Copies one state of the database into a new file with mode 0600, while others read and write. Blocks.
    ///
    /// The copy is a single file without a write-ahead log. Keys in it are sealed, so it needs the master keys to be of
    /// use; they are not in it.
    ///
    /// - Throws: `CONFLICT` when the file exists; `UNAVAILABLE` when it cannot be written, and then it is removed.
    package func backUp(to path: String) throws {
        try translatingErrors(at: path) {
            try DatabaseFile.create(path)
            do {
                let copy = try DatabaseQueue(path: path)
                try pool.backup(to: copy)
                _ = try copy.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode = DELETE") }
                try copy.close()
            } catch {
                DatabaseFile.remove(path)
                throw error
            }
        }
    }

    /// Puts a backup in the place of all that the database holds, in one transaction. Blocks.
    ///
    /// The backup is first copied beside the database and made ready there: without nodes and sessions, with a history
    /// of changes that begins anew above both histories' numbers, and with the hours that accounts have used
    /// since. Then the ready copy is written over the database by SQLite's own online copy, so a crash leaves the one
    /// or the other, whole. The file itself is never replaced: other processes would go on with the old one.
    ///
    /// Keys that were regenerated after the backup live again in their old form. The caller makes sure that no node
    /// holds a lease (see ``nodes()``) and warns.
    ///
    /// - Returns: the position of the change; no position of the time before is part of the history any more.
    /// - Throws: `VALIDATION_FAILED` when the file is not a sound backup that this version understands. Nothing is
    ///   changed then.
    package func restore(from path: String, audit: AuditEvent) throws -> ChangePosition {
        try translatingErrors(at: self.path) {
            try DatabaseFile.withDirectoryLock(self.path) {
                let stagingPath = self.path + ".restoring"
                // One that a crash left behind.
                DatabaseFile.remove(stagingPath)
                try DatabaseFile.create(stagingPath)
                defer { DatabaseFile.remove(stagingPath) }
                let staging = try DatabaseQueue(path: stagingPath)
                defer { try? staging.close() }
                try Self.copySoundBackup(path, to: staging)
                try SQLiteSchema.bringUpToDate(staging)
                return try pool.barrierWriteWithoutTransaction { live in
                    let position = try makeReady(staging, toReplace: live, audit: audit)
                    try staging.writeWithoutTransaction { try $0.backup(to: live) }
                    return position
                }
            }
        }
    }

    /// A copy of a backup, open to look at.
    package struct BackupCopy {
        package let store: SQLStore
        fileprivate let path: String

        /// Closes and removes it.
        package func remove() {
            try? store.close()
            DatabaseFile.remove(path)
        }
    }

    /// Copies a backup beside the database, brings the copy to this version's schema, and opens it. Blocks.
    ///
    /// - Throws: `VALIDATION_FAILED` as ``restore(from:audit:)``.
    package static func openCopy(ofBackup backup: String, beside database: String) throws -> BackupCopy {
        let path = database + ".examining"
        return try translatingErrors(at: path) {
            // One that a crash left behind.
            DatabaseFile.remove(path)
            try DatabaseFile.create(path)
            do {
                let copy = try DatabaseQueue(path: path)
                try copySoundBackup(backup, to: copy)
                try copy.close()
                return BackupCopy(store: try SQLiteStore.open(path: path, role: .commandLine), path: path)
            } catch {
                DatabaseFile.remove(path)
                throw error
            }
        }
    }

    private static func copySoundBackup(_ path: String, to staging: DatabaseQueue) throws {
        let refusal = KeybearerError.validation(["backup": "It is not a sound backup that this version understands."])
        do {
            let state = try SQLiteSchema.state(at: path)
            guard state == .current || state == .older else { throw refusal }
            let source = try DatabaseQueue(path: path, configuration: readOnlyConfiguration())
            defer { try? source.close() }
            guard try source.read(integrityProblems).isEmpty else { throw refusal }
            try source.backup(to: staging)
        } catch let error as DatabaseError {
            throw KeybearerError(
                refusal.code, refusal.message, fields: refusal.fields,
                cause: KeybearerError(sqlite: error, at: path).cause)
        }
    }

    private func makeReady(
        _ staging: DatabaseQueue, toReplace live: Database, audit: AuditEvent
    ) throws -> ChangePosition {
        let newest = try Self.newestPosition(live).number
        // Allowances first: what is recorded and closed in between then counts twice, never not at all.
        let allowances = try Row.fetchAll(live, sql: "SELECT * FROM budget_allowances")
        let hours = try Row.fetchAll(live, sql: "SELECT user_id, rolling_hour FROM budgets")
        let isEmpty = try !(Bool.fetchOne(live, sql: "SELECT EXISTS (SELECT 1 FROM users)") ?? false)
        return try staging.write { db in
            let number = max(newest, try Self.newestPosition(db).number) + 1
            try db.execute(
                sql: "DELETE FROM nodes; DELETE FROM sessions; DELETE FROM changes; DELETE FROM budget_recalls")
            // What was admitted in the last hour stays counted: a restore must not give a second hour's requests.
            for hour in hours {
                try db.execute(
                    sql: """
                        INSERT INTO budgets (user_id, rolling_hour) SELECT id, :hour FROM users WHERE id = :user
                        ON CONFLICT (user_id) DO UPDATE SET rolling_hour = excluded.rolling_hour
                        """,
                    arguments: ["hour": hour["rolling_hour"] as Data, "user": hour["user_id"] as String])
            }
            // The backup's own count where nothing else is known of the hours.
            if !isEmpty { try db.execute(sql: "DELETE FROM budget_allowances") }
            for allowance in allowances where !isEmpty {
                // With their ids, by which whoever holds them closes them.
                try db.execute(
                    sql: "INSERT INTO budget_allowances (id, holder, minute, count) VALUES (?, ?, ?, ?)",
                    arguments: [allowance["id"], allowance["holder"], allowance["minute"], allowance["count"]])
            }
            try SQLiteConnection(db: db).execute(SQLStore.record(audit))
            let position = ChangePosition(number: number, mark: newMark())
            try Self.append(.everything, at: position, audit.at, db)
            return position
        }
    }
}
