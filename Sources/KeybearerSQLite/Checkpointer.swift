import GRDB
import Synchronization

/// Moves the write-ahead log into the database file, beside the writer instead of within its commits.
///
/// A checkpoint writes hundreds of pages and waits for the disk twice: milliseconds, which whoever waits for the commit
/// that it falls on would wait too. Beside the writer it never comes to the end of a log that is written to all the
/// time, and only from there does the log begin anew. So what is left, a few pages, is done between two writes.
final class Checkpointer: Sendable {
    /// After how many writes the log is looked at: some hundred pages.
    private static let interval = 200
    /// With how many pages the log is to begin anew; SQLite's own figure.
    private static let enoughPages = 1_000

    private let connection: DatabaseQueue
    private let writer: DatabasePool
    private let writes = Atomic<Int>(0)

    init(path: String, writer: DatabasePool) throws {
        var configuration = Configuration()
        configuration.label = "keybearer.checkpoint"
        configuration.qos = SQLiteStore.threadPriority
        configuration.prepareDatabase { db in
            // The same as the writer's: what it moves is on disk before the log is written over.
            try db.execute(
                sql: "PRAGMA synchronous = FULL; PRAGMA checkpoint_fullfsync = ON; PRAGMA wal_autocheckpoint = 0")
        }
        connection = try DatabaseQueue(path: path, configuration: configuration)
        self.writer = writer
    }

    /// Counts a write, and looks at the log after enough of them.
    func noteWrite() {
        guard writes.wrappingAdd(1, ordering: .relaxed).newValue % Self.interval == 0 else { return }
        connection.asyncWriteWithoutTransaction { [writer] db in
            guard let pages = try? Self.checkpoint(db), pages >= Self.enoughPages else { return }
            writer.asyncWriteWithoutTransaction { db in _ = try? Self.checkpoint(db) }
        }
    }

    func close() throws { try connection.close() }

    /// Moves what no reader keeps from being moved, and waits for nobody.
    ///
    /// - Returns: how many pages the log holds.
    private static func checkpoint(_ db: Database) throws -> Int {
        let row = try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(PASSIVE)")
        return row?["log"] ?? 0
    }
}
