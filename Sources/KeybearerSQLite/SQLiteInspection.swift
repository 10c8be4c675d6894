import GRDB
import Keybearer
import KeybearerSQL

/// The settings of the writer's connection, as SQLite answers them.
package struct SQLiteSettings: Sendable, Equatable {
    /// `wal`.
    package let journalMode: String
    /// 2 is FULL: an answered commit survives a power cut.
    package let synchronous: Int
    /// Whether references between tables are enforced.
    package let foreignKeys: Bool
    /// How long a lock of another process is waited for.
    package let busyTimeout: Duration
    /// After how many pages of log this process checkpoints; 0 is never.
    package let automaticCheckpointPages: Int
    /// How many migrations the file has had.
    package let schemaVersion: Int
}

extension SQLiteEngine {
    /// Reads the settings back from the writer's connection. Blocks.
    package func settings() throws -> SQLiteSettings {
        try translatingErrors(at: path) {
            try pool.writeWithoutTransaction { db in
                SQLiteSettings(
                    journalMode: try String.fetchOne(db, sql: "PRAGMA journal_mode") ?? "",
                    synchronous: try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? -1,
                    foreignKeys: try Bool.fetchOne(db, sql: "PRAGMA foreign_keys") ?? false,
                    busyTimeout: .milliseconds(try Int.fetchOne(db, sql: "PRAGMA busy_timeout") ?? 0),
                    automaticCheckpointPages: try Int.fetchOne(db, sql: "PRAGMA wal_autocheckpoint") ?? -1,
                    schemaVersion: try SQLiteSchema.version(db))
            }
        }
    }

    /// What is wrong with the file: one sentence each, nothing when it is sound. Reads all of it, and blocks.
    package func integrityProblems() throws -> [String] {
        try translatingErrors(at: path) { try pool.read(Self.integrityProblems) }
    }

    static func integrityProblems(_ db: Database) throws -> [String] {
        var problems = try String.fetchAll(db, sql: "PRAGMA integrity_check").filter { $0 != "ok" }
        let dangling = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check")
        problems += dangling.map { row in
            "A row of \(row["table"] as String) refers to one of \(row["parent"] as String) that does not exist."
        }
        return problems + (try DataProblems.find(SQLiteConnection(db: db)))
    }
}
