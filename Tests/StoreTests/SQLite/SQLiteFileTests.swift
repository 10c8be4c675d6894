import Foundation
import GRDB
import Keybearer
import KeybearerSQL
import TestSupport
import Testing

@testable import KeybearerSQLite

@Suite struct SQLiteFileTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
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
            #expect(settings.schemaVersion == 6)
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

    @Test func onlyTheOwnerMayReadTheFiles() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        _ = try await store.addAccount(Samples())
        for suffix in ["", "-wal", "-shm"] { #expect(try mode(path + suffix) == 0o600, "\(suffix)") }
        try store.close()
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

    @Test func aNewerSchemaIsRefused() throws {
        try SQLiteStore.openStore(path: path, role: .server).close()
        let raw = try DatabaseQueue(path: path)
        try raw.write { db in try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('999 from the future')") }
        #expect(try SQLiteStore.schemaState(path: path) == .newer)
        let error = #expect(throws: KeybearerError.self) { try SQLiteStore.openStore(path: path, role: .server) }
        #expect(error?.code == .unavailable)
        #expect(error?.storeFailure?.kind == .newerSchema)
    }

    @Test func anotherProgramsFileIsRefusedUntouched() throws {
        let raw = try DatabaseQueue(path: path)
        try raw.write { db in try db.execute(sql: "CREATE TABLE recipes (name TEXT)") }
        try raw.close()
        let text = directory.file("notes.txt")
        try Data("These are just some notes, and no database at all.".utf8).write(to: URL(fileURLWithPath: text))
        for file in [path, text] {
            let before = try Data(contentsOf: URL(fileURLWithPath: file))
            #expect(try SQLiteStore.schemaState(path: file) == .foreign)
            let error = #expect(throws: KeybearerError.self) { try SQLiteStore.openStore(path: file, role: .server) }
            #expect(error?.code == .unavailable)
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
        }
    }

    @Test func aMissingDirectoryIsAClearRefusal() throws {
        let error = #expect(throws: KeybearerError.self) {
            try SQLiteStore.openStore(path: directory.file("nowhere/keybearer.db"), role: .server)
        }
        #expect(error?.code == .unavailable)
        #expect(error?.storeFailure?.kind == .missingFile)
        // The operator reads which directory; a client reads nothing of it.
        #expect(error?.operatorMessage.contains("there is no directory \(directory.file("nowhere"))") == true)
        #expect(error?.message.contains(directory.path) == false)
    }

    @Test func networkFileSystemsAreReported() {
        let mounts = """
            22 27 0:21 / /proc rw,relatime - proc proc rw
            31 27 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
            40 31 0:52 / /srv/my\\040data rw,relatime shared:2 master:1 - nfs4 host:/export rw,vers=4.2
            41 31 0:300 / /mnt/c rw - 9p drvfs rw
            42 31 8:1 /a /b rw - xfs /dev/nfs rw
            """
        #expect(NetworkFileSystem.type(ofDevice: 254 << 8, mounts: mounts) == nil)
        #expect(NetworkFileSystem.type(ofDevice: 52, mounts: mounts) == "nfs4")
        #expect(NetworkFileSystem.type(ofDevice: (300 & 0xFF) | (300 & ~0xFF) << 12, mounts: mounts) == "9p")
        #expect(NetworkFileSystem.type(ofDevice: 8 << 8 | 1, mounts: mounts) == nil)
        #expect(NetworkFileSystem.type(ofDevice: 99, mounts: mounts) == nil)
    }

    @Test func theSchemaItselfForbidsAnAccountWithoutAKey() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let account = try await store.addAccount(Samples())
        let raw = try DatabaseQueue(path: path)
        for sql in ["DELETE FROM api_keys", "UPDATE api_keys SET user_id = 'usr_other'"] {
            let error = #expect(throws: DatabaseError.self) { try raw.write { db in try db.execute(sql: sql) } }
            #expect(error?.extendedResultCode == .SQLITE_CONSTRAINT_FOREIGNKEY)
        }
        #expect(try await store.account(id: account.user.id) == account)
        #expect(try store.sqlite.integrityProblems().isEmpty)
        try store.close()
    }

    @Test func problemsAreFound() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .server)
        _ = try await store.addAccount(Samples())
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let raw = try DatabaseQueue(path: path, configuration: configuration)
        try await raw.write { db in try db.execute(sql: "DELETE FROM api_keys; DELETE FROM memberships") }
        let problems = try store.sqlite.integrityProblems()
        #expect(problems.contains("1 accounts have no key."))
        #expect(problems.contains("1 workspaces have no Owner."))
        #expect(problems.contains { $0.contains("users refers to one of api_keys") })
        try store.close()
    }

    @Test func oldChangesGoButTheLastTenThousandStay() async throws {
        try SQLiteStore.openStore(path: path, role: .commandLine).close()
        let samples = Samples()
        // Before a server watches the file: this is another history.
        let raw = try DatabaseQueue(path: path)
        try await raw.write { db in
            try db.execute(
                sql: """
                    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10999)
                    INSERT INTO changes SELECT i, 'm' || i, 'everything', NULL, 0 FROM n
                    """)
        }
        let store = try SQLiteStore.openStore(path: path, role: .server)
        let origin = ChangeLogPosition(number: 0, nonce: "")
        #expect(try await store.changes(after: origin, limit: 1)?.first?.position.nonce == "m1")
        let newest = try await store.recordChange(of: .everything, audit: samples.event(.planChanged))
        #expect(newest.number == 11_000)
        // A node from before the first change has missed what is gone: it must forget everything.
        #expect(try await store.changes(after: origin, limit: 1) == nil)
        #expect(try await store.changes(after: ChangeLogPosition(number: 1_000, nonce: "m1000"), limit: 1) == nil)
        let kept = try await store.changes(after: ChangeLogPosition(number: 1_001, nonce: "m1001"), limit: 20_000)
        #expect(kept?.count == 9_999)
        #expect(kept?.last?.position == newest)
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

    @Test func aDamagedFileIsUnavailableAndSaysNothingOfItsPath() async throws {
        let store = try SQLiteStore.openStore(path: path, role: .commandLine)
        let samples = Samples()
        for second in 0..<50 as Range<Int64> { _ = try await store.addAccount(samples, after: second) }
        try store.close()
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        for index in 100..<bytes.count { bytes[index] = 0xA5 }
        try bytes.write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: KeybearerError.self) { try SQLiteStore.openStore(path: path, role: .server) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains(path) == false)
        #expect(error?.storeFailure != nil)
    }
}
