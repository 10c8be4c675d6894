import Dispatch
import Foundation
import GRDB
public import Keybearer
package import KeybearerSQL

/// Opens the embedded store: one SQLite file in WAL mode, with one writer and many readers.
public enum SQLiteStore {
    /// What the process that opens the file is to it.
    public enum ProcessRole: Sendable {
        /// The one process that moves the write-ahead log into the file while others have it open.
        case server
        /// A command beside a server: it never checkpoints while another process has the file open.
        case commandLine
    }

    /// How long a lock of another process is waited for.
    package static let busyTimeout: Duration = .seconds(5)

    /// Opens the file, or creates it with mode 0600 and the default catalogue, and brings its schema up to date.
    ///
    /// - Parameters:
    ///   - path: where the file is; its directory must exist.
    ///   - role: what this process is to the file.
    ///   - random: where the marks of changes come from.
    /// - Throws: `UNAVAILABLE` when the file cannot be opened, lies on a network file system, was written by a newer
    ///   version, or is another program's; the message says which.
    public static func open(path: String, role: ProcessRole, random: RandomSource = .system) throws -> OpenedStore {
        OpenedStore(try openStore(path: path, role: role, random: random))
    }

    /// The same, with the store's own methods.
    package static func openStore(
        path: String, role: ProcessRole, random: RandomSource = .system
    ) throws -> SQLStore {
        SQLStore(engine: try SQLiteEngine.open(path: path, role: role, random: random))
    }

    /// Opens the file of `keybearer demo` for a server. A new one lets keys regenerate themselves; one that is there
    /// already is left as it is.
    package static func openDemonstration(path: String) throws -> SQLStore {
        SQLStore(
            engine: try SQLiteEngine.open(path: path, role: .server, random: .system, isDemonstration: true))
    }

    /// Opens a file to move what it holds to another database: also one that is marked as moved.
    package static func openSource(path: String) throws -> SQLStore {
        SQLStore(
            engine: try SQLiteEngine.open(path: path, role: .commandLine, random: .system, evenMoved: true))
    }

    /// The id of the database in a file; nil when there is no file, or no database of this version in it. Blocks.
    package static func databaseID(path: String) throws -> String? {
        guard DatabaseFile.isTaken(path) else { return nil }
        return try translatingErrors(at: path) {
            guard [.current, .movedAway].contains(try SQLiteSchema.state(at: path)) else { return nil }
            return try SQLiteSchema.look(at: path) { try DatabaseIdentity.read(SQLiteConnection(db: $0)) }
        }
    }

    /// Tells how the schema of a file stands to this version's, without changing it. Blocks.
    ///
    /// - Throws: `UNAVAILABLE` when there is no file, or it cannot be read.
    package static func schemaState(path: String) throws -> SQLiteSchemaState {
        try translatingErrors(at: path) { try SQLiteSchema.state(at: path) }
    }

    /// Whether there is a file.
    ///
    /// - Throws: `UNAVAILABLE` when this user may not even know.
    package static func exists(path: String) throws -> Bool {
        try translatingErrors(at: path) { try DatabaseFile.exists(path) }
    }
}

extension SQLStore {
    /// The file, where this is the embedded store.
    package var file: SQLiteEngine? { engine as? SQLiteEngine }
}

/// The embedded engine.
///
/// Contract:
/// - A transaction is on disk when the method answers (`synchronous=FULL`). Several processes may have the same file
///   open; a busy file is waited for up to ``SQLiteStore/busyTimeout``, then `UNAVAILABLE` is thrown.
/// - Cancelling the calling task does not interrupt a method: whether a change was made never depends on whether
///   somebody still waits for it.
/// - Every error is a ``KeybearerError``; its cause names SQLite's code and words, never a value.
package final class SQLiteEngine: SQLEngine {
    let path: String
    let random: RandomSource
    /// One writer and several readers.
    let pool: DatabasePool
    /// A reader for what comes back immediately, and is waited for or asked many times a second: keys that memory does
    /// not know, and changes. It must not queue behind slow reads.
    let shortReader: DatabaseQueue
    /// Moves the log into the file; nil in a command, which leaves that to the server.
    let checkpointer: Checkpointer?
    /// Whether the file is still the one that was opened.
    let watch: FileWatch
    /// Where short reads run: a thread of the engine's own, on which whoever makes many of them goes on.
    let thread = StoreThread()

    package var executor: any TaskExecutor { thread }
    package let observation = StoreObservation()
    /// The writer and the readers are waited for within the file's own time.
    package var connections: StoreConnections? { nil }

    private init(path: String, role: SQLiteStore.ProcessRole, random: RandomSource, pool: DatabasePool) throws {
        self.path = path
        self.random = random
        self.pool = pool
        shortReader = try DatabaseQueue(path: path, configuration: Self.readOnlyConfiguration())
        checkpointer = role == .server ? try Checkpointer(path: path, writer: pool) : nil
        watch = try FileWatch(path: path, checkpointer: checkpointer)
        // So that the file alone is a whole database, which the watch can know again.
        try checkpointer?.begin()
    }

    static func open(
        path: String, role: SQLiteStore.ProcessRole, random: RandomSource, evenMoved: Bool = false,
        isDemonstration: Bool = false
    ) throws -> SQLiteEngine {
        try translatingErrors(at: path) {
            try NetworkFileSystem.refuse(directory: DatabaseFile.directory(of: path))
            // Processes that start together on a new file would race for the WAL mode and for the migrations.
            return try DatabaseFile.withDirectoryLock(path) {
                try DatabaseFile.createIfMissing(path)
                let state = try SQLiteSchema.requireOurs(path, evenMoved: evenMoved)
                let pool = try DatabasePool(path: path, configuration: configuration())
                try makeDurable(pool)
                if state != .movedAway {
                    let expired = state == .older ? try SQLiteSchema.refuseOlderNodes(pool) : []
                    try SQLiteSchema.bringUpToDate(
                        pool, .init(expiredNodes: expired, isDemonstration: isDemonstration && state == .empty))
                    try giveIdentity(pool, random)
                }
                return try SQLiteEngine(path: path, role: role, random: random, pool: pool)
            }
        }
    }

    /// Answers when the write lock can be had and the file can be read.
    package func checkReadiness() async throws {
        try watch.step()
        try await writeRaw { try ChangeLog.checkReadable(SQLiteConnection(db: $0)) }
    }

    /// Writes the first page as it is. A disk on which only pages of the log that are there already can be written over
    /// is as good as full.
    package func checkWritable() async throws {
        try await writeRaw { db in
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            try db.execute(sql: "PRAGMA user_version = \(version)")
        }
        if FileTrouble.isDiskFull(path) { throw KeybearerError(FileTrouble.full(path)) }
    }

    /// Closes all connections, the writer last.
    ///
    /// A read-only connection that closed last would leave the write-ahead log behind, and commands that run without a
    /// server would let it grow for ever.
    package func close() throws {
        try translatingErrors(at: path) {
            try watch.close()
            try checkpointer?.close()
            try shortReader.close()
            pool.releaseMemory()
            try pool.close()
        }
    }

    /// Of the threads that work on the file: the library's own would come before a server's event loops.
    static let threadPriority = DispatchQoS.default

    private static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.label = "keybearer"
        configuration.qos = threadPriority
        configuration.busyMode = .timeout(SQLiteStore.busyTimeout.seconds)
        // A command leaves it to the server, and the server to the checkpointer: the writer would do it within a commit
        // that somebody waits for.
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA wal_autocheckpoint = 0") }
        return configuration
    }

    static func readOnlyConfiguration() -> Configuration {
        var configuration = Configuration()
        configuration.label = "keybearer.readonly"
        configuration.qos = threadPriority
        configuration.readonly = true
        configuration.busyMode = .timeout(SQLiteStore.busyTimeout.seconds)
        return configuration
    }

    private static func giveIdentity(_ pool: DatabasePool, _ random: RandomSource) throws {
        guard try pool.read({ try DatabaseIdentity.read(SQLiteConnection(db: $0)) }) == nil else { return }
        try pool.write { try DatabaseIdentity.give(random, SQLiteConnection(db: $0)) }
    }

    /// GRDB lowers `synchronous` to NORMAL when it sets WAL up, with which a power cut loses commits that were
    /// answered: a revoked key would live again. So this runs after the pool was opened, outside a transaction.
    private static func makeDurable(_ pool: DatabasePool) throws {
        try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")
        }
    }
}

extension Duration {
    fileprivate var seconds: TimeInterval { TimeInterval(wholeMilliseconds) / 1_000 }
}
