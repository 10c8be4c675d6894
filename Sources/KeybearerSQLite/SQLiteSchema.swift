import GRDB
import Keybearer
import KeybearerSQL

/// How a file's schema stands to the one that this version knows.
public enum SQLiteSchemaState: Sendable, Equatable {
    /// There is nothing in it yet.
    case empty
    /// It is the one that this version knows.
    case current
    /// This version knows migrations that it has not had: opening it applies them.
    case older
    /// It has had migrations that this version does not know: opening it is refused.
    case newer
    /// It is another program's.
    case foreign
}

/// Brings files to the schema of ``SQLiteMigrations`` and tells how they stand to it.
enum SQLiteSchema {
    private static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        for migration in SQLiteMigrations.all {
            migrator.registerMigration(migration.identifier) { db in try db.execute(sql: migration.sql) }
        }
        for migration in CommonMigrations.all {
            migrator.registerMigration(migration.identifier) { db in
                for statement in migration.statements(for: .sqlite) { try db.execute(sql: statement) }
            }
        }
        return migrator
    }()

    static func state(_ db: Database) throws -> SQLiteSchemaState {
        let applied = try migrator.appliedIdentifiers(db)
        if applied.isEmpty {
            let tables = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'grdb%' AND name NOT LIKE 'sqlite%'")
            return tables == 0 ? .empty : .foreign
        }
        if try migrator.hasBeenSuperseded(db) {
            return applied.isDisjoint(with: migrator.migrations) ? .foreign : .newer
        }
        return try migrator.hasCompletedMigrations(db) ? .current : .older
    }

    /// How many migrations the file has had.
    static func version(_ db: Database) throws -> Int {
        try migrator.appliedIdentifiers(db).count
    }

    /// Looks at a file without changing it.
    static func state(at path: String) throws -> SQLiteSchemaState {
        do {
            let reader = try DatabaseQueue(path: path, configuration: SQLiteEngine.readOnlyConfiguration())
            defer { try? reader.close() }
            return try reader.read(state)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
            return .foreign
        }
    }

    /// Refuses a file of a newer version or of another program, before anything is written to it.
    static func requireOurs(_ path: String) throws {
        switch try state(at: path) {
        case .newer: throw newer(path)
        case .foreign: throw foreign(path)
        case .empty, .older, .current: return
        }
    }

    /// Applies the migrations that the file has not had.
    static func bringUpToDate(_ writer: some DatabaseWriter) throws {
        try migrator.migrate(writer)
    }

    private static func newer(_ path: String) -> StoreFailure {
        StoreFailure(
            .newerSchema, "cannot use", path,
            "a newer version of Keybearer than this one (\(KeybearerVersion.current)) wrote it",
            advice: "Install that version or a later one.")
    }

    static func foreign(_ path: String, code: String? = nil) -> StoreFailure {
        StoreFailure(
            .foreign, "cannot use", path, "it is not a database of Keybearer",
            advice: "Correct the setting database, or restore a backup.", code: code)
    }
}
