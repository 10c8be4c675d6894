import TestSupport
import Testing

@testable import Keybearer

@Suite("The rate-limit window")
struct RateLimitWindowTests {
    let minute = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)

    @Test("Grants up to the limit and not one more")
    func limit() {
        var window = RateLimitWindow()
        #expect(window.reserve(700, limit: 1_000, life: .zero, now: minute).granted == 700)
        #expect(window.reserve(700, limit: 1_000, life: .zero, now: minute).granted == 300)
        #expect(window.reserve(1, limit: 1_000, life: .zero, now: minute).granted == 0)
        #expect(window.charged == 1_000)
    }

    @Test("A bucket frees when its end is 60 minutes old, not a millisecond before")
    func frees() {
        var window = RateLimitWindow()
        _ = window.reserve(1_000, limit: 1_000, life: .zero, now: minute.advanced(by: .seconds(59)))
        let end = minute.advanced(by: .seconds(60 + 3_600))
        #expect(window.reserve(1, limit: 1_000, life: .zero, now: end.advanced(by: .milliseconds(-1))).granted == 0)
        #expect(window.reserve(1, limit: 1_000, life: .zero, now: end).granted == 1)
    }

    @Test("A reservation is charged to the minute of its last permitted use")
    func chargedLate() {
        var window = RateLimitWindow()
        let reservation = window.reserve(10, limit: 1_000, life: .seconds(60), now: minute.advanced(by: .seconds(1)))
        #expect(reservation.minute == 30_000_001)
        let stillCharged = minute.advanced(by: .seconds(60 + 60 + 3_600 - 1))
        #expect(window.reserve(0, limit: 1_000, life: .zero, now: stillCharged).charged == 10)
    }

    @Test("Giving back frees at once; giving back more than is charged frees no more")
    func release() {
        var window = RateLimitWindow()
        let reservation = window.reserve(1_000, limit: 1_000, life: .seconds(60), now: minute)
        window.release(400, minute: reservation.minute)
        #expect(window.charged == 600)
        window.release(4_000, minute: reservation.minute)
        #expect(window.charged == 0)
        window.release(5, minute: 1)
        #expect(window.charged == 0)
    }

    @Test("A shared reservation counts too; it is used whole where a quarter of what is left holds it, or not")
    func sharedReservations() {
        var window = RateLimitWindow()
        let sharedReservation = RateLimitWindow.Bucket(minute: RateLimitWindow.minute(of: minute) + 1, count: 10)
        let other = RateLimitWindow.Bucket(minute: sharedReservation.minute, count: 5)
        let reservation = window.use(sharedReservation, limit: 1_000, now: minute, sharedReservations: [other])
        #expect(reservation.granted == 10)
        #expect(reservation.minute == sharedReservation.minute)
        #expect(reservation.charged == 15)
        #expect(reservation.resets == [.init(after: .seconds(3_600 + 120), count: 15)])
        #expect(window == RateLimitWindow(), "it is only looked at")
        #expect(
            window.reserve(
                1_000, limit: 1_000, life: .zero, now: minute, sharedReservations: [sharedReservation, other]
            ).granted == 985
        )
        window.release(985 - 945, minute: RateLimitWindow.minute(of: minute))
        #expect(window.use(sharedReservation, limit: 1_000, now: minute, sharedReservations: [other]).granted == 10)
        #expect(
            window.use(
                sharedReservation, limit: 1_000, now: minute, sharedReservations: Array(repeating: other, count: 4)
            ).granted == 0
        )
        #expect(window.use(sharedReservation, limit: 989, now: minute, sharedReservations: [other]).granted == 0)
        window.record(10, minute: sharedReservation.minute)
        #expect(window.charged == 955)
        let freed = minute.advanced(by: .seconds(3_600 + 120))
        #expect(window.reserve(0, limit: 1_000, life: .zero, now: freed, sharedReservations: [other]).charged == 0)
        #expect(RateLimitWindow.lastFreedMinute(at: freed) == other.minute)
    }

    @Test("Where the clock was set back no shared reservation is used: its minute may free too early")
    func sharedReservationAfterTheClockWasSetBack() {
        var window = RateLimitWindow()
        _ = window.reserve(1, limit: 1_000, life: .zero, now: minute.advanced(by: .seconds(1)))
        let sharedReservation = RateLimitWindow.Bucket(minute: RateLimitWindow.minute(of: minute) + 1, count: 10)
        #expect(window.use(sharedReservation, limit: 1_000, now: minute).granted == 0)
        #expect(window.use(sharedReservation, limit: 1_000, now: minute.advanced(by: .seconds(1))).granted == 10)
    }

    @Test("The stored form reads back, and rubbish does not")
    func storedForm() throws {
        var window = RateLimitWindow()
        for offset in 0..<61 {
            _ = window.reserve(offset + 1, limit: 10_000, life: .zero, now: minute.advanced(by: .seconds(offset * 60)))
        }
        #expect(RateLimitWindow(storedForm: window.storedForm) == window)
        #expect(window.buckets.count <= 62)
        #expect(RateLimitWindow(storedForm: []) == nil)
        #expect(RateLimitWindow(storedForm: [1, 2, 3]) == nil)
        #expect(RateLimitWindow(storedForm: Array(repeating: 0, count: 24)) == nil)
        // With what it knows of a clock that came back.
        let late = window.reserve(3, limit: 10_000, life: .zero, now: minute)
        var read = try #require(RateLimitWindow(storedForm: window.storedForm))
        #expect(read == window)
        read.release(3, minute: late.minute)
        #expect(read.charged == window.charged - 3)
    }
}

@Suite("A budget lease")
struct LocalQuotaTests {
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

    @Test("Spends what it has, then asks")
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

    @Test("Nothing is spent at or after the end of its life, counted from before it was asked for")
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

    /// Spends so many, each some milliseconds after the one before, and answers how many came to the mark.
    private func consume(_ count: Int, _ quota: inout LocalQuota, each milliseconds: Int, from now: SteadyTime) -> Int {
        (1...count).count { number in
            let at = now.advanced(by: .milliseconds(number * milliseconds))
            guard case .admitted = quota.consume(limit: 1_000, now: at, wall: Samples.start) else { return false }
            return quota.shouldPrefetch
        }
    }

    @Test("With half used up it is time to reserve ahead, once; what was reserved then is used next")
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

    @Test("What expires beside what is ahead goes back; what is ahead has a life of its own")
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

    @Test("A recall takes all: what is used, what is ahead and what has expired")
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
        "As many are reserved ahead as will be used within a life, and none for a key that is used seldom",
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
