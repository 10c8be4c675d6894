import TestSupport
import Testing

@testable import Keybearer

/// The ``LocalQuota`` of an account in a node: what it consumes, what it prefetches, and what expires.
@Suite struct LocalQuotaTests {
    let start = SteadyTime(nanoseconds: 1_000_000_000)
    let minute = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)

    private func accept(
        _ quota: inout LocalQuota, _ window: inout RateLimitWindow, wanted: Int, limit: Int, at now: SteadyTime
    ) {
        let reservation = window.reserve(wanted, limit: limit, life: .seconds(60), now: minute)
        quota.accept(
            reservation, wanted: wanted, limit: limit, requestedAt: now, life: .seconds(60), now: now,
            patience: .seconds(1)
        )
    }

    @Test("Consumes what it has, then needs a reservation")
    func consumes() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        #expect(quota.consume(limit: 1_000, now: start, wall: Samples.start) == .needsReservation)
        accept(&quota, &window, wanted: 2, limit: 1_000, at: start)
        guard case .admitted(let first) = quota.consume(limit: 1_000, now: start, wall: Samples.start) else {
            Issue.record("refused"); return
        }
        #expect(first.remaining == 999)
        guard case .admitted(let second) = quota.consume(limit: 1_000, now: start, wall: Samples.start) else {
            Issue.record("refused"); return
        }
        #expect(second.remaining == 998)
        #expect(quota.consume(limit: 1_000, now: start, wall: Samples.start) == .needsReservation)
    }

    @Test("Nothing is consumed at or after its expiry, counted from before it was requested")
    func expires() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        accept(&quota, &window, wanted: 10, limit: 1_000, at: start)
        #expect(
            quota.consume(limit: 1_000, now: start.advanced(by: .seconds(60)), wall: Samples.start) == .needsReservation
        )
        #expect(quota.withdrawExpired(at: start.advanced(by: .seconds(59))).isEmpty)
        #expect(
            quota.withdrawExpired(at: start.advanced(by: .seconds(60))) == [.init(count: 10, minute: 30_000_001)])
        #expect(quota.withdraw().isEmpty)
    }

    @Test("Units reserved under a higher limit do not pass for a lower one")
    func ceiling() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        _ = window.reserve(995, limit: 5_000, life: .zero, now: minute)
        accept(&quota, &window, wanted: 10, limit: 5_000, at: start)
        #expect(quota.consume(limit: 1_000, now: start, wall: Samples.start) == .needsReservation)
        guard case .admitted = quota.consume(limit: 5_000, now: start, wall: Samples.start) else {
            Issue.record("refused"); return
        }
    }

    @Test("A refusal is believed for a while, and says when capacity comes back")
    func refusal() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        _ = window.reserve(1_000, limit: 1_000, life: .zero, now: minute)
        accept(&quota, &window, wanted: 10, limit: 1_000, at: start)
        guard case .exhausted(let status) = quota.consume(limit: 1_000, now: start, wall: Samples.start) else {
            Issue.record("admitted"); return
        }
        #expect(status.remaining == 0)
        #expect(status.resetsAfter == .seconds(3_660))
        #expect(
            quota.consume(limit: 1_000, now: start.advanced(by: .seconds(1)), wall: Samples.start) == .needsReservation)
    }

    @Test("Looking reserves nothing and loses nothing")
    func look() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        accept(&quota, &window, wanted: 5, limit: 1_000, at: start)
        accept(&quota, &window, wanted: 0, limit: 1_000, at: start)
        #expect(quota.available == 5)
        #expect(quota.peek(limit: 1_000, now: start, wall: Samples.start)?.remaining == 1_000)
    }

    @Test("Reservations grow with use and stay a tenth of the limit")
    func growth() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        var sizes: [Int] = []
        for _ in 0..<6 {
            let wanted = quota.nextReservation(limit: 1_000, smallest: 10, now: start)
            sizes.append(wanted)
            accept(&quota, &window, wanted: wanted, limit: 1_000, at: start)
            while case .admitted = quota.consume(limit: 1_000, now: start, wall: Samples.start) {}
        }
        #expect(sizes == [10, 20, 40, 80, 100, 100])
    }

    /// Consumes so many, each some milliseconds after the one before, and returns how many came to the mark.
    private func consume(_ count: Int, _ quota: inout LocalQuota, each milliseconds: Int, from now: SteadyTime) -> Int {
        (1...count).count { number in
            let at = now.advanced(by: .milliseconds(number * milliseconds))
            guard case .admitted = quota.consume(limit: 1_000, now: at, wall: Samples.start) else { return false }
            return quota.shouldPrefetch
        }
    }

    @Test("With half used up it is time to prefetch, once; what was prefetched is used next")
    func prefetched() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        accept(&quota, &window, wanted: 10, limit: 1_000, at: start)
        #expect(consume(4, &quota, each: 100, from: start) == 0)
        #expect(consume(1, &quota, each: 100, from: start.advanced(by: .milliseconds(400))) == 1)
        let now = start.advanced(by: .milliseconds(500))
        #expect(quota.prefetchSize(limit: 1_000, smallest: 10, life: .seconds(60), now: now) == 20)
        let reservation = window.reserve(20, limit: 1_000, life: .seconds(60), now: minute)
        quota.acceptPrefetched(reservation, requestedAt: now, life: .seconds(60), now: now)
        #expect(quota.peek(limit: 1_000, now: now, wall: Samples.start)?.remaining == 995)
        #expect(quota.prefetchSize(limit: 1_000, smallest: 10, life: .seconds(60), now: now) == 0)
        #expect(consume(5, &quota, each: 1, from: now) == 0)
        #expect(!quota.needsStore(limit: 1_000, wantsUnits: true, now: now))
        #expect(consume(20, &quota, each: 1, from: now) == 1)
        #expect(quota.consume(limit: 1_000, now: now, wall: Samples.start) == .needsReservation)
        #expect(quota.peek(limit: 1_000, now: now, wall: Samples.start)?.remaining == 970)
    }

    @Test("What expires beside what is prefetched is released; what is prefetched has a life of its own")
    func prefetchedBeyondTheFirst() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        accept(&quota, &window, wanted: 10, limit: 1_000, at: start)
        let later = start.advanced(by: .seconds(50))
        let reservation = window.reserve(10, limit: 1_000, life: .seconds(60), now: minute.advanced(by: .seconds(50)))
        quota.acceptPrefetched(reservation, requestedAt: later, life: .seconds(60), now: later)
        let end = start.advanced(by: .seconds(60))
        #expect(consume(1, &quota, each: 0, from: end) == 0)
        #expect(quota.peek(limit: 1_000, now: end, wall: Samples.start)?.remaining == 999)
        #expect(!quota.isIdle(at: end))
        #expect(quota.withdrawExpired(at: end) == [.init(count: 10, minute: 30_000_001)])
        #expect(quota.withdrawExpired(at: later.advanced(by: .seconds(59))).isEmpty)
        let last = later.advanced(by: .seconds(60))
        #expect(quota.consume(limit: 1_000, now: last, wall: Samples.start) == .needsReservation)
        #expect(quota.withdrawExpired(at: last) == [.init(count: 9, minute: 30_000_001)])
        #expect(quota.isIdle(at: last))
    }

    @Test("A withdrawal takes all: what is used, what is prefetched and what has expired")
    func withdrawsAll() {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        accept(&quota, &window, wanted: 10, limit: 1_000, at: start)
        let later = start.advanced(by: .seconds(59))
        let reservation = window.reserve(12, limit: 1_000, life: .seconds(60), now: minute.advanced(by: .seconds(59)))
        quota.acceptPrefetched(reservation, requestedAt: later, life: .seconds(60), now: later)
        _ = consume(1, &quota, each: 0, from: start.advanced(by: .seconds(60)))
        let next = window.reserve(14, limit: 1_000, life: .seconds(60), now: minute.advanced(by: .seconds(60)))
        quota.acceptPrefetched(next, requestedAt: later, life: .seconds(60), now: later)
        #expect(quota.withdraw().map(\.count) == [10, 11, 14])
        #expect(quota.withdraw().isEmpty)
        #expect(quota.peek(limit: 1_000, now: later, wall: Samples.start)?.remaining == 999)
    }

    @Test(
        "As many are prefetched as will be used within a life, and none for a key that is used seldom",
        arguments: [(20, 0), (3_000, 11), (1_000, 20), (3_400, 0), (10_000, 0)])
    func prefetchByUse(milliseconds: Int, wanted: Int) {
        var quota = LocalQuota()
        var window = RateLimitWindow()
        accept(&quota, &window, wanted: 10, limit: milliseconds == 20 ? 100 : 1_000, at: start)
        _ = consume(5, &quota, each: milliseconds, from: start)
        let now = start.advanced(by: .milliseconds(5 * milliseconds))
        let limit = milliseconds == 20 ? 100 : 1_000
        #expect(quota.prefetchSize(limit: limit, smallest: 10, life: .seconds(60), now: now) == wanted)
    }
}
