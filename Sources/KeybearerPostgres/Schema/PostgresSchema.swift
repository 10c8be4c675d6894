import Keybearer
import KeybearerSQL

/// How a database's schema stands to the one that this version knows.
public enum PostgresSchemaState: Sendable, Equatable {
    /// There is nothing of Keybearer in it yet.
    case empty
    /// It is the one that this version knows.
    case current
    /// This version knows migrations that it has not had: opening it applies them.
    case older
    /// It has had migrations that this version does not know, and that this version can work beside.
    case newerButCompatible
    /// It has had migrations that this version does not know and cannot work with: opening it is refused.
    case newer
}

/// Brings databases to the schema of ``PostgresMigrations`` and tells how they stand to it.
enum PostgresSchema {
    /// Migrations may rewrite tables, and wait for those of another node.
    private static let patience = PostgresConnection.Patience(roundTrip: .seconds(600), lock: .seconds(120))
    /// The row that nodes which start together lock one after another. No migration has its name.
    private static let lockRow = "lock"

    /// The steps of version 0.1, then the common ones. A step with which older programs cannot go on needs all steps up to
    /// it.
    static let steps: [PostgresMigrations.Migration] = {
        var steps = PostgresMigrations.all
        for migration in CommonMigrations.all {
            steps.append(
                PostgresMigrations.Migration(
                    identifier: migration.identifier,
                    needs: migration.isCompatible ? steps.last?.needs ?? 1 : steps.count + 1,
                    statements: migration.statements(for: .postgres)))
        }
        return steps
    }()

    /// Applies the migrations that the database has not had, all in one transaction.
    static func bringUpToDate(_ address: String) throws {
        let connection = try PostgresConnection(to: address, name: "keybearer migrate", patience: patience)
        // Most starts find nothing to do, and must not wait for anybody's lock.
        if try state(connection) != .current { try migrate(connection, at: PostgresPlace(address)) }
    }

    private static func migrate(_ connection: PostgresConnection, at place: PostgresPlace) throws {
        try createTable(connection)
        _ = try connection.transaction { connection in
            try connection.execute(
                "SELECT identifier FROM schema_migrations WHERE identifier = $1 FOR UPDATE", [.text(lockRow)])
            switch try state(connection) {
            case .current, .newerButCompatible: return ((), [])
            case .newer: throw newer(at: place)
            case .empty, .older: break
            }
            let applied = try self.applied(connection)
            for migration in steps where !applied.keys.contains(migration.identifier) {
                for statement in migration.statements { try connection.execute(statement) }
                try connection.execute(
                    "INSERT INTO schema_migrations (identifier, needs) VALUES ($1, $2)",
                    [.text(migration.identifier), .number(migration.needs)])
            }
            return ((), [])
        }
    }

    /// Two nodes may do this at the same moment; the server then refuses one of them, who finds the table made.
    private static func createTable(_ connection: PostgresConnection) throws {
        for attempt in 1...3 {
            do {
                try connection.execute(
                    """
                    CREATE TABLE IF NOT EXISTS schema_migrations (
                        identifier TEXT COLLATE "C" NOT NULL PRIMARY KEY,
                        needs      BIGINT NOT NULL
                    )
                    """)
                try connection.execute(
                    "INSERT INTO schema_migrations (identifier, needs) VALUES ($1, 0) ON CONFLICT DO NOTHING",
                    [.text(lockRow)])
                return
            } catch let failure as PostgresFailure {
                guard attempt < 3, ["23505", "42P07"].contains(failure.state) else { throw failure }
            }
        }
    }

    static func state(of address: String) throws -> PostgresSchemaState {
        try state(PostgresConnection(to: address, name: "keybearer migrate", patience: patience))
    }

    static func state(_ connection: PostgresConnection) throws -> PostgresSchemaState {
        let exists = try connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL AS exists")
        guard try exists.first?.requiredFlag("exists") == true else { return .empty }
        let applied = try applied(connection)
        if applied.isEmpty { return .empty }
        let known = Set(steps.map(\.identifier))
        let unknown = applied.filter { !known.contains($0.key) }
        if unknown.contains(where: { $0.value > known.count }) { return .newer }
        if !known.isSubset(of: applied.keys) { return .older }
        return unknown.isEmpty ? .current : .newerButCompatible
    }

    /// What the database has had, with how many migrations a program must know to work on it.
    private static func applied(_ connection: PostgresConnection) throws -> [String: Int64] {
        let rows = try connection.execute(
            "SELECT identifier, needs FROM schema_migrations WHERE identifier <> $1", [.text(lockRow)]
        ).rows
        return Dictionary(
            try rows.map { (try $0.requiredText("identifier"), try $0.requiredNumber("needs")) },
            uniquingKeysWith: { first, _ in first })
    }

    private static func newer(at place: PostgresPlace) -> StoreFailure {
        StoreFailure(
            .newerSchema, "cannot use", place.address,
            "a newer version of Keybearer brought its schema up to date, and this one (\(KeybearerVersion.current)) "
                + "cannot work beside it",
            advice: "Install that version or a later one.")
    }
}
