import Keybearer

/// What the page "Usage" warns of: that most of the rate limit is used, or all of it.
struct QuotaWarning: Sendable, Equatable {
    /// Whether requests are refused until more is left.
    let isReached: Bool
    let usedText: String
    let limitText: String
    /// When the limit next admits more than now; nil when all of it is left.
    let resetsAt: PageTime?

    /// - Returns: nil where there is nothing to warn of.
    init?(_ level: QuotaLevel, _ status: RateLimitStatus) {
        guard level > .normal else { return nil }
        isReached = status.remaining == 0
        usedText = QuotaMeter.grouped(status.limit - status.remaining)
        limitText = QuotaMeter.grouped(status.limit)
        resetsAt = status.isUsed ? PageTime(status.resetAt) : nil
    }
}
