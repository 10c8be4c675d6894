import GRDB
import Keybearer
import KeybearerSQL

/// How a file's schema stands to the one that this version knows.
package enum SQLiteSchemaState: Sendable, Hashable {
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
    /// It was moved to another database, or is being moved: opening it is refused.
    case movedAway
}

/// Brings files to the schema of ``SQLiteMigrations`` and tells how they stand to it.
enum SQLiteSchema {
    /// What must be true of a file that is brought up to date, and what a new one begins with.
    struct Conditions: Sendable {
        /// The nodes of version 0.1 that were seen not to live; nil for a copy, which no server has open.
        var expiredNodes: Set<OlderNodes.Node>?
        /// Whether a new database is one of `keybearer demo`, which shows everything.
        var isDemonstration = false
    }

    private static let migrator = makeMigrator(Conditions())

    private static func makeMigrator(_ conditions: Conditions) -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for migration in SQLiteMigrations.all {
            migrator.registerMigration(migration.identifier) { db in try db.execute(sql: migration.sql) }
        }
        for migration in CommonMigrations.all {
            migrator.registerMigration(migration.identifier) { db in
                if migration.identifier == OlderNodes.firstStep {
                    // Again, under the write lock: a server may have started since they were watched.
                    let nodes = try OlderNodes.nodes(SQLiteConnection(db: db))
                    if let expired = conditions.expiredNodes, !nodes.isSubset(of: expired) { throw OlderNodes.refusal }
                }
                for statement in migration.statements(for: .sqlite) { try db.execute(sql: statement) }
                if conditions.isDemonstration, migration.identifier == OlderNodes.firstStep {
                    try StoredSetting.openRegenerateByKey(SQLiteConnection(db: db))
                }
            }
        }
        return migrator
    }

    static func state(_ db: Database) throws -> SQLiteSchemaState {
        let applied = try appliedIdentifiers(db)
        if try mark(db) != nil { return .movedAway }
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

    /// Another process may make the table between the library's failure to read it and its look whether it is there: then
    /// it is read again.
    private static func appliedIdentifiers(_ db: Database) throws -> Set<String> {
        do {
            return try migrator.appliedIdentifiers(db)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            return try migrator.appliedIdentifiers(db)
        }
    }

    /// The mark of a move.
    static func mark(_ db: Database) throws -> MoveMark? {
        try appliedIdentifiers(db).compactMap { MoveMark(identifier: $0) }.first
    }

    /// How many migrations the file has had.
    static func version(_ db: Database) throws -> Int {
        try appliedIdentifiers(db).count
    }

    /// Looks at a file without changing it.
    static func state(at path: String) throws -> SQLiteSchemaState {
        do {
            return try look(at: path, state)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
            return .foreign
        }
    }

    /// Reads from a file on a connection of its own that cannot write.
    static func look<Value>(at path: String, _ body: (Database) throws -> Value) throws -> Value {
        let reader = try DatabaseQueue(path: path, configuration: SQLiteEngine.readOnlyConfiguration())
        defer { try? reader.close() }
        return try reader.read(body)
    }

    /// Refuses a file of a newer version, of another program, or that was moved, before anything is written to it.
    ///
    /// - Returns: how it stands.
    @discardableResult
    static func requireOurs(_ path: String, evenMoved: Bool = false) throws -> SQLiteSchemaState {
        let state = try state(at: path)
        switch state {
        case .newer: throw newer(path)
        case .foreign: throw foreign(path)
        case .movedAway:
            if !evenMoved, let mark = try look(at: path, mark) { throw mark.refusal }
        case .empty, .older, .current: break
        }
        return state
    }

    /// Refuses a file of version 0.1 on which a server of that version runs. Watches for a lease, and blocks.
    ///
    /// - Returns: the nodes that do not live.
    static func refuseOlderNodes(_ pool: DatabasePool) throws -> Set<OlderNodes.Node> {
        let isOfVersion01 = try pool.read { db in
            try !migrator.appliedIdentifiers(db).contains(OlderNodes.firstStep) && db.tableExists("nodes")
        }
        guard isOfVersion01 else { return [] }
        return try OlderNodes.refuseLiving { try pool.read { try OlderNodes.nodes(SQLiteConnection(db: $0)) } }
    }

    /// Applies the migrations that the file has not had.
    ///
    /// - Throws: `UNAVAILABLE` when a server of version 0.1 has started on it meanwhile.
    static func bringUpToDate(_ writer: some DatabaseWriter, _ conditions: Conditions = Conditions()) throws {
        try makeMigrator(conditions).migrate(writer)
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
