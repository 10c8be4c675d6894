import Testing

@testable import Keybearer

@Suite("The schedule of attempts")
struct RetryScheduleTests {
    @Test("Ten attempts within about 75 hours")
    func whole() {
        let delays = (1...12).map { RetrySchedule.delay(afterAttempt: $0, jitter: 0) }
        let seconds: [Int64?] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, nil, nil, nil]
        #expect(delays == seconds.map { $0.map { .seconds($0) } })
        let total = delays.compactMap(\.self).reduce(Duration.zero, +)
        #expect(total == .seconds(75 * 3_600 + 35 * 60 + 5))
        #expect(RetrySchedule.delay(afterAttempt: 0, jitter: 0) == nil)
    }

    @Test("Jitter adds up to a tenth", arguments: [-1.0, 0, 0.25, 0.5, 1, 7])
    func jitter(jitter: Double) throws {
        let delay = try #require(RetrySchedule.delay(afterAttempt: 2, jitter: jitter))
        #expect(delay == .milliseconds(300_000 + Int64(30_000 * min(max(jitter, 0), 1))))
    }

    @Test("Retry-After makes a wait longer, up to a day, and never shorter")
    func retryAfter() {
        func delay(_ span: Duration) -> Duration? { RetrySchedule.delay(afterAttempt: 2, retryAfter: span, jitter: 0) }
        #expect(delay(.seconds(1)) == .seconds(300))
        #expect(delay(.seconds(301)) == .seconds(301))
        #expect(delay(.seconds(1_000_000)) == .seconds(86_400))
        #expect(RetrySchedule.delay(afterAttempt: 10, retryAfter: .seconds(60), jitter: 0) == nil)
    }

    @Test("Retry-After is a number of seconds or a date")
    func reading() {
        let now = Timestamp(millisecondsSinceEpoch: 1_769_850_307_000)  // Sat, 31 Jan 2026 09:05:07 GMT
        func read(_ text: String) -> Duration? { RetrySchedule.retryAfter(text, at: now) }
        #expect(read("120") == .seconds(120) && read("0") == .zero)
        #expect(read("Sat, 31 Jan 2026 09:06:07 GMT") == .seconds(60))
        #expect(read("Sat, 31 Jan 2026 09:00:00 GMT") == .zero)
        for text in ["", "-1", "1.5", "soon", "99999999999", "Sun, 31 Jan 2026 09:06:07 GMT", "١٢"] {
            #expect(read(text) == nil, "\(text)")
        }
    }
}
