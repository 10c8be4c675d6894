/// When a message is tried again: ten attempts, about 75 hours in all.
package enum RetrySchedule {
    /// How many attempts a message has.
    package static let attempts = 10
    /// The most that an answer's `Retry-After` counts for.
    package static let mostRetryAfter: Duration = .seconds(24 * 3_600)

    /// Seconds from the end of one attempt to the next: the first at index 0 comes immediately.
    private static let seconds: [Int64] = [
        0, 5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600,
    ]

    /// How long to wait behind an attempt that failed, counted from its end.
    ///
    /// - Parameters:
    ///   - attempt: which one failed, from 1.
    ///   - retryAfter: what the answer asks for. It makes the wait longer, never shorter.
    ///   - jitter: a random number from 0 to 1: up to a tenth is added, so that what failed together does not come back
    ///     together.
    /// - Returns: nil behind the last attempt.
    package static func delay(afterAttempt attempt: Int, retryAfter: Duration? = nil, jitter: Double) -> Duration? {
        guard attempt >= 1, attempt < attempts else { return nil }
        let planned = Double(seconds[attempt]) * (1 + min(max(jitter, 0), 1) / 10)
        let asked = min(retryAfter ?? .zero, mostRetryAfter)
        return max(.milliseconds(Int64(planned * 1_000)), asked)
    }

    /// Reads a `Retry-After`: seconds, or a date of HTTP.
    ///
    /// - Returns: nil for what is neither; zero for a date that has passed.
    package static func retryAfter(_ text: String, at now: Timestamp) -> Duration? {
        if !text.isEmpty, text.utf8.count <= 10, text.utf8.allSatisfy({ (48...57).contains($0) }) {
            return Int64(text).map { .seconds($0) }
        }
        guard let date = Timestamp(httpDate: text) else { return nil }
        return max(.zero, now.duration(to: date))
    }
}
