import Foundation
import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

/// The ``Checkpointer`` of a server, and what a command leaves to it.
@Suite struct CheckpointerTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

    @Test func aServersLogBeginsAnewWhileItWrites() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let samples = Samples()
        for _ in 0..<800 { _ = try await store.addAccount(samples) }
        let size = try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int
        // More than 40 MB if it only ever grew.
        #expect(try #require(size) < 24_000_000)
        try store.close()
    }

    @Test func theLogIsMovedAlsoWhenTheCountOfRowsBeginsAnew() {
        let (few, enough) = (Int(Checkpointer.rowsAtOnce) - 1, Int(Checkpointer.rowsAtOnce))
        for moved in [0, 1_000, Int(Int32.max) - few, Int(Int32.max), Int(Int32.min)] {
            // As SQLite counts: in 32 bits.
            let counted = { Int(Int32(truncatingIfNeeded: moved + $0)) }
            #expect(!Checkpointer.isDue(changedRows: counted(few), movedRows: moved))
            #expect(Checkpointer.isDue(changedRows: counted(enough), movedRows: moved))
        }
    }

    /// While somebody reads an older state, the file holds new pages beside old ones: no state that ever was.
    @Test func aFileOfTwoStatesIsNotTakenForAnotherOne() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let engine = try store.sqlite
        let checkpointer = try #require(engine.checkpointer)
        let watch = engine.watch
        let inside = try #require(watch.inside)
        let samples = Samples()
        _ = try await store.addAccount(samples)
        try checkpointer.begin()
        watch.look(inside)
        let first = try reader()
        // Nothing is moved meanwhile, and the tables grow by a level.
        for _ in 0..<100 { _ = try await store.addAccount(samples) }
        let second = try reader()
        try first.close()
        _ = try await store.addAccount(samples)
        try checkpointer.begin()
        #expect(checkpointer.whileWhole {} == nil)
        watch.look(inside)
        try watch.requireSame()
        try second.close()
        try checkpointer.begin()
        #expect(checkpointer.whileWhole { MainFile.read(path) } != .some(nil))
        watch.look(inside)
        try watch.requireSame()
        try store.close()
    }

    /// A connection that reads, and keeps the state that it sees until it is closed.
    private func reader() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN")
            _ = try Row.fetchAll(db, sql: "SELECT count(*) FROM changes")
        }
        return queue
    }

    @Test func aCommandDoesNotCheckpointBesideAServer() async throws {
        let server = try SQLiteStore.openStore(path: path, role: .server)
        let command = try SQLiteStore.openStore(path: path, role: .commandLine)
        #expect(try command.sqlite.settings().automaticCheckpointPages == 0)
        #expect(try command.sqlite.settings().synchronous == 2)
        _ = try await command.addAccount(Samples())
        try command.close()
        #expect(FileManager.default.fileExists(atPath: path + "-wal"))
        #expect(try await server.accounts(offset: 0, limit: 1).total == 1)
        try server.close()
    }

    @Test func aCommandAloneLeavesNoLogBehind() async throws {
        let command = try SQLiteStore.openStore(path: path, role: .commandLine)
        _ = try await command.addAccount(Samples())
        _ = try await command.changes(after: ChangeLogPosition(number: 0, nonce: ""), limit: 1)
        try command.close()
        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
        #expect(try SQLiteStore.schemaState(path: path) == .current)
    }
}
