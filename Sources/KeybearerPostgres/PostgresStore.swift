public import Keybearer
package import KeybearerSQL
import Synchronization

/// Opens the shared store: one PostgreSQL for any number of nodes.
public enum PostgresStore {
    /// How a process uses the database.
    public struct Options: Sendable {
        /// The most connections for everything but the fence, which has two of its own and one that listens.
        public var connections = 8
        /// The lease of this deployment's nodes: locks are waited for, and transactions held open, for less than a
        /// quarter of it.
        public var lease: Duration = .seconds(2)
        /// Whether hints of changes are listened for; a command has no use for them.
        public var listens = true
        /// Whose clock cuts the rolling hours into minutes.
        package var clock = Clock.database

        /// The defaults above.
        public init() {}
    }

    /// Whose clock cuts the rolling hours into minutes.
    package enum Clock: Sendable {
        /// The primary's: one clock for all nodes, however theirs differ.
        case database
        /// The one that is passed in: for tests that hold it.
        case caller
    }

    /// Connects, and brings the schema up to date; several nodes may do so at the same time.
    ///
    /// - Parameters:
    ///   - address: a connection string of libpq: `postgres://…` or `key=value` pairs.
    ///   - random: where the marks of changes come from.
    /// - Throws: `UNAVAILABLE` when the server cannot be reached, or the schema was made by a version that this one
    ///   cannot work beside; the message says which.
    public static func open(
        _ address: String, options: Options = Options(), random: RandomSource = .system
    ) throws -> OpenedStore {
        OpenedStore(try openStore(address, options: options, random: random))
    }

    /// The same, with the store's own methods.
    package static func openStore(
        _ address: String, options: Options = Options(), random: RandomSource = .system
    ) throws -> SQLStore {
        try translatingErrors(at: PostgresPlace(address)) {
            try PostgresSchema.bringUpToDate(address, evenMoved: false, random: random)
        }
        return SQLStore(engine: PostgresEngine(address: address, options: options, random: random))
    }

    /// Opens a database to move what it holds to another one: also one that is marked as moved.
    package static func openSource(_ address: String, options: Options) throws -> SQLStore {
        try translatingErrors(at: PostgresPlace(address)) {
            try PostgresSchema.bringUpToDate(address, evenMoved: true, random: .system)
        }
        return SQLStore(engine: PostgresEngine(address: address, options: options, random: .system))
    }

    /// Opens a database that a copy fills: its schema is made in the transaction of the copy.
    package static func openTarget(_ address: String, options: Options) throws -> SQLStore {
        _ = try pooler(of: address)
        return SQLStore(
            engine: PostgresEngine(address: address, options: options, random: .system, createsSchemaInCopy: true))
    }

    /// Tells what stands between this process and the server. Blocks.
    ///
    /// - Throws: `UNAVAILABLE` when sessions do not last there.
    package static func pooler(of address: String) throws -> PoolerCheck.Outcome {
        try translatingErrors(at: PostgresPlace(address)) {
            try PoolerCheck.run(try PostgresSchema.connect(to: address), to: address)
        }
    }

    /// The id of a database; nil when there is none of this version. It waits for a copy that is being committed.
    /// Blocks.
    package static func databaseID(of address: String) throws -> String? {
        try translatingErrors(at: PostgresPlace(address)) { try PostgresMove.databaseID(of: address) }
    }

    /// Tells how a database's schema stands to this version's, without changing it. Blocks.
    ///
    /// - Throws: `UNAVAILABLE` when the server cannot be reached.
    package static func schemaState(of address: String) throws -> PostgresSchemaState {
        try translatingErrors(at: PostgresPlace(address)) { try PostgresSchema.state(of: address) }
    }
}

extension SQLStore {
    /// The server, where this is the shared store.
    package var server: PostgresEngine? { engine as? PostgresEngine }
}

/// The shared engine.
///
/// Contract:
/// - A transaction is on the primary's disk when the method answers, and on that of a synchronous standby where there
///   is one.
/// - A method answers or throws within a few seconds, whatever becomes of server and network. `UNAVAILABLE` from a
///   method that writes means unchanged or unknown.
/// - Cancelling the calling task does not interrupt a method.
/// - Every error is a ``KeybearerError``; its cause names PostgreSQL's code and words, never a value.
package final class PostgresEngine: SQLEngine {
    /// How long one round trip may take before the connection is given up.
    static let patience: Duration = .seconds(5)

    let address: String
    let random: RandomSource
    let clock: PostgresStore.Clock
    /// Whether a copy into this database makes the schema first.
    let createsSchemaInCopy: Bool
    let pool: PostgresPool
    /// Where tasks go on that ask the server often; the server's answers are awaited on the pool's own threads.
    private let thread = StoreThread()
    /// Connections of its own for the fence, which is polled many times a second and must not queue behind slow work.
    private let fencePool: PostgresPool
    private let notifier = ChangeNotifier()
    package let observation = StoreObservation()
    package var connections: StoreConnections? { pool.connections }
    private let listener: PostgresListener?

    init(
        address: String, options: PostgresStore.Options, random: RandomSource, createsSchemaInCopy: Bool = false
    ) {
        self.address = address
        self.createsSchemaInCopy = createsSchemaInCopy
        self.random = random
        clock = options.clock
        let lock = options.lease / 4 * 0.9
        let epoch = PostgresPool.Epoch()
        pool = PostgresPool(
            to: address, name: "keybearer", size: max(1, options.connections),
            patience: .init(roundTrip: Self.patience, lock: lock), epoch: epoch, observation: observation)
        // A renewal that is stuck must be given up while there is still time for another.
        fencePool = PostgresPool(
            to: address, name: "keybearer fence", size: 2,
            patience: .init(roundTrip: max(options.lease / 2, .milliseconds(500)), lock: lock), epoch: epoch,
            observation: observation)
        listener = options.listens ? PostgresListener(to: address, notifier: notifier) : nil
    }

    package var executor: any TaskExecutor { thread }

    /// Answers when the primary can be written to.
    package func checkReadiness() async throws {
        try await writeRaw { connection in
            _ = try connection.transaction { connection in
                try ChangeLog.checkReadable(PostgresTransaction(connection: connection, clock: .caller))
                return ((), [])
            }
        }
    }

    /// Writes the counter of changes as it is.
    package func checkWritable() async throws {
        try await writeRaw { connection in
            _ = try connection.transaction { _ in ((), [Statement("UPDATE fence_counter SET number = number")]) }
        }
    }

    /// Closes all connections and ends all threads.
    package func close() throws {
        listener?.close()
        fencePool.close()
        pool.close()
    }

    package func waitForNotification(atMost span: Duration) async {
        await notifier.wait(atMost: span)
    }
}

extension PostgresEngine {
    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value {
        let clock = clock
        return try await pool.run(.read) { connection in
            try connection.transaction(beginning: Self.beginSnapshot) { connection in
                (try body(PostgresTransaction(connection: connection, clock: clock)), [])
            }.0
        }
    }

    package func shortRead<Value: Sendable>(
        on lane: SQLLane, _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value {
        let clock = clock
        return try await pool(for: lane).run(.read) { connection in
            try body(PostgresTransaction(connection: connection, clock: clock))
        }
    }

    package func write<Value: Sendable>(
        on lane: SQLLane, _ body: @escaping @Sendable (any SQLConnection) throws -> Commit<Value>
    ) async throws -> Value {
        let clock = clock
        return try await pool(for: lane).run(.write) { connection in
            try connection.transaction { connection in
                switch try body(PostgresTransaction(connection: connection, clock: clock)) {
                case .changes(let value, let last): (value, last.map(\.forServer))
                case .nothing(let value): (value, [])
                }
            }.0
        }
    }

    package func change<Value: Sendable>(
        at time: Timestamp,
        _ body: @escaping @Sendable (any SQLConnection) throws -> (commit: Commit<Value>, subjects: [Change.Subject])
    ) async throws -> (value: Value, position: ChangeLogPosition) {
        let (nonce, clock) = (newNonce(), clock)
        return try await pool.run(.write) { [self] connection in
            let ((value, count), last) = try connection.transaction { connection in
                let (commit, subjects) = try body(PostgresTransaction(connection: connection, clock: clock))
                switch commit {
                case .changes(let value, let last):
                    let numbering = subjects.isEmpty ? Self.newest : number(subjects, nonce, time)
                    return ((value, subjects.count), last: last.map(\.forServer) + [numbering])
                case .nothing(let value): return ((value, 0), last: [Self.newest])
                }
            }
            guard count > 0 else {
                guard let row = last.last?.first else { throw KeybearerError.unreadable("fence_counter") }
                return (value, try StoredValues.position(row))
            }
            return (value, try Self.announce(last, nonce, taking: count, connection))
        }
    }

    package var settledAuditRows: SQL { Self.settledRows }

    /// A row that can be seen was written by a transaction that has ended: one that the server has not begun yet is
    /// another server's, from which the database was restored.
    private static let settledRows = SQL(
        """
        \(AuditColumns.select)
        WHERE position IS NULL
          AND (writer < pg_snapshot_xmin(pg_current_snapshot()) OR writer >= pg_snapshot_xmax(pg_current_snapshot()))
        ORDER BY sequence LIMIT $1
        """)

    static let beginSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"

    private func pool(for lane: SQLLane) -> PostgresPool {
        switch lane {
        case .requests: pool
        case .fence: fencePool
        }
    }

    /// Runs statements of this engine's own that change something, and takes care not to run them twice.
    func writeRaw<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await pool.run(.write, body)
    }

    /// Runs the fence's statements on its own connections.
    func fence<Value: Sendable>(
        _ kind: PostgresPool.Kind, _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await fencePool.run(kind, body)
    }
}

extension SQLStatement {
    fileprivate var forServer: Statement { Statement(sql.text, parameters.map(\.parameter)) }
}
