import Foundation
import GRDB
import Keybearer
import KeybearerSQL
@testable import KeybearerSQLite
import TestSupport
import Testing

/// An ``SQLiteBackup``, and what a restore of it brings back and keeps.
@Suite struct SQLiteBackupTests {
    private let directory: TemporaryDirectory
    private let samples = Samples()
    private let store: SQLStore

    init() throws {
        directory = try TemporaryDirectory()
        // A command: a server takes a restore beside it for another file put in its place.
        store = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .commandLine)
    }

    private var restored: AuditEvent {
        AuditEvent(id: .random(from: samples.random), at: samples.at(900), actor: .commandLine, action: .storeRestored)
    }

    @Test func aBackupIsOneSoundFileForItsOwnerAlone() async throws {
        let account = try await store.addAccount(samples)
        let backup = directory.file("backup.db")
        try store.sqlite.backUp(to: backup)
        #expect(try FileManager.default.attributesOfItem(atPath: backup)[.posixPermissions] as? Int == 0o600)
        for suffix in ["-wal", "-shm", "-journal"] {
            #expect(!FileManager.default.fileExists(atPath: backup + suffix))
        }
        #expect(try SQLiteStore.schemaState(path: backup) == .current)
        let copy = try SQLiteStore.openStore(path: backup, role: .server)
        #expect(try await copy.account(id: account.user.id) == account)
        #expect(try copy.sqlite.integrityProblems().isEmpty)
        try copy.close()
    }

    @Test func aBackupNeverOverwrites() async throws {
        let backup = directory.file("backup.db")
        try Data("precious".utf8).write(to: URL(fileURLWithPath: backup))
        await expect(.conflict) { try store.sqlite.backUp(to: backup) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: backup)) == Data("precious".utf8))
        await expect(.unavailable) { try store.sqlite.backUp(to: directory.file("nowhere/backup.db")) }
    }

    @Test func aRestoreBringsTheOldStateUnderANewHistory() async throws {
        let new = samples.newAccount()
        let account = try await store.add(new, samples)
        let shared = try await store.recordChange(of: .everything, audit: samples.event(.planChanged))
        let backup = directory.file("backup.db")
        try store.sqlite.backUp(to: backup)

        let other = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .commandLine)
        let replacement = samples.replacement(of: account)
        _ = try await store.replaceKey(replacement, audit: samples.event(.keyRegenerated))
        _ = try await store.addAccount(samples)
        let lost = try await store.recordChange(of: .everything, audit: samples.event(.planChanged))
        let node = NodeID.random(from: samples.random)
        _ = try await store.registerNode(node, lease: .seconds(2))
        let tokenDigest = samples.random.bytes(32)
        try await store.startSession(
            samples.session(of: account.user.id), tokenDigest: tokenDigest, replacing: nil,
            audit: samples.event(.sessionStarted))

        let audit = restored
        let position = try other.sqlite.restore(from: backup, audit: audit)
        #expect(position.number > lost.number)
        // Seen through connections that were open before, and by the index.
        #expect(try await store.account(keyDigests: [new.sealedKey.digest]) == account)
        #expect(try await store.account(keyDigests: [replacement.sealed.digest]) == nil)
        #expect(try await store.accounts(offset: 0, limit: 9).total == 1)
        #expect(try await store.nodes().isEmpty)
        #expect(try await store.session(tokenDigest: tokenDigest) == nil)
        #expect(try await store.auditEvents(userID: nil, limit: 1) == [audit])
        // Nobody can go on from a position of the time before, whether the backup knew it or not.
        for old in [shared, lost, ChangeLogPosition(number: 0, nonce: "")] {
            #expect(try await store.changes(after: old, limit: 10) == nil)
            #expect(try await store.renewLease(of: node, applied: old) == .unknownNode)
        }
        #expect(try await store.registerNode(node, lease: .seconds(2)) == position)
        let next = try await store.recordChange(of: .everything, audit: samples.event(.planChanged))
        #expect(
            try await other.changes(after: position, limit: 10) == [Change(position: next, subject: .everything)])
        #expect(try store.sqlite.settings().synchronous == 2)
        #expect(try other.sqlite.settings().journalMode == "wal")
        #expect(try store.sqlite.integrityProblems().isEmpty)
        #expect(!FileManager.default.fileExists(atPath: directory.file("keybearer.db.restoring")))
    }

    @Test func aRestoreKeepsWhatTheWindowHasUsed() async throws {
        let user = try await store.addAccount(samples).user.id
        let backup = directory.file("backup.db")
        try store.sqlite.backUp(to: backup)
        let request = QuotaRequest.reserve(user, count: 60, limit: 100, life: .seconds(10))
        _ = try await store.reserve([request], now: samples.at(0))
        _ = try store.sqlite.restore(from: backup, audit: restored)
        #expect(try await store.reserve([request], now: samples.at(1)).map(\.granted) == [40])
    }

    @Test func whoWasDeletedGetsNoSecondWindowFromABackup() async throws {
        let (user, other) = (try await store.addAccount(samples).user.id, try await store.addAccount(samples).user.id)
        let backup = directory.file("backup.db")
        try store.sqlite.backUp(to: backup)
        let later = try await store.addAccount(samples).user.id
        let newer = directory.file("newer.db")
        try store.sqlite.backUp(to: newer)
        let request = { QuotaRequest.reserve($0, count: 60, limit: 100, life: .seconds(10)) }
        _ = try await store.reserve([request(user), request(other), request(later)], now: samples.at(880))
        _ = try await store.deleteAccount(user, audit: samples.event(.userDeleted, after: 890))
        _ = try store.sqlite.restore(from: backup, audit: restored)
        let windows = try await store.reserve([request(user), request(other)], now: samples.at(910))
        #expect(windows.map(\.granted) == [40, 40])
        // An account that the first backup lacked comes back with the next one, and with what it had used.
        _ = try store.sqlite.restore(from: newer, audit: restored)
        #expect(try await store.reserve([request(later)], now: samples.at(910)).map(\.granted) == [40])
        // Two hours later nothing of it is kept.
        _ = try await store.deleteAccount(other, audit: samples.event(.userDeleted, after: 900))
        _ = try await store.deleteAccount(later, audit: samples.event(.userDeleted, after: 9_000))
        try await store.removeOldRequests(now: samples.at(9_000))
        try store.close()
        let kept = try await DatabaseQueue(path: directory.file("keybearer.db")).read {
            try String.fetchAll($0, sql: "SELECT user_id FROM past_hours")
        }
        #expect(kept == [later.rawValue])
    }

    @Test func whatANodeUsedForAnAccountThatWasDeletedCountsInABackup() async throws {
        let user = try await store.addAccount(samples).user.id
        let backup = directory.file("backup.db")
        try store.sqlite.backUp(to: backup)
        let request = QuotaRequest.reserve(user, count: 60, limit: 100, life: .seconds(10))
        _ = try await store.reserve([request], now: samples.at(880))
        _ = try await store.deleteAccount(user, audit: samples.event(.userDeleted, after: 890))
        let used = RateLimitWindow.Bucket(minute: RateLimitWindow.minute(of: samples.at(880)), count: 30)
        _ = try await store.reserve(
            [.from(holder: .random(from: samples.random), unrecorded: used, .look(user))], now: samples.at(891))
        _ = try store.sqlite.restore(from: backup, audit: restored)
        #expect(try await store.reserve([request], now: samples.at(910)).map(\.granted) == [10])
    }

    @Test func aRestoreTakesRowsAndNoSchema() async throws {
        let account = try await store.addAccount(samples)
        let backup = directory.file("backup.db")
        try store.sqlite.backUp(to: backup)
        try await DatabaseQueue(path: backup).write { db in
            try db.execute(
                sql: """
                    CREATE TABLE loot (key BLOB);
                    CREATE VIEW shown AS SELECT * FROM users;
                    CREATE INDEX theirs ON users (name);
                    CREATE TRIGGER steal AFTER INSERT ON api_keys BEGIN INSERT INTO loot VALUES (NEW.box); END;
                    CREATE TRIGGER spoil BEFORE DELETE ON sessions BEGIN SELECT RAISE (ABORT, 'no'); END;
                    CREATE TRIGGER no_insert_under_retired_master_key BEFORE INSERT ON audit_events
                    BEGIN DELETE FROM api_keys; END;
                    """)
        }
        let schema = "SELECT type || ' ' || name FROM sqlite_master ORDER BY 1"
        let before = try await store.sqlite.pool.read { try String.fetchAll($0, sql: schema) }
        let id = try await store.storedSetting(.databaseID)
        _ = try store.sqlite.restore(from: backup, audit: restored)
        #expect(try await store.sqlite.pool.read { try String.fetchAll($0, sql: schema) } == before)
        #expect(try await store.account(id: account.user.id) == account)
        #expect(try await store.storedSetting(.databaseID) == id)
    }

    @Test func aBackupOfVersion01IsBroughtUpToDate() async throws {
        let fixture = Repository.url("Tests/Fixtures/0.1/keybearer.db").path
        let backup = directory.file("old.db")
        try FileManager.default.copyItem(atPath: fixture, toPath: backup)
        let count = "SELECT count(*) FROM users"
        let users = try await DatabaseQueue(path: backup).write { db in
            // Somebody else's, which a migration would run.
            try db.execute(
                sql: "CREATE TRIGGER spoil BEFORE DELETE ON sessions BEGIN SELECT RAISE (ABORT, 'no'); END")
            return try Int.fetchOne(db, sql: count)
        }
        _ = try store.sqlite.restore(from: backup, audit: restored)
        #expect(try await store.accounts(offset: 0, limit: 1).total == users)
        #expect(try SQLiteStore.schemaState(path: backup) == .older)
        #expect(try store.sqlite.integrityProblems().isEmpty)
        for suffix in [".restoring", ".restoring-backup"] {
            #expect(!FileManager.default.fileExists(atPath: directory.file("keybearer.db" + suffix)))
        }
    }

    @Test func aRestoreIntoANewDatabaseBringsEverything() async throws {
        let account = try await store.addAccount(samples)
        for _ in 0..<3 { _ = try await store.recordChange(of: .everything, audit: samples.event(.planChanged)) }
        let backup = directory.file("backup.db")
        try store.sqlite.backUp(to: backup)
        let fresh = try SQLiteStore.openStore(path: directory.file("fresh.db"), role: .commandLine)
        #expect(try fresh.sqlite.restore(from: backup, audit: restored).number == 4)
        #expect(try await fresh.account(id: account.user.id) == account)
        try fresh.close()
    }

    @Test func whatIsNoSoundBackupChangesNothing() async throws {
        let account = try await store.addAccount(samples)
        let garbage = directory.file("garbage")
        try Data(repeating: 0x41, count: 8_192).write(to: URL(fileURLWithPath: garbage))
        let empty = directory.file("empty.db")
        try Data().write(to: URL(fileURLWithPath: empty))
        let newer = directory.file("newer.db")
        try store.sqlite.backUp(to: newer)
        let keyless = directory.file("keyless.db")
        try store.sqlite.backUp(to: keyless)
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        try await DatabaseQueue(path: newer).write { db in
            try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('999 from the future')")
        }
        try await DatabaseQueue(path: keyless, configuration: configuration).write { db in
            try db.execute(sql: "DELETE FROM api_keys")
        }
        let position = try await store.recordChange(of: .everything, audit: samples.event(.planChanged))
        for path in [garbage, empty, newer, keyless, directory.file("missing.db")] {
            await expect(.validationFailed) { _ = try store.sqlite.restore(from: path, audit: restored) }
        }
        #expect(try await store.account(id: account.user.id) == account)
        #expect(try await store.newestPosition(samples) == position)
        #expect(!FileManager.default.fileExists(atPath: directory.file("missing.db")))
    }

    @Test func nodesTellWhetherTheyRenew() async throws {
        let node = NodeID.random(from: samples.random)
        let position = try await store.registerNode(node, lease: .milliseconds(1_500))
        #expect(try await store.renewLease(of: node, applied: position) == .renewed)
        let nodes = try await store.nodes()
        #expect(nodes.map(\.id) == [node])
        #expect(nodes.map(\.acknowledged) == [0])
        #expect(nodes.map(\.renewals) == [1])
        #expect(nodes.map(\.lease) == [.milliseconds(1_500)])
    }
}
