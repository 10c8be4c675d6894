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
                #expect(status.resetAt >= back && status.resetAt < back.advanced(by: .seconds(1)))
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
}
