import Keybearer

/// What is left of an account's requests in the running hour, in words and as a meter.
struct QuotaMeter: Sendable, Equatable {
    /// Requests that any 60 minutes may have.
    let limit: Int
    /// Requests that are left now, from 0 to the limit.
    let remaining: Int
    /// Below this the meter shows that little is left.
    let low: Int
    /// The limit for people: `1,000`.
    let limitText: String
    /// The rest for people: `997`.
    let remainingText: String
    /// When the next used-up requests come back; nil when none are used up.
    let nextReset: PageTime?
    /// The span until then, such as `31 minutes`; empty when none are used up.
    let nextResetWait: String

    /// Puts a meter together.
    ///
    /// - Parameters:
    ///   - remaining: Held between 0 and the limit.
    ///   - nextReset: When the next used-up requests come back; nil when none are.
    ///   - now: The time of the page, for the span until then.
    init(limit: Int, remaining: Int, nextReset: Timestamp?, now: Timestamp) {
        self.limit = max(0, limit)
        self.remaining = min(max(0, remaining), self.limit)
        low = self.limit / 10
        limitText = Self.grouped(self.limit)
        remainingText = Self.grouped(self.remaining)
        self.nextReset = nextReset.map(PageTime.init)
        nextResetWait = nextReset.map { PageDuration.words(now.duration(to: $0)) } ?? ""
    }

    /// A number that is not negative, with a comma between thousands.
    static func grouped(_ number: Int) -> String {
        let digits = Array(String(number))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return text
    }
}
