import Dispatch
import Foundation
import GRDB
import Keybearer
import KeybearerSQL
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Notices that the database's file was replaced while it is open: by another file (`mv`, `rm` and a new one), or by
/// other content in the same file (`cp`).
///
/// The path is looked at whenever the fence takes a step and before every write: a `stat`, and never a descriptor of
/// our own, for closing one would drop the locks that SQLite holds. The content is looked at every second, without the
/// pages that memory keeps: what the file alone holds must be a later state of what it held, and a part of the
/// history that this process follows. While nobody has written to the file, as its `stat` says, it is not read again. From
/// the moment that something else is found, everything that asks the file is
/// refused.
final class FileWatch: Sendable {
    private static let interval: Duration = .seconds(1)
    /// Something else must be found this often in a row: a checkpoint of another process may be under way.
    private static let looks = 3
    private static let pause: TimeInterval = 0.1

    private struct State {
        var lastLook: SteadyTime?
        var isLooking = false
        var isClosed = false
        var known: MainFile?
        /// The file's size and the time of its last change when it was found sound.
        var stamp: Stamp?
        var loss: DatabaseLost?
    }

    /// What every write to a file changes. Nobody can set the time.
    private struct Stamp: Equatable {
        let size: Int64
        let seconds: Int
        let nanoseconds: Int

        init?(_ path: String) {
            var found = stat()
            // What changed a moment ago may change again without another time.
            guard stat(path, &found) == 0, abs(time(nil) - found.st_ctim.tv_sec) >= 2 else { return nil }
            size = Int64(found.st_size)
            (seconds, nanoseconds) = (found.st_ctim.tv_sec, found.st_ctim.tv_nsec)
        }
    }

    private let path: String
    private let device: UInt64
    private let inode: UInt64
    /// What looks at the content; a command has none.
    let inside: Inside?
    private let queue = DispatchQueue(label: "keybearer.watch", qos: .utility)
    private let state = Lock(State())
    /// Read before each statement.
    private let isLost = Atomic<Bool>(false)

    struct Inside {
        let connection: DatabaseQueue
        let checkpointer: Checkpointer
    }

    /// - Parameter checkpointer: of a server, which has the content watched too.
    init(path: String, checkpointer: Checkpointer?) throws {
        self.path = path
        guard let (device, inode) = Self.identity(of: path) else {
            throw KeybearerError(.unavailable, "The database file was removed while it was opened.")
        }
        (self.device, self.inode) = (device, inode)
        inside = try checkpointer.map {
            Inside(
                connection: try DatabaseQueue(path: path, configuration: SQLiteEngine.readOnlyConfiguration()),
                checkpointer: $0)
        }
    }

    /// Throws when the file was found to be another one.
    func requireSame() throws {
        if isLost.load(ordering: .acquiring), let loss = state.withLock({ $0.loss }) { throw loss.error }
    }

    /// Looks at the path, and throws when it leads to another file or to none.
    func checkPath() throws {
        try requireSame()
        var found = stat()
        if stat(path, &found) == 0 {
            guard UInt64(found.st_dev) != device || UInt64(found.st_ino) != inode else { return }
            throw lose("another file was put in its place")
        }
        // Anything else can pass: a directory that cannot be read for the moment.
        if errno == ENOENT { throw lose("it was removed") }
    }

    /// Looks at the path, and has the content looked at when that is due.
    func step() throws {
        try checkPath()
        guard let inside else { return }
        let now = SteadyTime.systemNow()
        let isDue = state.withLock { state in
            guard !state.isLooking, state.lastLook.map({ $0.duration(to: now) >= Self.interval }) ?? true else {
                return false
            }
            state.isLooking = true
            state.lastLook = now
            return true
        }
        if isDue { queue.async { [self] in look(inside) } }
    }

    /// Closes the connection, behind a look that is under way.
    func close() throws {
        // No look is begun any more: the library must not be asked on a closed connection.
        state.withLock { $0.isClosed = true }
        try queue.sync { try inside?.connection.close() }
    }

    func look(_ inside: Inside) {
        defer { state.withLock { $0.isLooking = false } }
        for attempt in 1...Self.looks {
            guard !state.withLock({ $0.isClosed }), let isSound = isSound(inside) else { return }
            if isSound { return }
            if attempt < Self.looks { Thread.sleep(forTimeInterval: Self.pause) }
        }
        _ = lose("its content was written over")
    }

    /// Whether the file can still be the one that was opened; nil where it cannot be told for the moment.
    private func isSound(_ inside: Inside) -> Bool? {
        let (known, seen) = state.withLock { ($0.known, $0.stamp) }
        // Before the file is read: what is written meanwhile is looked at the next time.
        let stamp = Stamp(path)
        var found = known
        if known == nil || stamp == nil || stamp != seen {
            guard let read = inside.checkpointer.whileWhole({ MainFile.read(path) }) else {
                inside.checkpointer.repeatMove()
                return nil
            }
            found = read
        }
        guard let found else { return known == nil }
        guard let known else {
            state.withLock { ($0.known, $0.stamp) = (found, stamp) }
            return true
        }
        guard found.follows(known) else { return false }
        // What the file held must be in the history that is read through the log.
        let isInHistory = try? inside.connection.read { db in
            // No page that was read before answers.
            try db.execute(sql: "PRAGMA shrink_memory")
            return try ChangeLog.changes(after: known.position, limit: 1, SQLiteConnection(db: db)) != nil
        }
        guard isInHistory == true else { return false }
        // Not before: a copy that left our history earlier would be its own past at the next look.
        state.withLock { ($0.known, $0.stamp) = (found, stamp) }
        return true
    }

    private func lose(_ how: String) -> KeybearerError {
        let loss = DatabaseLost(
            reason: "database_replaced",
            message:
                "The database file \(path) was replaced under this server: \(how). Nothing is answered any more. Stop "
                + "the server, remove \(path)-wal and \(path)-shm if they belong to the old file, and start it again.")
        return state.withLock { state in
            state.loss = state.loss ?? loss
            isLost.store(true, ordering: .releasing)
            return (state.loss ?? loss).error
        }
    }

    private static func identity(of path: String) -> (device: UInt64, inode: UInt64)? {
        var found = stat()
        return stat(path, &found) == 0 ? (UInt64(found.st_dev), UInt64(found.st_ino)) : nil
    }
}
