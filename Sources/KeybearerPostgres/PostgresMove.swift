package import Keybearer
package import KeybearerSQL

extension PostgresEngine: MovableEngine {
    /// On every table of a database that was moved: a check that nothing passes.
    static let closingConstraint = "moved_to_another_database"

    package func moveMark() throws -> MoveMark? {
        try translatingErrors(at: PostgresPlace(address)) {
            try PostgresSchema.mark(PostgresSchema.connect(to: address))
        }
    }

    package func setMoveMark(_ mark: MoveMark?, replacing old: MoveMark?, expired: [RegisteredNode]) throws {
        try translatingErrors(at: PostgresPlace(address)) {
            _ = try PostgresSchema.connect(to: address).transaction { connection in
                try PostgresSchema.lockMigrations(connection)
                let found = try PostgresSchema.mark(connection)
                guard found == old else { throw Self.differs(found) }
                if old == nil { try close(connection, removing: expired) }
                if let old {
                    try connection.execute(
                        "DELETE FROM schema_migrations WHERE identifier = $1", [.text(old.identifier)])
                }
                if let mark {
                    try PostgresSchema.record(mark.identifier, needs: MoveMark.needs, connection)
                } else {
                    for table in MoveMark.closedTables {
                        try connection.execute(
                            "ALTER TABLE \(table) DROP CONSTRAINT IF EXISTS \(Self.closingConstraint)")
                    }
                }
                return ((), [])
            }
        }
    }

    private func close(_ connection: PostgresConnection, removing expired: [RegisteredNode]) throws {
        // Before it is looked at: no server registers in between.
        try connection.execute("LOCK TABLE nodes IN ACCESS EXCLUSIVE MODE")
        try remove(expired, PostgresTransaction(connection: connection, clock: .caller))
        for table in MoveMark.closedTables {
            try connection.execute(
                "ALTER TABLE \(table) ADD CONSTRAINT \(Self.closingConstraint) CHECK (false) NOT VALID")
        }
    }

    package func holdForMove() throws {
        try translatingErrors(at: PostgresPlace(address)) {
            let connection = try PostgresSchema.connect(to: address)
            let row = try connection.execute(
                "SELECT pg_try_advisory_lock($1, hashtext(current_schema())) AS held",
                [.number(PostgresMove.sourceLock)]
            ).first
            guard try row?.requiredFlag("held") == true else { throw MoveMark.isBusy }
            // Never let go: it holds the lock until the process ends.
            _ = Unmanaged.passRetained(connection)
        }
    }
}

/// What moves wait for each other by: advisory locks, each for one schema.
enum PostgresMove {
    /// Of the process that moves a database.
    static let sourceLock = 1_262_834_001
    /// Of the transaction that fills one.
    private static let copyLock = 1_262_834_002
    /// Until the transaction ends.
    static func lockCopies(_ connection: PostgresConnection) throws {
        try connection.execute(
            "SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))", [.number(copyLock)])
    }

    static func databaseID(of address: String) throws -> String? {
        let connection = try PostgresSchema.connect(to: address)
        return try connection.transaction { connection in
            try lockCopies(connection)
            let id: String? =
                switch try PostgresSchema.state(connection) {
                case .current, .newerButCompatible, .movedAway:
                    try DatabaseIdentity.read(PostgresTransaction(connection: connection, clock: .caller))
                case .empty, .older, .newer, .foreign: nil
                }
            return (id, [])
        }.0
    }
}
