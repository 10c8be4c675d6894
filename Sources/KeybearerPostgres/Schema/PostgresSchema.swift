import Keybearer
import KeybearerSQL

/// How a database's schema stands to the one that this version knows.
package enum PostgresSchemaState: Sendable, Equatable {
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
    /// It holds tables with the names of Keybearer's that are another program's: opening it is refused.
    case foreign
    /// It was moved to another database, or is being moved: opening it is refused.
    case movedAway
}

/// Applies the migrations (``PostgresMigrations``, then ``CommonMigrations``), and says how a database stands to them.
enum PostgresSchema {
    /// Migrations may rewrite tables, and wait for those of another node.
    private static let patience = PostgresConnection.Patience(roundTrip: .seconds(600), lock: .seconds(120))
    /// The row that nodes which start together lock one after another. No migration has its name.
    private static let lockRow = "lock"

    /// The steps of version 0.1, then the common ones. A step with which older programs cannot go on needs all steps up
    /// to it.
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

    /// Applies the migrations that the database has not had, all in one transaction, and gives it an id.
    ///
    /// - Parameter evenMoved: whether a database that is marked as moved is left as it is, instead of refused.
    static func bringUpToDate(_ address: String, evenMoved: Bool, random: RandomSource) throws {
        let connection = try connect(to: address)
        _ = try PoolerCheck.run(connection, to: address)
        let state = try state(connection)
        if state == .movedAway, evenMoved { return }
        // Most starts find nothing to do, and must not wait for anybody's lock.
        if state != .current { try migrate(connection, from: state, at: PostgresPlace(address)) }
        let session = PostgresTransaction(connection: connection, clock: .caller)
        if try DatabaseIdentity.read(session) == nil { try DatabaseIdentity.give(random, session) }
    }

    static func connect(to address: String) throws -> PostgresConnection {
        try PostgresConnection(to: address, name: "keybearer migrate", patience: patience)
    }

    private static func migrate(
        _ connection: PostgresConnection, from state: PostgresSchemaState, at place: PostgresPlace
    ) throws {
        try refuse(state, connection, at: place)
        try createTable(connection)
        // Outside the transaction: it waits for as long as a lease lasts.
        let expired = try olderNodes(connection).map { _ in
            try OlderNodes.refuseLiving { try olderNodes(connection) ?? [] }
        }
        _ = try connection.transaction { connection in
            try lockMigrations(connection)
            if let expired, let now = try olderNodes(connection, locking: true), !now.isSubset(of: expired) {
                throw OlderNodes.refusal
            }
            try applyMissing(connection, at: place)
            return ((), [])
        }
    }

    /// The nodes of a database of version 0.1; nil for any other.
    private static func olderNodes(
        _ connection: PostgresConnection, locking: Bool = false
    ) throws -> Set<OlderNodes.Node>? {
        let applied = try applied(connection)
        guard applied.keys.contains(steps[0].identifier), !applied.keys.contains(OlderNodes.firstStep) else {
            return nil
        }
        if locking { try connection.execute("LOCK TABLE nodes IN ACCESS EXCLUSIVE MODE") }
        return try OlderNodes.nodes(PostgresTransaction(connection: connection, clock: .caller))
    }

    /// Makes everything, within a transaction that somebody else commits.
    static func create(_ connection: PostgresConnection, at place: PostgresPlace) throws {
        try refuse(try state(connection), connection, at: place)
        for statement in tableStatements { try connection.execute(statement.sql, statement.parameters) }
        try lockMigrations(connection)
        try applyMissing(connection, at: place)
    }

    /// Lets nobody else migrate, mark or unmark the database until the transaction ends.
    static func lockMigrations(_ connection: PostgresConnection) throws {
        try connection.execute(
            "SELECT identifier FROM schema_migrations WHERE identifier = $1 FOR UPDATE", [.text(lockRow)])
    }

    private static func applyMissing(_ connection: PostgresConnection, at place: PostgresPlace) throws {
        let state = try state(connection)
        try refuse(state, connection, at: place)
        guard state == .empty || state == .older else { return }
        let applied = try self.applied(connection)
        for migration in steps where !applied.keys.contains(migration.identifier) {
            for statement in migration.statements { try connection.execute(statement) }
            try record(migration.identifier, needs: migration.needs, connection)
        }
    }

    static func record(_ identifier: String, needs: Int, _ connection: PostgresConnection) throws {
        try connection.execute(
            "INSERT INTO schema_migrations (identifier, needs) VALUES ($1, $2)",
            [.text(identifier), .number(needs)])
    }

    private static func refuse(
        _ state: PostgresSchemaState, _ connection: PostgresConnection, at place: PostgresPlace
    ) throws {
        switch state {
        case .newer: throw newer(at: place)
        case .foreign: throw foreign(at: place)
        case .movedAway:
            if let mark = try mark(connection) { throw mark.refusal }
        case .empty, .older, .current, .newerButCompatible: return
        }
    }

    /// The mark of a move.
    static func mark(_ connection: PostgresConnection) throws -> MoveMark? {
        try applied(connection).keys.compactMap { MoveMark(identifier: $0) }.first
    }

    /// Two nodes may do this at the same moment. The server then refuses one of them, and that one tries again.
    private static func createTable(_ connection: PostgresConnection) throws {
        for attempt in 1...3 {
            do {
                for statement in tableStatements { try connection.execute(statement.sql, statement.parameters) }
                return
            } catch let failure as PostgresFailure {
                // By the table's name, by that of its row type, or by the index of names.
                guard attempt < 3, ["23505", "42P07", "42710"].contains(failure.state) else { throw failure }
            }
        }
    }

    private static let tableStatements = [
        Statement(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                identifier TEXT COLLATE "C" NOT NULL PRIMARY KEY,
                needs      BIGINT NOT NULL
            )
            """),
        Statement(
            "INSERT INTO schema_migrations (identifier, needs) VALUES ($1, 0) ON CONFLICT DO NOTHING",
            [.text(lockRow)]),
    ]

    static func state(of address: String) throws -> PostgresSchemaState { try state(connect(to: address)) }

    static func state(_ connection: PostgresConnection) throws -> PostgresSchemaState {
        let found = try connection.execute(
            """
            SELECT to_regclass('users') IS NOT NULL OR to_regclass('api_keys') IS NOT NULL AS tables,
                   to_regclass('schema_migrations') IS NOT NULL AS migrations,
                   (SELECT count(*) = 2 FROM pg_attribute
                    WHERE attrelid = to_regclass('schema_migrations') AND attname IN ('identifier', 'needs')) AS ours
            """)
        let hasTables = try found.first?.requiredFlag("tables") == true
        guard try found.first?.requiredFlag("migrations") == true else { return hasTables ? .foreign : .empty }
        guard try found.first?.requiredFlag("ours") == true else { return .foreign }
        let applied = try applied(connection)
        if applied.isEmpty { return hasTables ? .foreign : .empty }
        if applied.keys.contains(where: { MoveMark(identifier: $0) != nil }) { return .movedAway }
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

    private static func foreign(at place: PostgresPlace) -> StoreFailure {
        StoreFailure(
            .foreign, "cannot use", place.address, "it holds another program's tables",
            advice: "Name a database, or a schema by search_path, of Keybearer's own.")
    }
}
