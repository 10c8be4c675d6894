import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

/// ``OldRows``: what housekeeping removes, ``DeletedAccountWindows`` among it, by whose clock, and how much in one
/// transaction.
@Suite struct OldRowsTests {
    private static func insert(
        _ count: Int, into name: String, _ store: SQLStore, _ row: (Int) -> [SQLValue]
    ) throws {
        let table = try #require(CopiedTable.all.first { $0.name == name })
        try store.engine.withCopyWriter { try $0.insertMany((0..<count).map(row), into: table) }
    }

    private static func count(_ name: String, _ store: SQLStore) async throws -> Int64 {
        let table = try #require(CopiedTable.all.first { $0.name == name })
        return try await store.engine.read { try $0.rows(table.count)[0].requiredNumber("count") }
    }

    private static func insertRequests(_ count: Int, _ store: SQLStore, _ samples: Samples, at seconds: Int64) throws {
        try insert(count, into: "idempotent_requests", store) { number in
            [
                .text("usr_\(10_000 + number)"), .bytes(samples.random.bytes(32)), .bytes(Samples.request),
                .text("key_1"), .time(samples.at(seconds)),
            ]
        }
    }

    @Test(arguments: storesUnderTest)
    func allThatIsOldGoesHoweverMuchItIs(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let store = try #require(store as? SQLStore)
            let day: Int64 = 24 * 3_600
            try Self.insertRequests(2_000, store, samples, at: 0)
            try Self.insertRequests(300, store, samples, at: 2 * day)
            try Self.insertRequests(7, store, samples, at: day)
            for (first, count, endedAt) in [(1_000, 2_001, 0), (5_000, 4, day)] as [(Int, Int, Int64)] {
                try Self.insert(count, into: "past_hours", store) { number in
                    [.text("usr_\(first + number)"), .bytes([0]), .time(samples.at(endedAt)), .null]
                }
            }
            try await store.removeOldRequests(now: samples.at(day + 1))
            #expect(try await Self.count("idempotent_requests", store) == 7)
            #expect(try await Self.count("past_hours", store) == 4)
        }
    }

    @Test func oneTransactionRemovesALimitedNumber() async throws {
        let database = try PostgresDatabase()
        let samples = Samples()
        let store = try database.open()
        try Self.insertRequests(1_500, store, samples, at: 0)
        // Somebody has the last one, for longer than is waited for it.
        let holder = try database.hold("SELECT at FROM idempotent_requests WHERE scope = 'usr_11499' FOR UPDATE")
        await expect(.unavailable) { try await store.removeOldRequests(now: samples.at(30 * 3_600)) }
        #expect(try await Self.count("idempotent_requests", store) == 500)
        holder.release()
        try await store.removeOldRequests(now: samples.at(30 * 3_600))
        #expect(try await Self.count("idempotent_requests", store) == 0)
        try store.close()
    }

    @Test func onPostgresTheDatabasesClockStampsAndJudgesIdempotencyKeys() async throws {
        let store = try PostgresDatabase().open(clock: .database)
        let samples = Samples()
        let now = Samples.start.duration(to: Clocks.system.wall()).components.seconds
        let day: Int64 = 24 * 3_600
        // How far the clocks of nodes are off.
        let nodes: [Int64] = [0, -3_600, 3_600, -365 * day, 365 * day]
        for first in nodes {
            let account = try await store.addAccount(samples)
            let digest = samples.random.bytes(32)
            let made = samples.replacement(of: account, idempotencyDigest: digest, after: now + first)
            #expect(try await store.replaceKey(made, audit: samples.event(.keyRegenerated)).value == .replaced)
            for second in nodes {
                try await store.removeOldRequests(now: samples.at(now + second))
                let retry = samples.replacement(of: account, idempotencyDigest: digest, after: now + second)
                let outcome = try await store.replaceKey(retry, audit: samples.event(.keyRegenerated)).value
                guard case .replayed(let key, _) = outcome else {
                    Issue.record("\(outcome) by a clock \(second) s off, after one \(first) s off")
                    continue
                }
                #expect(key.id == made.key.id)
            }
        }
        try store.close()
    }

    @Test func onPostgresTheDatabasesClockStampsAndJudgesWindowsOfDeletedAccounts() async throws {
        let store = try PostgresDatabase().open(clock: .database)
        let samples = Samples()
        let now = Samples.start.duration(to: Clocks.system.wall()).components.seconds
        for off: Int64 in [-86_400, 86_400] {
            let user = try await store.addAccount(samples).user.id
            let request = QuotaRequest.reserve(user, count: 1, limit: 100, life: .seconds(10))
            #expect(try await store.reserve([request], now: samples.at(now)).map(\.granted) == [1])
            _ = try await store.deleteAccount(user, audit: samples.event(.userDeleted, user: user, after: now + off))
            try await store.removeOldRequests(now: samples.at(now + off))
            try await store.removeOldRequests(now: samples.at(now))
        }
        #expect(try await Self.count("past_hours", store) == 2)
        try store.close()
    }
}
