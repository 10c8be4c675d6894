import Keybearer
import KeybearerPostgres
import KeybearerSQL
import TestSupport
import Testing

/// ``PostgresRateLimits`` by the clock of the server.
@Suite struct PostgresRateLimitsTests {
    private let samples = Samples()

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
