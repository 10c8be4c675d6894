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

    /// Puts what a backup holds in the place of all that the database holds, in one transaction. Blocks.
    ///
    /// It takes rows, and nothing of the backup's schema: the backup is copied beside the database, brought up to date
    /// there, and the rows of our own tables go from that copy into a new database. That one gets a history of changes
    /// that begins again above both histories' numbers, and the hours that accounts have used since; nodes and sessions
    /// stay behind. Then it is written over the database by SQLite's own online copy, so a crash leaves the one or the
    /// other, whole. The file itself is never replaced: other processes would go on with the old one.
    ///
    /// Keys that were regenerated after the backup live again in their old form. The caller makes sure that no node
    /// holds a lease (see ``nodes()``) and warns.
    ///
    /// - Returns: the position of the change; no position of the time before is part of the history any more.
    /// - Throws: `VALIDATION_FAILED` when the file is not a sound backup that this version understands. Nothing is
    ///   changed then.
    package func restore(from path: String, audit: AuditEvent) throws -> ChangeLogPosition {
        try translatingErrors(at: self.path) {
            try watch.checkPath()
            return try DatabaseFile.withDirectoryLock(self.path) {
                try Self.withScratchFile(self.path + ".restoring") { staging in
                    try SQLiteSchema.bringUpToDate(staging)
                    let last = try Self.withScratchFile(self.path + ".restoring-backup") { backup in
                        try RestoredBackup(path: path, copy: backup).copyRows(to: staging)
                    }
                    return try pool.barrierWriteWithoutTransaction { live in
                        let position = try makeReady(staging, above: last, toReplace: live, audit: audit)
                        try staging.writeWithoutTransaction { try $0.backup(to: live) }
                        return position
                    }
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

    /// Copies a backup's rows into a new database beside this one, and opens that. Blocks.
    ///
    /// - Throws: `VALIDATION_FAILED` as ``restore(from:audit:)``.
    package static func openCopy(ofBackup backup: String, beside database: String) throws -> BackupCopy {
        let path = database + ".examining"
        return try translatingErrors(at: path) {
            do {
                try withScratchFile(path, keeping: true) { staging in
                    try SQLiteSchema.bringUpToDate(staging)
                    _ = try withScratchFile(path + "-backup") { copy in
                        try RestoredBackup(path: backup, copy: copy).copyRows(to: staging)
                    }
                }
                return BackupCopy(store: try SQLiteStore.openStore(path: path, role: .commandLine), path: path)
            } catch {
                DatabaseFile.remove(path)
                throw error
            }
        }
    }

    /// A new database, removed when the body ends unless it is kept.
    private static func withScratchFile<Result>(
        _ path: String, keeping isKept: Bool = false, _ body: (DatabaseQueue) throws -> Result
    ) throws -> Result {
        // One that a crash left behind.
        DatabaseFile.remove(path)
        try DatabaseFile.create(path)
        defer { if !isKept { DatabaseFile.remove(path) } }
        var configuration = Configuration()
        // Functions that a schema names are not called, unless they are harmless.
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA trusted_schema = OFF") }
        let scratch = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? scratch.close() }
        return try body(scratch)
    }

    private func makeReady(
        _ staging: DatabaseQueue, above last: Int64, toReplace live: Database, audit: AuditEvent
    ) throws -> ChangeLogPosition {
        let old = SQLiteConnection(db: live)
        let newest = try Self.newestPosition(live).number
        // Shared reservations first: what is recorded and closed in between then counts twice, never not at all.
        let sharedReservations = try Row.fetchAll(live, sql: "SELECT * FROM budget_allowances")
        let isEmpty = try !(Bool.fetchOne(live, sql: "SELECT EXISTS (SELECT 1 FROM users)") ?? false)
        let identity = try DatabaseIdentity.read(old)
        return try staging.write { db in
            let new = SQLiteConnection(db: db)
            let number = max(newest, last) + 1
            try db.execute(sql: "DELETE FROM sessions; DELETE FROM changes")
            // What was admitted in the last hour stays counted: a restore must not give a second hour's requests.
            try DeletedAccountWindows.carry(from: old, to: new, at: audit.at)
            // The backup's own count where nothing else is known of the hours.
            if !isEmpty { try db.execute(sql: "DELETE FROM budget_allowances") }
            for sharedReservation in sharedReservations where !isEmpty {
                // With their ids, by which whoever holds them closes them.
                try db.execute(
                    sql: "INSERT INTO budget_allowances (id, holder, minute, count) VALUES (?, ?, ?, ?)",
                    arguments: [
                        sharedReservation["id"], sharedReservation["holder"], sharedReservation["minute"],
                        sharedReservation["count"],
                    ])
            }
            // It stays the database that it was.
            if let identity { try DatabaseIdentity.put(identity, new) }
            try new.execute(SQLStore.record(audit))
            let position = ChangeLogPosition(number: number, nonce: newNonce())
            try Self.append(.everything, at: position, audit.at, db)
            return position
        }
    }
}

/// A copy of a backup, from which rows are taken.
private struct RestoredBackup {
    private static let refusal = KeybearerError.validation([
        "backup": "It is not a sound backup that this version understands."
    ])

    let path: String
    let copy: DatabaseQueue

    /// Copies every row of our own tables.
    ///
    /// - Returns: the number of the backup's last change.
    /// - Throws: `VALIDATION_FAILED` when the backup is not sound.
    func copyRows(to staging: DatabaseQueue) throws -> Int64 {
        do {
            let state = try SQLiteSchema.state(at: path)
            guard state == .current || state == .older else { throw Self.refusal }
            var configuration = SQLiteEngine.readOnlyConfiguration()
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA trusted_schema = OFF") }
            let source = try DatabaseQueue(path: path, configuration: configuration)
            defer { try? source.close() }
            try source.backup(to: copy)
            try copy.write { try dropForeignCode($0) }
            guard try copy.read(SQLiteEngine.integrityProblems).isEmpty else { throw Self.refusal }
            try SQLiteSchema.bringUpToDate(copy)
            return try copy.read { from in
                try staging.write { to in
                    try Transfer.copyRows(from: SQLiteConnection(db: from), to: SQLiteConnection(db: to))
                }
                return try SQLiteEngine.newestPosition(from).number
            }
        } catch let error as DatabaseError {
            throw KeybearerError(
                Self.refusal.code, Self.refusal.message, fields: Self.refusal.fields,
                cause: KeybearerError(sqlite: error, at: path).cause)
        }
    }

    /// Removes triggers and views before anything is written: somebody else's must not run, and ours of version 0.1
    /// have nothing to do here but to be there when a migration takes them away.
    private func dropForeignCode(_ db: Database) throws {
        // Triggers first: a view takes its own with it.
        let found = try Row.fetchAll(
            db, sql: "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY type")
        for row in found {
            let (type, name): (String, String) = (row["type"], row["name"])
            try db.execute(
                sql: "DROP \(type == "view" ? "VIEW" : "TRIGGER") IF EXISTS \(name.quotedDatabaseIdentifier)")
        }
        if try db.tableExists("retired_master_keys") {
            for event in ["insert", "update"] {
                try db.execute(
                    sql: """
                        CREATE TRIGGER no_\(event)_under_retired_master_key BEFORE \(event) ON api_keys
                        BEGIN SELECT 1; END
                        """)
            }
        }
    }
}
