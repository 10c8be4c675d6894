import GRDB
import Keybearer
import Synchronization

/// Moves the write-ahead log into the database file, beside the writer instead of within its commits.
///
/// A checkpoint writes hundreds of pages and waits for the disk twice: milliseconds, which whoever waits for the commit
/// that it falls on would wait too. Beside the writer it never comes to the end of a log that is written to all the
/// time, and only from there does the log begin again. So what is left, a few pages, is done between two writes.
final class Checkpointer: Sendable {
    /// After how many changed rows the log is moved: some tens of pages, which the disk takes in about a millisecond. A
    /// commit that comes meanwhile waits for that.
    static let rowsAtOnce: Int32 = 40
    /// With how many pages the log is to begin again; SQLite's own figure.
    private static let enoughPages = 1_000

    private let connection: DatabaseQueue
    private let writer: DatabasePool
    private let movedRows = Atomic<Int>(0)
    private let isUnderWay = Atomic<Bool>(false)
    /// Held while pages go into the file.
    private let file = Lock(FileState())

    private struct FileState {
        /// Whether the pages in the file are all of one state. While somebody reads an older state, SQLite moves the
        /// pages that had not changed since, and leaves out those that had: together they are no state that ever was.
        var isWhole = false
    }

    init(path: String, writer: DatabasePool) throws {
        var configuration = Configuration()
        configuration.label = "keybearer.checkpoint"
        configuration.qos = SQLiteEngine.threadPriority
        configuration.prepareDatabase { db in
            // The same as the writer's: what it moves is on disk before the log is written over.
            try db.execute(
                sql: "PRAGMA synchronous = FULL; PRAGMA checkpoint_fullfsync = ON; PRAGMA wal_autocheckpoint = 0")
        }
        connection = try DatabaseQueue(path: path, configuration: configuration)
        self.writer = writer
    }

    /// Moves the log when enough has changed, and not while that is under way.
    ///
    /// - Parameter changedRows: how many rows the writer has changed since it was opened, as SQLite counts them.
    func recordWrite(changedRows: Int) {
        guard Self.isDue(changedRows: changedRows, movedRows: movedRows.load(ordering: .relaxed)),
            !isUnderWay.exchange(true, ordering: .acquiring)
        else { return }
        movedRows.store(changedRows, ordering: .relaxed)
        connection.asyncWriteWithoutTransaction { [self] db in
            guard let pages = try? checkpoint(db), pages >= Self.enoughPages else {
                return isUnderWay.store(false, ordering: .releasing)
            }
            writer.asyncWriteWithoutTransaction { [self] db in
                _ = try? checkpoint(db)
                isUnderWay.store(false, ordering: .releasing)
            }
        }
    }

    /// Whether enough rows have changed since the log was last moved. SQLite counts them in 32 bits and begins again at
    /// the smallest number: what counts is the distance.
    static func isDue(changedRows: Int, movedRows: Int) -> Bool {
        Int32(truncatingIfNeeded: changedRows) &- Int32(truncatingIfNeeded: movedRows) >= rowsAtOnce
    }

    /// Moves what the log holds when the file is opened.
    func begin() throws { _ = try connection.writeWithoutTransaction { try checkpoint($0) } }

    /// Moves again what a reader kept from being moved.
    func repeatMove() {
        guard !isUnderWay.exchange(true, ordering: .acquiring) else { return }
        connection.asyncWriteWithoutTransaction { [self] db in
            _ = try? checkpoint(db)
            isUnderWay.store(false, ordering: .releasing)
        }
    }

    func close() throws { try connection.close() }

    /// Moves what no reader keeps from being moved, and waits for nobody.
    ///
    /// - Returns: how many pages the log holds.
    private func checkpoint(_ db: Database) throws -> Int {
        try file.withLock { file in
            // Should it end half-way.
            file.isWhole = false
            let row = try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(PASSIVE)")
            let pages: Int = row?["log"] ?? 0
            file.isWhole = row?["busy"] == 0 && row?["checkpointed"] == pages
            return pages
        }
    }

    /// Runs a body while this process moves nothing into the file, where the file alone is a whole database.
    ///
    /// - Returns: nil, without running it, where a reader kept the last move from being complete.
    func whileWhole<Result>(_ body: () -> Result) -> Result? {
        file.withLock { file in file.isWhole ? body() : nil }
    }
}
