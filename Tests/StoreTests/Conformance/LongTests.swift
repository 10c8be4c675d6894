import Foundation
import GRDB
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// What takes long: `make test-long` runs it, and `make test` leaves it out by name.
@Suite struct LongTests {
    private static let count = 100_000
    private let directory: TemporaryDirectory
    private let path: String
    private let samples = Samples()

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("keybearer.db")
    }

    /// Adds many accounts to a file, of this version or of 0.1, each with its key and workspace.
    private func fill(_ path: String) throws {
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(Self.count))"
        try DatabaseQueue(path: path).write { db in
            for statement in [
                """
                INSERT INTO users (id, email, name, status, is_operator, password_hash, created_at)
                \(numbers) SELECT 'usr_many' || i, 'many' || i || '@example.com', 'Many', 'active', 0,
                    '$scrypt$ln=17,r=8,p=1$c2FsdA$aGFzaA', 1767225600000 + i FROM n
                """,
                """
                INSERT INTO api_keys
                    (user_id, key_id, version, shown_prefix, digest, master_key_id, box, generated_at)
                \(numbers) SELECT 'usr_many' || i, 'key_many' || i, 1, 'tdc_many', randomblob(32), 'mk_one',
                    randomblob(70), 1767225600000 + i FROM n
                """,
                """
                INSERT INTO workspaces (id, name, plan_id, created_at)
                \(numbers) SELECT 'ws_many' || i, 'Many', 'pro', 1767225600000 + i FROM n
                """,
                """
                INSERT INTO memberships (workspace_id, user_id, role)
                \(numbers) SELECT 'ws_many' || i, 'usr_many' || i, 'owner' FROM n
                """,
            ] { try db.execute(sql: statement) }
        }
    }

    @Test("A hundred thousand accounts move to PostgreSQL and back, and are the same")
    func moveThereAndBack() async throws {
        try SQLiteStore.openStore(path: path, role: .commandLine).close()
        try fill(path)
        let file = try SQLiteStore.openStore(path: path, role: .commandLine)
        let database = try PostgresDatabase()
        let shared = try database.open()
        let back = try SQLiteStore.openStore(path: directory.file("back.db"), role: .commandLine)
        for (source, target) in [(file, shared), (shared, back)] {
            let report = try Transfer { _ in }
                .run(from: source, to: target, nonce: "moved", audit: samples.event(.storeMoved))
            #expect(report.rows.first { $0.table == "api_keys" }?.count == Self.count)
            let (page, total) = try await target.accounts(offset: Self.count - 50, limit: 50)
            let original = try await file.accounts(offset: Self.count - 50, limit: 50).page
            #expect(total == Self.count)
            #expect(page == original)
        }
        for store in [file, shared, back] { try store.close() }
    }

    @Test("A database of version 0.1 with a hundred thousand accounts is upgraded whole")
    func upgrade() async throws {
        let fixture = Repository.url("Tests/Fixtures/0.1/keybearer.db")
        try FileManager.default.copyItem(atPath: fixture.path, toPath: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try fill(path)
        let store = try SQLiteStore.openStore(path: path, role: .commandLine)
        #expect(try await store.accounts(offset: 0, limit: 1).total == Self.count + 4)
        #expect(try await store.sealedKeyCounts()[MasterKeyID(rawValue: "mk_one")] == Self.count)
        #expect(try store.sqlite.integrityProblems().isEmpty)
        try store.close()
    }

    @Test("A hundred thousand keys are imported, with an interruption, and a node holds them in 8 to 16 bytes each")
    func importedKeys() async throws {
        let ring = try MasterKeyRing.generate(from: .system)
        func open() throws -> (store: SQLStore, services: Services) {
            let store = try SQLiteStore.openStore(path: path, role: .server)
            let services = Services(
                store: store, ring: ring, loadRing: { ring }, settings: Services.Settings(), role: .command,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            return (store, services)
        }
        func row(_ number: Int) -> (id: ExternalID, input: UserInput) {
            var input = UserInput()
            (input.email, input.name, input.isEmailVerified) = ("many\(number)@example.com", "Many", true)
            input.keyToImport = KeyToImport("acme-live-ABCDEFGH-\(number)")
            return (ExternalID(rawValue: "\(number)"), input)
        }
        func importRows(_ numbers: Range<Int>, by services: Services) async throws {
            for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 100) {
                let results = await services.writes.put((first..<first + 100).map(row), by: .commandLine)
                #expect(results.allSatisfy { $0.code == nil }, "from \(first)")
            }
        }
        var (store, services) = try open()
        try await importRows(0..<40_000, by: services)
        try store.close()
        (store, services) = try open()
        // As a file that is imported again: what is there already counts as done.
        try await importRows(39_000..<Self.count, by: services)
        #expect(try await store.accounts(offset: 0, limit: 1).total == Self.count)
        let opened = store
        let keys = ImportedKeys { try await opened.importedKeyPrefixes() }
        let time = try await ContinuousClock().measure { try await keys.load() }
        #expect(keys.count == Self.count && (8...16).contains(Double(keys.byteCount) / Double(Self.count)))
        print("\(keys.count) imported keys: \(keys.byteCount) bytes, read in \(time)")
        let vault = KeyVault(ring: ring)
        for number in stride(from: 0, to: Self.count, by: 997) {
            let text = "acme-live-ABCDEFGH-\(number)"
            let token = try #require(Array(text.utf8).withUnsafeBufferPointer(PresentedToken.init))
            #expect(keys.contains(anyOf: vault.digestPrefixes(of: token)))
            let found = try await store.account(keyDigests: vault.digests(of: token))
            #expect(found?.user.externalID == ExternalID(rawValue: "\(number)"))
        }
        #expect(try store.sqlite.integrityProblems().isEmpty)
        try store.close()
    }

    private func fillAuditLog(_ path: String, _ numbers: String) throws {
        try DatabaseQueue(path: path).write { db in
            for statement in Self.fillAuditLog(numbers) { try db.execute(sql: statement) }
        }
    }

    /// Adds a million audit events of one workspace; one actor and one action are rare.
    private static func fillAuditLog(_ numbers: String) -> [String] {
        [
            """
            INSERT INTO audit_events (id, at, actor, action, user_id, workspace_id)
            \(numbers) SELECT 'evt_many' || i, 1767225600000 + i * 1000,
                CASE WHEN i % 250000 = 7 THEN 'usr_rare' ELSE 'usr_many' || (i % 50) END,
                CASE WHEN i % 200000 = 9 THEN 'key.revoked' ELSE 'key.revealed' END,
                'usr_many' || (i % 50), 'ws_many' FROM n
            """,
            "ANALYZE audit_events",
        ]
    }

    /// The longest time of one page of each kind.
    private func pageTime(_ store: SQLStore) async throws -> Duration {
        let workspace = AuditFilter(.workspace(WorkspaceID(rawValue: "ws_many")))
        var byActor = workspace
        byActor.actor = UserID(rawValue: "usr_rare")
        var ofAction = workspace
        ofAction.action = .keyRevoked
        var both = byActor
        both.action = .keyRevoked
        var days = workspace
        days.since = Timestamp(millisecondsSinceEpoch: 1_767_225_600_000 + 400_000_000)
        days.until = Timestamp(millisecondsSinceEpoch: 1_767_225_600_000 + 500_000_000)
        let account = AuditFilter(.account(UserID(rawValue: "usr_many7")))
        var rare = account
        rare.action = .keyRevoked
        let deep = AuditPlace(at: 1_767_225_600_000 + 500_000_000, sequence: 500_000)
        let cases: [(AuditFilter, AuditPlace?, Int)] = [
            (workspace, nil, 51), (workspace, deep, 51), (byActor, nil, 4), (ofAction, nil, 5), (both, nil, 0),
            (days, nil, 51), (account, nil, 51), (account, deep, 51), (rare, nil, 0),
        ]
        var longest: Duration = .zero
        for (filter, place, count) in cases {
            _ = try await store.auditEvents(matching: filter, before: place, limit: 51)
            let begun = SteadyTime.systemNow()
            let page = try await store.auditEvents(matching: filter, before: place, limit: 51)
            let time = begun.duration(to: .systemNow())
            print("\(filter) before \(place.map { "\($0)" } ?? "now"): \(page.count) in \(time)")
            #expect(page.count == count)
            longest = max(longest, time)
        }
        return longest
    }

    @Test("A page of a million audit events takes no longer than 100 ms, and all of them are sealed in bounded steps")
    func auditPages() async throws {
        try SQLiteStore.openStore(path: path, role: .commandLine).close()
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
        try fillAuditLog(path, numbers)
        let file = try SQLiteStore.openStore(path: path, role: .server)
        let database = try PostgresDatabase()
        let shared = try database.open()
        for statement in Self.fillAuditLog("WITH n AS (SELECT generate_series(1, 1000000) AS i)") {
            try database.run(statement)
        }
        let key = try #require(KeyVault(ring: try .generate(from: .system)).activeAuditKey)
        for store in [file, shared] {
            #expect(try await pageTime(store) <= .milliseconds(100))
            let begun = SteadyTime.systemNow()
            var (count, longest) = (0, Duration.zero)
            while count < 1_000_000 {
                let step = SteadyTime.systemNow()
                count += try await store.sealAuditEvents(atMost: AuditSealer.mostAtOnce, by: key, random: .system)
                longest = max(longest, step.duration(to: .systemNow()))
            }
            print("\(count) events sealed in \(begun.duration(to: .systemNow())), the longest step \(longest)")
            try store.close()
        }
    }
}
