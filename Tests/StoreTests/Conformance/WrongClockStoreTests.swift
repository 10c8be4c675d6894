import Foundation
import Keybearer
import KeybearerPostgres
import KeybearerSQL
import KeybearerSQLite
import TestSupport
import Testing

/// One account, nodes that reserve for it and are killed, and a wall clock that is wrong: real time judges.
private struct History {
    private struct Held {
        var left: Int
        let minute: Int64
        let until: Int64
    }

    private let store: any Store
    private let user: UserID
    private let samples: Samples
    private let numbers: RandomSource
    private let steps: [Int64]
    private let limit = 20
    private var now: Int64 = 100 * 24 * 3_600
    private var offset: Int64 = 0
    private var held: [Held] = []
    private var uses: [Int64] = []
    private var forward: [Int64] = []
    private var lockedSince: Int64?
    private var reported: Int64?
    private(set) var longestLock: Int64 = 0
    private(set) var fullWindows = 0

    init(_ store: any Store, _ user: UserID, _ samples: Samples, seed: UInt64, steps: [Int64]) {
        self.store = store
        self.user = user
        self.samples = samples
        self.steps = steps
        numbers = .seeded(seed)
    }

    mutating func play(_ count: Int) async throws {
        for _ in 0..<count {
            now += Int64([0, 1, 20, 59, 60, 61, 600, 3_500, 3_721][numbers.below(9)])
            if numbers.below(12) == 0 { moveClock() }
            switch numbers.below(10) {
            // Killed: what it held is lost.
            case 0: held = []
            case 1: try await release()
            default: try await request()
            }
            use()
        }
    }

    private mutating func moveClock() {
        let step = steps[numbers.below(steps.count)]
        guard now + offset + step > 0 else { return }
        offset += step
        if step > 0 { forward.append(now) }
        lockedSince = nil
        reported = nil
    }

    private mutating func release() async throws {
        let unused = held.map { LocalQuota.Unused(count: $0.left, minute: $0.minute) }
        held = []
        _ = try await reserve(0, unused: unused)
    }

    private mutating func request() async throws {
        let reservation = try await reserve(1 + numbers.below(limit), unused: [])
        guard reservation.granted == 0 else {
            held.append(Held(left: reservation.granted, minute: reservation.minute, until: now + 60))
            lockedSince = nil
            reported = nil
            return
        }
        let since = lockedSince ?? now
        lockedSince = since
        longestLock = max(longestLock, now - since)
        if let reported { #expect(now < reported, "what a refusal said came true") }
        let first = try #require(reservation.resets.first)
        // A second before it is over, nothing has come back yet.
        let after = (first.after.wholeMilliseconds + 999) / 1_000
        let early = try await reserve(0, unused: [], after: after - 1)
        #expect(early.charged == reservation.charged, "a refusal does not say more than it must")
        if reported == nil { reported = now + after }
    }

    private func reserve(
        _ wanted: Int, unused: [LocalQuota.Unused], after seconds: Int64 = 0
    ) async throws -> Reservation {
        let request = QuotaRequest.reserve(
            user, count: wanted, limit: limit, life: .seconds(60), releasing: unused)
        return try #require(try await store.reserve([request], now: samples.at(now + offset + seconds)).first)
    }

    /// Uses some of what is held, and counts what the last 60 real minutes admitted.
    private mutating func use() {
        held.removeAll { $0.until <= now || $0.left == 0 }
        for index in held.indices {
            let count = numbers.below(3) > 0 ? held[index].left : numbers.below(held[index].left + 1)
            held[index].left -= count
            uses += Array(repeating: now, count: count)
        }
        uses.removeAll { now - $0 > 3_600 }
        let begin = uses.first ?? now
        // What was reserved before a step can be used after it, for as long as a reservation lives.
        let steps = forward.count { $0 >= begin - 60 }
        #expect(uses.count <= limit * (steps + 1), "\(steps) steps forward")
        if uses.count == limit { fullWindows += 1 }
    }
}

/// The rate limit of a store where the wall clock of a process was wrong.
@Suite struct WrongClockStoreTests {
    /// `make test-long` draws many more histories.
    private static let seeds: [UInt64] =
        ProcessInfo.processInfo.environment["KEYBEARER_TEST_LONG"] == nil ? [0, 1] : Array(0..<40)

    private static let window: Int64 = 3_600
    private static let year: Int64 = 365 * 24 * 3_600

    @Test(arguments: storesUnderTest, seeds)
    func theLimitHoldsInRealTimeAndNobodyIsLocked(_ subject: StoreUnderTest, _ seed: UInt64) async throws {
        for steps in [[-Self.window, -7, -120, -600], [-Self.window, 2 * Self.window, Self.year, -Self.year, 5, -5]] {
            try await subject.run { store, samples in
                let user = try await store.addAccount(samples).user.id
                var history = History(store, user, samples, seed: seed, steps: steps)
                try await history.play(200)
                #expect(history.longestLock <= 62 * 60 + 15)
                #expect(history.fullWindows > 3, "it presses against the limit")
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aClockThatWasAheadAYearLocksForAWindow(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let user = try await store.addAccount(samples).user.id
            func reserve(_ wanted: Int, at seconds: Int64, in store: any Store) async throws -> Reservation {
                let request = QuotaRequest.reserve(user, count: wanted, limit: 1_000, life: .seconds(60))
                return try #require(try await store.reserve([request], now: samples.at(seconds)).first)
            }
            #expect(try await reserve(10, at: Self.year, in: store).granted == 10)
            #expect(try await reserve(1_000, at: 0, in: second).granted == 990)
            // Refusals, at any node and however many, put nothing off.
            for minute in 0...61 {
                let refused = try await reserve(1, at: Int64(minute) * 60, in: minute % 2 == 0 ? store : second)
                #expect(refused.granted == 0)
                #expect(refused.resets.map(\.after) == [.seconds(62 * 60 - minute * 60)])
            }
            #expect(try await reserve(1_000, at: 62 * 60, in: store).granted == 1_000)
        }
    }

    @Test func aSharedReservationOfACrashWhileAheadCountsForAWindow() async throws {
        let directory = try TemporaryDirectory()
        let samples = Samples()
        let store = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
        let user = try await store.addAccount(samples).user.id
        func charged(at seconds: Int64) async throws -> Int? {
            let look = QuotaRequest.look(user)
            return try await store.reserve([look], now: samples.at(seconds)).first?.charged
        }
        func open(at seconds: Int64) async throws -> SharedReservation? {
            try await store.openSharedReservation(
                atMost: 10, holder: .random(from: samples.random), life: .seconds(60), now: samples.at(seconds))
        }
        for opening in [true, false] {
            let start = opening ? 0 : 10 * Self.window
            #expect(try await open(at: start + Self.year) != nil)
            // Whoever looks first keeps it: one that opens, or one that reserves.
            if opening {
                #expect(try await open(at: start) == nil)
            } else {
                #expect(try await charged(at: start) == 10)
            }
            for minute in [1, 30, 61] as [Int64] { #expect(try await charged(at: start + minute * 60) == 10) }
            #expect(try await open(at: start + 62 * 60 - 1) == nil)
            #expect(try await charged(at: start + 62 * 60) == 0)
            let next = try #require(try await open(at: start + 62 * 60))
            #expect(next.bucket.minute == RateLimitWindow.minute(of: samples.at(start + 63 * 60)))
        }
        try store.close()
    }

    @Test func aSharedReservationThatWasCopiedFromAClockAheadCountsForAWindow() async throws {
        let database = try PostgresDatabase()
        let samples = Samples()
        let store = try database.open()
        let user = try await store.addAccount(samples).user.id
        let lead = RateLimitWindow.minute(of: samples.at(Self.year))
        try database.run("INSERT INTO budget_allowances VALUES (1, 'one', \(lead), 7), (2, 'two', \(lead + 1), 3)")
        for (minute, charged) in [(0, 10), (30, 10), (61, 10), (62, 0)] as [(Int64, Int)] {
            let look = QuotaRequest.look(user)
            #expect(try await store.reserve([look], now: samples.at(minute * 60)).first?.charged == charged)
        }
        try store.close()
    }

    @Test func theDatabasesClockCutsTheWindow() async throws {
        let store = try PostgresDatabase().open(clock: .database)
        let samples = Samples()
        let user = try await store.addAccount(samples).user.id
        for (index, year) in [0, 1, -1, 50].enumerated() {
            let request = QuotaRequest.reserve(user, count: 10, limit: 100, life: .seconds(60))
            let now = Clocks.system.wall().advanced(by: .seconds(Self.year) * year)
            let reservation = try #require(try await store.reserve([request], now: now).first)
            #expect(reservation.charged == (index + 1) * 10)
            #expect(reservation.resets.allSatisfy { $0.after > .seconds(3_600) && $0.after <= .seconds(62 * 60) })
        }
        try store.close()
    }
}
