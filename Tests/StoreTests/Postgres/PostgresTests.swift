import Foundation
import Keybearer
import KeybearerSQL
import KeybearerPostgres
import TestSupport
import Testing

extension PostgresDatabase {
    /// Opens it as a process of its own would, with the clock that the tests hold.
    func open(
        clock: PostgresStore.Clock = .caller, lease: Duration = .seconds(2)
    ) throws -> SQLStore {
        var options = PostgresStore.Options()
        options.clock = clock
        options.connections = 4
        options.lease = lease
        return try PostgresStore.openStore(address, options: options)
    }
}

/// What PostgreSQL does beyond the promises that all stores share.
@Suite struct PostgresTests {
    private let samples = Samples()

    @Test func aServerOutOfReachIsUnavailableAndItsPasswordIsToldToNobody() async throws {
        let error = #expect(throws: KeybearerError.self) {
            try PostgresStore.openStore("postgres://ada:topsecret@127.0.0.1:1/keybearer")
        }
        #expect(error?.code == .unavailable)
        #expect(!String(reflecting: error).contains("topsecret"))
        #expect(error?.storeFailure?.kind == .unreachable)
    }

    @Test func theServersCertificateIsChecked() async throws {
        let database = try PostgresDatabase()
        let certificate = try #require(ProcessInfo.processInfo.environment["KEYBEARER_TEST_POSTGRES_CA"])
        let store = try PostgresStore.openStore("\(database.address)?sslmode=verify-full&sslrootcert=\(certificate)")
        #expect(try await store.postgres.inspect(now: samples.at(0)).isEncrypted)
        try store.close()
        let directory = try TemporaryDirectory()
        let other = directory.file("other.crt")
        let made = try CommandRunner.run(
            program: "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout",
                directory.file("other.key"), "-out", other,
            ])
        #expect(made.status == 0)
        let error = #expect(throws: KeybearerError.self) {
            try PostgresStore.openStore("\(database.address)?sslmode=verify-full&sslrootcert=\(other)")
        }
        #expect(error?.code == .unavailable)
    }

    @Test func nodesThatStartAtOnceMigrateOnce() async throws {
        let database = try PostgresDatabase()
        let stores = try await withThrowingTaskGroup(of: SQLStore.self) { group in
            for _ in 0..<6 { group.addTask { try database.open() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for store in stores { #expect(try await store.plans().count == 2) }
        for store in stores { try store.close() }
        #expect(try PostgresStore.schemaState(of: database.address) == .current)
    }

    @Test func aNodeWorksBesideANewerSchemaThatSaysItMay() async throws {
        let database = try PostgresDatabase()
        #expect(try PostgresStore.schemaState(of: database.address) == .empty)
        try database.open().close()
        try database.run("INSERT INTO schema_migrations (identifier, needs) VALUES ('99 adds a column', 1)")
        #expect(try PostgresStore.schemaState(of: database.address) == .newerButCompatible)
        try database.open().close()
        try database.run("INSERT INTO schema_migrations (identifier, needs) VALUES ('100 breaks', 100)")
        #expect(try PostgresStore.schemaState(of: database.address) == .newer)
        let error = #expect(throws: KeybearerError.self) { try database.open() }
        #expect(error?.code == .unavailable)
    }

    @Test func whoseConnectionsAreCutGoesOnWithNewOnes() async throws {
        let database = try PostgresDatabase()
        let store = try database.open()
        let user = try await store.addAccount(samples).user.id
        for _ in 0..<3 {
            try database.endConnections()
            #expect(try await store.account(id: user) != nil)
            try database.endConnections()
            _ = try await store.setStatus(.active, of: user, audit: samples.event(.userEnabled))
        }
        #expect(try await store.newestPosition(samples).number == 3)
        try store.close()
    }

    @Test func aLockThatIsHeldElsewhereEndsAChangeWithNothingChanged() async throws {
        let database = try PostgresDatabase()
        let store = try database.open(lease: .milliseconds(500))
        let account = try await store.addAccount(samples)
        let holder = try database.hold("SELECT number FROM fence_counter FOR UPDATE")
        await expect(.unavailable) {
            _ = try await store.replaceKey(samples.replacement(of: account), audit: samples.event(.keyRegenerated))
        }
        holder.release()
        #expect(try await store.account(id: account.user.id)?.key == account.key)
        #expect(try await store.newestPosition(samples).number == 0)
        try store.close()
    }

    @Test(.timeLimit(.minutes(1))) func aChangeIsNotified() async throws {
        let database = try PostgresDatabase()
        let first = try database.open()
        let second = try database.open()
        // The first hint says that it listens.
        await second.waitForNotification(atMost: .seconds(3_600))
        _ = try await first.recordChange(of: .everything, audit: samples.event(.planChanged))
        await second.waitForNotification(atMost: .seconds(3_600))
        await second.waitForNotification(atMost: .milliseconds(1))
        try first.close()
        try second.close()
    }

    @Test func windowsFollowTheServersClockAndNoNodes() async throws {
        let database = try PostgresDatabase()
        let store = try database.open(clock: .database)
        let user = try await store.addAccount(samples).user.id
        let now = Clocks.system.wall()
        let all = QuotaRequest.reserve(user, count: 100, limit: 100, life: .seconds(60))
        #expect(try await store.reserve([all], now: now).map(\.granted) == [100])
        // A node whose clock is two days ahead frees nothing.
        let lead = now.advanced(by: .seconds(2 * 24 * 3_600))
        #expect(try await store.reserve([all], now: lead).map(\.granted) == [0])
        try await store.postReclaims(of: [user], now: lead)
        #expect(try await store.reclaims(now: now).map(\.userID) == [user])
        try store.close()
    }
}
