public import Keybearer
import Synchronization

/// The shared store: one PostgreSQL for any number of nodes.
///
/// Contract:
/// - Each method of ``Store`` is one transaction with its audit row inside; it is on the primary's disk when the method
///   answers, and on that of a synchronous standby where there is one.
/// - A method answers or throws within a few seconds, whatever becomes of server and network. `UNAVAILABLE` from a
///   method that writes means unchanged or unknown.
/// - Cancelling the calling task does not interrupt a method.
/// - Every error is a ``KeybearerError``; its cause names PostgreSQL's code and words, never a value.
public final class PostgresStore: Store {
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
        public var clock = Clock.database

        /// The defaults above.
        public init() {}
    }

    /// Whose clock cuts the rolling hours into minutes.
    public enum Clock: Sendable {
        /// The primary's: one clock for all nodes, however theirs differ.
        case database
        /// The one that is passed in: for tests that hold it.
        case caller
    }

    /// How long one round trip may take before the connection is given up.
    static let patience: Duration = .seconds(5)

    let address: String
    let random: RandomSource
    let clock: Clock
    let pool: PostgresPool
    /// Connections of its own for the fence, which is polled many times a second and must not queue behind slow work.
    private let fencePool: PostgresPool
    private let hints = HintBell()
    private let listener: PostgresListener?

    private init(address: String, options: Options, random: RandomSource) {
        self.address = address
        self.random = random
        clock = options.clock
        let lock = options.lease / 4 * 0.9
        let epoch = PostgresPool.Epoch()
        pool = PostgresPool(
            to: address, name: "keybearer", size: max(1, options.connections),
            patience: .init(roundTrip: Self.patience, lock: lock), epoch: epoch)
        // A renewal that is stuck must be given up while there is still time for another.
        fencePool = PostgresPool(
            to: address, name: "keybearer fence", size: 2,
            patience: .init(roundTrip: max(options.lease / 2, .milliseconds(500)), lock: lock), epoch: epoch)
        listener = options.listens ? PostgresListener(to: address, bell: hints) : nil
    }

    /// Connects, and brings the schema up to date; several nodes may do so at once.
    ///
    /// - Parameters:
    ///   - address: a connection string of libpq: `postgres://…` or `key=value` pairs.
    ///   - random: where the marks of changes come from.
    /// - Throws: `UNAVAILABLE` when the server cannot be reached, or the schema was made by a version that this one
    ///   cannot work beside; the message says which.
    public static func open(
        _ address: String, options: Options = Options(), random: RandomSource = .system
    ) throws -> PostgresStore {
        try translatingErrors { try PostgresSchema.bringUpToDate(address) }
        return PostgresStore(address: address, options: options, random: random)
    }

    /// Tells how a database's schema stands to this version's, without changing it. Blocks.
    ///
    /// - Throws: `UNAVAILABLE` when the server cannot be reached.
    public static func schemaState(of address: String) throws -> PostgresSchemaState {
        try translatingErrors { try PostgresSchema.state(of: address) }
    }

    /// Answers when the primary can be written to.
    public func checkReadiness() async throws {
        try await write { connection in
            _ = try connection.transaction { connection in
                try connection.execute("SELECT 1 FROM plans LIMIT 1")
                return ((), [])
            }
        }
    }

    /// Closes all connections and ends all threads.
    public func close() throws {
        listener?.close()
        fencePool.close()
        pool.close()
    }

    public func waitForHint(atMost span: Duration) async {
        await hints.wait(atMost: span)
    }
}

extension PostgresStore {
    /// Runs statements that change nothing.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await pool.run(.read, body)
    }

    /// Runs several statements that see one state of the database.
    func readOneState<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await read { connection in
            try connection.transaction(beginning: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY") { connection in
                (try body(connection), [])
            }.0
        }
    }

    /// Runs statements that change something, and takes care not to run them twice.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await pool.run(.write, body)
    }

    /// Runs a body in a transaction and commits it with its last statements.
    func transaction(
        _ body: @escaping @Sendable (PostgresConnection) throws -> [Statement]
    ) async throws {
        try await write { connection in
            _ = try connection.transaction { ((), try body($0)) }
        }
    }

    /// Runs the fence's statements on its own connections.
    func fence<Value: Sendable>(
        _ kind: PostgresPool.Kind, _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await fencePool.run(kind, body)
    }
}
