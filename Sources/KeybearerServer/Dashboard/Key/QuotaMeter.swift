import Keybearer

/// What is left of an account's rate limit, as a sentence and as a meter: "988 of 1,000 left · more at 14:02".
struct QuotaMeter: Sendable, Equatable {
    /// Requests that any 60 minutes may have.
    let limit: Int
    /// Requests that are left now, from 0 to the limit.
    let remaining: Int
    /// Below this the meter shows that little is left.
    let low: Int
    /// The limit for people: `1,000`.
    let limitText: String
    /// What is left for people: `988`.
    let remainingText: String
    /// When the limit next admits more than now; nil when all of it is left.
    let resetsAt: PageTime?

    /// Puts a meter together.
    ///
    /// - Parameters:
    ///   - remaining: Held between 0 and the limit.
    ///   - resetsAt: When the limit next admits more than now; nil when all of it is left.
    init(limit: Int, remaining: Int, resetsAt: Timestamp?) {
        self.limit = max(0, limit)
        self.remaining = min(max(0, remaining), self.limit)
        low = self.limit / 10
        limitText = Self.grouped(self.limit)
        remainingText = Self.grouped(self.remaining)
        self.resetsAt = resetsAt.map(PageTime.init)
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
