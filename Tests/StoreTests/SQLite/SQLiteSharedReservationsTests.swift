import Keybearer
import KeybearerSQL
import KeybearerPostgres
import KeybearerSQLite
import TestSupport
import Testing

/// ``SQLiteSharedReservations``: only the embedded store opens them.
@Suite struct SQLiteSharedReservationsTests {
    private let directory: TemporaryDirectory
    private let samples = Samples()
    private let store: SQLStore
    private let holder: NodeID

    init() throws {
        directory = try TemporaryDirectory()
        store = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
        holder = .random(from: samples.random)
    }

    private func open(by holder: NodeID, at seconds: Int64 = 0) async throws -> SharedReservation? {
        try await store.openSharedReservation(atMost: 10, holder: holder, life: .seconds(60), now: samples.at(seconds))
    }

    private func charged(
        _ userID: UserID, for holder: NodeID? = nil, at seconds: Int64 = 0, in store: (any Store)? = nil
    ) async throws -> Int? {
        let look = QuotaRequest.look(userID)
        let request = holder.map { QuotaRequest.from(holder: $0, unrecorded: nil, look) } ?? look
        return try await (store ?? self.store).reserve([request], now: samples.at(seconds)).first?.charged
    }

    @Test func itCountsForEveryAccountButForItsHolder() async throws {
        let user = try await store.addAccount(samples).user.id
        let sharedReservation = try #require(try await open(by: holder))
        #expect(sharedReservation.bucket == .init(minute: RateLimitWindow.minute(of: samples.at(60)), count: 10))
        #expect(try await charged(user) == 10)
        #expect(try await charged(user, for: holder) == 0)
        let used = try store.use(of: sharedReservation, by: user, limit: 100, holder: holder, now: samples.at(0))
        #expect(used.granted == 10)
        #expect(used.charged == 10)
        let nobody = UserID.random(from: samples.random)
        #expect(
            try store.use(of: sharedReservation, by: nobody, limit: 100, holder: holder, now: samples.at(0)).granted
                == 0)
        let all = QuotaRequest.reserve(user, count: 100, limit: 100, life: .seconds(60))
        #expect(try await store.reserve([all], now: samples.at(0)).map(\.granted) == [90])
        // What was used is recorded also where the limit has no room for it any more: it was admitted.
        let record = QuotaRequest.from(
            holder: holder, unrecorded: .init(minute: used.minute, count: 10),
            .reserve(user, count: 0, limit: 50, life: .zero))
        #expect(try await store.reserve([record], now: samples.at(1)).map(\.charged) == [100])
        try await store.closeSharedReservations(of: holder, keeping: [])
        #expect(try await charged(user) == 100)
    }

    @Test func aHolderHasSeveralAndClosesThoseItNames() async throws {
        let user = try await store.addAccount(samples).user.id
        let first = try #require(try await open(by: holder))
        let second = try #require(try await open(by: holder, at: 30))
        #expect(first.id != second.id)
        #expect(try await charged(user, at: 30) == 20)
        try await store.closeSharedReservations(of: .random(from: samples.random), keeping: [])
        #expect(try await charged(user, at: 30) == 20)
        try await store.closeSharedReservations(of: holder, keeping: [second.id])
        #expect(try await charged(user, at: 30) == 10)
        #expect(try await open(by: holder, at: 60)?.id != first.id)
    }

    @Test func noneIsOpenedBesideOneOfAnotherUntilThatHasFreed() async throws {
        _ = try await open(by: holder)
        let other = NodeID.random(from: samples.random)
        #expect(try await open(by: other) == nil)
        // The minute that 60 seconds later is in, to its end, and 60 minutes.
        #expect(try await open(by: other, at: 60 + 60 + 3_599) == nil)
        #expect(try await open(by: other, at: 60 + 60 + 3_600) != nil)
    }

    @Test func itIsNoMoreThanATenthOfTheSmallestLimit() async throws {
        for (limit, count) in [(0, 10), (1_000, 10), (55, 5), (9, nil)] {
            _ = try await store.putPlan(
                Plan(
                    id: PlanID(rawValue: "small"), name: "Small", features: [.apiWebhooks], hourlyLimit: limit,
                    position: 9), audit: samples.event(.planChanged))
            #expect(try await open(by: holder)?.bucket.count == count, "limit \(limit)")
        }
    }

    @Test func aRestoreKeepsWhatMayHaveBeenUsed() async throws {
        let user = try await store.addAccount(samples).user.id
        let backup = directory.file("backup.db")
        let earlier = NodeID.random(from: samples.random)
        _ = try await open(by: earlier)
        try store.sqlite.backUp(to: backup)
        try await store.closeSharedReservations(of: earlier, keeping: [])
        // Numbers go on where the backup's do not.
        _ = try await open(by: holder)
        let sharedReservation = try #require(try await open(by: holder))
        try await store.closeSharedReservations(of: holder, keeping: [sharedReservation.id])
        _ = try store.sqlite.restore(from: backup, audit: samples.event(.storeRestored))
        #expect(try await charged(user, at: 1) == 10)
        // The one who holds it goes on to know it by its id.
        try await store.closeSharedReservations(of: holder, keeping: [sharedReservation.id])
        #expect(try await charged(user, at: 1) == 10)
        // Where nothing is known of the windows but by the backup, what was open then counts.
        let fresh = try SQLiteStore.openStore(path: directory.file("fresh.db"), role: .commandLine)
        _ = try fresh.sqlite.restore(from: backup, audit: samples.event(.storeRestored))
        #expect(try await charged(user, at: 1, in: fresh) == 10)
        try fresh.close()
    }

    @Test func aCopyCarriesWhatMayHaveBeenUsedThereAndBack() async throws {
        let user = try await store.addAccount(samples).user.id
        _ = try await open(by: holder)
        _ = try await open(by: holder, at: 30)
        let shared = try PostgresDatabase().open()
        let back = try SQLiteStore.openStore(path: directory.file("back.db"), role: .commandLine)
        for (source, target) in [(store, shared), (shared, back)] {
            _ = try Transfer { _ in }.run(from: source, to: target, nonce: "moved", audit: samples.event(.storeMoved))
        }
        for target in [shared as any Store, back] {
            #expect(try await charged(user, at: 30, in: target) == 20)
            let all = QuotaRequest.reserve(user, count: 100, limit: 100, life: .seconds(60))
            #expect(try await target.reserve([all], now: samples.at(30)).map(\.granted) == [80])
            #expect(try await charged(user, at: 60 + 3_600 + 120, in: target) == 0)
        }
        try shared.close()
        try back.close()
    }
}
