import HTTPTypes
import Keybearer

extension HTTPFields {
    /// Adds how the account stands in its hour: the IETF draft's structured fields, and the older ones.
    ///
    /// `t`, `X-RateLimit-Reset` and `Retry-After` name the moment at which the next used requests come back.
    mutating func addRateLimit(_ budget: BudgetStatus, now: Timestamp, isRefused: Bool = false) {
        // Where something is used, at least a second remains until it returns.
        let isUsed = budget.remaining < budget.limit
        let seconds = Swift.max(isUsed ? 1 : 0, budget.returnsAfter.secondsRoundedUp)
        let limit = String(budget.limit)
        let remaining = String(budget.remaining)
        append(HTTPField(name: FieldName.rateLimitPolicy, value: "\"hourly\";q=\(limit);w=3600"))
        append(HTTPField(name: FieldName.rateLimit, value: "\"hourly\";r=\(remaining);t=\(seconds)"))
        append(HTTPField(name: FieldName.xRateLimitLimit, value: limit))
        append(HTTPField(name: FieldName.xRateLimitRemaining, value: remaining))
        let reset = (now.millisecondsSinceEpoch + 999) / 1_000 + seconds
        append(HTTPField(name: FieldName.xRateLimitReset, value: String(reset)))
        if isRefused { append(HTTPField(name: .retryAfter, value: String(seconds))) }
    }
}
