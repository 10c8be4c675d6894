import TestSupport
import Testing

@testable import Keybearer

/// The seconds that a ``RateLimitStatus`` names.
@Suite struct RateLimitStatusTests {
    let start = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)

    private func at(_ seconds: Int) -> Timestamp { start.advanced(by: .seconds(seconds)) }

    @Test("All headers of a response name one second, and nobody who waits for it comes too early")
    func oneInstant() {
        for milliseconds in [0, 1, 499, 999] {
            for wait in [1, 999, 1_000, 1_001, 3_719_999, 3_720_000] {
                let now = start.advanced(by: .milliseconds(milliseconds))
                let status = RateLimitStatus(
                    limit: 10, remaining: 9, resetsAfter: .milliseconds(wait), reckonedAt: now)
                let back = now.advanced(by: .milliseconds(wait))
                #expect(status.resetAt >= back && status.resetAt < back.advanced(by: .milliseconds(1_250)))
                #expect(status.resetAt.millisecondsSinceEpoch == status.resetSecond * 1_000)
                let date = now.millisecondsSinceEpoch / 1_000
                #expect(date + status.secondsUntilReset(from: now) == status.resetSecond)
            }
        }
        let unused = RateLimitStatus(limit: 10, remaining: 10, resetsAfter: .zero, reckonedAt: at(1))
        #expect(unused.secondsUntilReset(from: at(1)) == 0)
        let used = RateLimitStatus(limit: 10, remaining: 9, resetsAfter: .zero, reckonedAt: at(1))
        #expect(used.secondsUntilReset(from: at(1)) == 1)
    }

    @Test("All responses until the reset name one second, and whoever waits for it finds the quota")
    func oneSecond() {
        var numbers = SplitMix64(seed: 20_261_129)
        for _ in 0..<500 {
            var window = RateLimitWindow()
            // In nanoseconds: the time, and the origin of the steady clock.
            let used = (start.millisecondsSinceEpoch + Int64.random(in: 0..<60_000, using: &numbers)) * 1_000_000
            let origin = used - Int64.random(in: 0..<1_000_000_000_000, using: &numbers)
            _ = window.reserve(1, limit: 10, life: .seconds(60), now: timestamp(used))
            var named: Set<Int64> = []
            for _ in 0..<20 {
                // The database reads its clock; up to half a second later the node has the response.
                let read = used + Int64.random(in: 0..<3_600_000_000_000, using: &numbers)
                let learned = read + Int64.random(in: 0..<500_000_000, using: &numbers)
                var quota = LocalQuota()
                let reservation = window.reserve(0, limit: 10, life: .seconds(60), now: timestamp(read))
                quota.accept(
                    reservation, wanted: 0, limit: 10, requestedAt: steady(read, origin), life: .seconds(60),
                    now: steady(learned, origin), patience: .seconds(1))
                // A request reads both clocks, one some time before the other.
                let now = learned + Int64.random(in: 0..<1_000_000_000, using: &numbers)
                let wall = now + Int64.random(in: -249_000_000...249_000_000, using: &numbers)
                guard let status = quota.peek(limit: 10, now: steady(now, origin), wall: timestamp(wall)) else {
                    Issue.record("the quota is not known")
                    return
                }
                named.insert(status.resetSecond)
                #expect(status.remaining == 9)
                let waited = now + status.secondsUntilReset(from: timestamp(wall)) * 1_000_000_000
                let then = quota.peek(limit: 10, now: steady(waited, origin), wall: timestamp(waited))
                #expect(then?.remaining == 10, "it came too early")
            }
            #expect(named.count == 1)
        }
    }

    private func timestamp(_ nanoseconds: Int64) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: nanoseconds / 1_000_000)
    }

    private func steady(_ nanoseconds: Int64, _ origin: Int64) -> SteadyTime {
        SteadyTime(nanoseconds: nanoseconds - origin)
    }
}
