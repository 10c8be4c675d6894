import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

/// An ``SQLiteStore``: what each ``SQLiteConnection`` is set to, and ``SQLiteTransactions`` beside other processes.
@Suite struct SQLiteStoreTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

    @Test func aReturnedCommitIsOnDisk() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let samples = Samples()
        // Asked again after writes: the setting must not wear off.
        for _ in 0..<2 {
            let settings = try store.sqlite.settings()
            #expect(settings.synchronous == 2)
            #expect(settings.journalMode == "wal")
            #expect(settings.foreignKeys)
            #expect(settings.busyTimeout == .seconds(5))
            #expect(settings.automaticCheckpointPages == 0)
            // Those of 0.1, and the common ones.
            #expect(settings.schemaVersion == 4 + CommonMigrations.all.count)
            _ = try await store.addAccount(samples)
        }
        try store.close()
    }

    @Test func aDemonstrationShowsEverythingInANewDatabaseAlone() async throws {
        let closed = directory.file("closed.db")
        try SQLiteStore.openStore(path: closed, role: .server).close()
        for (path, wanted) in [(path, "open"), (closed, "closed")] {
            for _ in 0..<2 {
                let store = try SQLiteStore.openDemonstration(path: path)
                #expect(try await store.storedSetting(.regenerateByKey) == wanted)
                try store.close()
            }
        }
    }

    @Test func aLockOfAnotherProcessIsWaitedFor() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let other = try DatabaseQueue(path: path)
        let (isLocked, signal) = AsyncStream<Void>.makeStream()
        let holder = Task.detached {
            try other.writeWithoutTransaction { db in
                try db.inTransaction(.immediate) {
                    signal.finish()
                    // Keeps the write lock for a while, in SQLite itself.
                    _ = try Int.fetchOne(
                        db,
                        sql: """
                            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000)
                            SELECT sum(i) FROM n
                            """)
                    return .commit
                }
            }
        }
        for await _ in isLocked {}
        _ = try await store.addAccount(Samples())
        try await holder.value
        try store.close()
    }

    @Test func severalProcessesMayOpenANewFileAtOnce() async throws {
        let path = path
        try await withThrowingTaskGroup(of: Void.self) { group in
            for seed in 1...8 as ClosedRange<UInt64> {
                group.addTask {
                    let store = try SQLiteStore.openStore(path: path, role: seed == 1 ? .server : .commandLine)
                    _ = try await store.addAccount(Samples(seed: seed))
                    try store.close()
                }
            }
            try await group.waitForAll()
        }
        let store = try SQLiteStore.openStore(path: path, role: .server)
        #expect(try await store.accounts(offset: 0, limit: 1).total == 8)
        #expect(try store.sqlite.integrityProblems().isEmpty)
        try store.close()
    }

    @Test func cancellingACallerDoesNotInterruptAWrite() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let samples = Samples()
        let new = samples.newAccount()
        let audit = samples.event(.userCreated)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.createAccount(new, audit: audit)
        }
        #expect(try await task.value.user == new.user)
        #expect(try await store.account(id: new.user.id) != nil)
        try store.close()
    }

    @Test func aClosedStoreIsUnavailable() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        try store.close()
        let samples = Samples()
        await expect(.unavailable) { try await store.checkReadiness() }
        await expect(.unavailable) { _ = try await store.account(id: .random(from: samples.random)) }
        await expect(.unavailable) { _ = try await store.addAccount(samples) }
        await expect(.unavailable) {
            _ = try await store.changes(after: ChangeLogPosition(number: 0, nonce: ""), limit: 1)
        }
    }
}
