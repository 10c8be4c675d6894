import Keybearer
import TestSupport
import Testing

/// The ``RateLimitStore`` on every engine (``SQLiteRateLimits``): each ``QuotaRequest`` that is in no holder's name.
@Suite struct RateLimitConformance {
    private static func request(
        _ userID: UserID, _ wanted: Int, limit: Int = 100, leavingRoom: Bool = false, unused: [LocalQuota.Unused] = []
    ) -> QuotaRequest {
        if wanted == 0 { return unused.isEmpty ? .look(userID) : .release(userID, unused) }
        return .reserve(
            userID, count: wanted, limit: limit, life: .seconds(10), leavingRoom: leavingRoom, releasing: unused)
    }

    @Test(arguments: storesUnderTest)
    func theStoreReckonsAsTheRollingWindowDoes(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let user = try await first.addAccount(samples).user.id
            var model = RateLimitWindow()
            let steps: [(seconds: Int64, wanted: Int)] = [
                (0, 30), (50, 0), (59, 40), (30, 5), (90, 50), (3_600, 10), (3_720, 100), (7_400, 1),
            ]
            for (index, step) in steps.enumerated() {
                let store = index.isMultiple(of: 2) ? first : second
                let reservation = try await store.reserve(
                    [Self.request(user, step.wanted)], now: samples.at(step.seconds))
                let expected =
                    step.wanted == 0
                    ? model.look(now: samples.at(step.seconds))
                    : model.reserve(step.wanted, limit: 100, life: .seconds(10), now: samples.at(step.seconds))
                #expect(reservation == [expected], "step \(index)")
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func whatIsReleasedMayBeUsedAgain(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            let now = samples.at(0)
            let all = try await store.reserve([Self.request(user, 150)], now: now)
            #expect(all.map(\.granted) == [100])
            #expect(try await store.reserve([Self.request(user, 1)], now: now).map(\.granted) == [0])
            let unused = LocalQuota.Unused(count: 40, minute: all[0].minute)
            let again = try await store.reserve([Self.request(user, 50, unused: [unused])], now: now)
            #expect(again.map(\.granted) == [40])
            #expect(again.map(\.charged) == [100])
            // Giving back without asking is kept as well.
            let rest = try await store.reserve([Self.request(user, 0, unused: [unused])], now: now)
            #expect(rest.map(\.charged) == [60])
            #expect(try await store.reserve([Self.request(user, 0)], now: now).map(\.charged) == [60])
        }
    }

    @Test(arguments: storesUnderTest)
    func aBatchKeepsItsOrder(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let first = try await store.addAccount(samples).user.id
            let second = try await store.addAccount(samples).user.id
            let nobody = UserID.random(from: samples.random)
            let reservations = try await store.reserve(
                [
                    Self.request(first, 70), Self.request(nobody, 5), Self.request(second, 10, limit: 3),
                    Self.request(first, 70),
                ], now: samples.at(0))
            #expect(reservations.map(\.granted) == [70, 0, 3, 30])
            #expect(try await store.reserve([], now: samples.at(0)).isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func concurrentReservationsAdmitExactlyTheLimit(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let user = try await first.addAccount(samples).user.id
            let granted = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<40 {
                    let store = index.isMultiple(of: 2) ? first : second
                    group.addTask {
                        try await store.reserve([Self.request(user, 3, limit: 50)], now: samples.at(0))[0].granted
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(granted == 50)
        }
    }

    @Test(arguments: storesUnderTest)
    func theWindowSurvivesARegenerateAndGoesWithTheAccount(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let user = account.user.id
            _ = try await store.reserve([Self.request(user, 100)], now: samples.at(0))
            _ = try await store.replaceKey(samples.replacement(of: account), audit: samples.event(.keyRegenerated))
            #expect(try await store.reserve([Self.request(user, 1)], now: samples.at(60)).map(\.granted) == [0])
            _ = try await store.deleteAccount(user, audit: samples.event(.userDeleted))
            #expect(
                try await store.reserve([Self.request(user, 1)], now: samples.at(60)) == [
                    Reservation(granted: 0, minute: 0, charged: 0, resets: [])
                ])
        }
    }

    @Test(arguments: storesUnderTest)
    func whoLeavesRoomTakesAQuarterAndTheLastOneByOne(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            let request = Self.request(user, 1_000, leavingRoom: true)
            var grants: [Int] = []
            while let granted = try await store.reserve([request], now: samples.at(0)).first?.granted, granted > 0 {
                grants.append(granted)
            }
            #expect(grants.prefix(3) == [25, 18, 14])
            #expect(grants.suffix(7) == [1, 1, 1, 1, 1, 1, 1])
            #expect(grants.reduce(0, +) == 100)
        }
    }

    @Test(arguments: storesUnderTest)
    func aReclaimIsShownToEveryNodeForAMoment(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let user = try await first.addAccount(samples).user.id
            #expect(try await second.reclaims(now: samples.at(0)).isEmpty)
            try await first.postReclaims(of: [user, .random(from: samples.random)], now: samples.at(0))
            let shown = try await second.reclaims(now: samples.at(1))
            #expect(shown.map(\.userID) == [user])
            #expect(try await second.reclaims(now: samples.at(1)) == shown)
            try await second.postReclaims(of: [user], now: samples.at(1))
            let again = try await first.reclaims(now: samples.at(2))
            #expect(again.map(\.userID) == [user])
            #expect(again != shown)
            #expect(try await first.reclaims(now: samples.at(60)).isEmpty)
        }
    }
}
