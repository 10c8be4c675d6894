import GRDB
package import Keybearer
package import KeybearerSQL

extension SQLiteEngine: MovableEngine {
    package func moveMark() throws -> MoveMark? {
        try translatingErrors(at: path) { try pool.read(SQLiteSchema.mark) }
    }

    package func setMoveMark(_ mark: MoveMark?, replacing old: MoveMark?, expired: [RegisteredNode]) throws {
        try translatingErrors(at: path) {
            try pool.write { db in
                let found = try SQLiteSchema.mark(db)
                guard found == old else { throw Self.differs(found) }
                if old == nil {
                    try remove(expired, SQLiteConnection(db: db))
                    for (name, table, event) in Self.triggers {
                        try db.execute(
                            sql: """
                                CREATE TRIGGER \(name) BEFORE \(event) ON \(table)
                                BEGIN SELECT RAISE (ABORT, '\(MoveMark.closedTable)'); END
                                """)
                    }
                }
                if let old {
                    try db.execute(
                        sql: "DELETE FROM grdb_migrations WHERE identifier = ?", arguments: [old.identifier])
                }
                if let mark {
                    try db.execute(
                        sql: "INSERT INTO grdb_migrations (identifier) VALUES (?)", arguments: [mark.identifier])
                } else {
                    for (name, _, _) in Self.triggers { try db.execute(sql: "DROP TRIGGER IF EXISTS \(name)") }
                }
            }
        }
    }

    package func holdForMove() throws { try DatabaseFile.hold(path) }

    private static let triggers = MoveMark.closedTables.flatMap { table in
        ["insert", "update", "delete"].map { ("moved_\(table)_\($0)", table, $0) }
    }
}

/// A file that a move fills before anybody can see it.
package struct SQLiteMoveTarget: Sendable {
    private let path: String
    private let staging: String

    /// - Parameter path: where the finished file will be.
    package init(path: String) {
        self.path = path
        let random = String(decoding: RandomSource.system.base62(count: 12), as: UTF8.self)
        staging = path + Self.infix + random
    }

    private static let infix = ".migrating-"

    /// Removes what earlier attempts left beside the place.
    package func removeLeftovers() { DatabaseFile.removeAll(beginningWith: path + Self.infix) }

    /// Opens an empty database beside the place.
    package func open() throws -> SQLStore {
        removeLeftovers()
        return try SQLiteStore.openStore(path: staging, role: .commandLine)
    }

    /// Puts the closed file in its place, whole and on the disk.
    ///
    /// - Throws: `CONFLICT` when there is a file meanwhile.
    package func putInPlace() throws {
        try DatabaseFile.putInPlace(staging, as: path)
    }

    /// Removes what was made.
    package func remove() { DatabaseFile.remove(staging) }
}
