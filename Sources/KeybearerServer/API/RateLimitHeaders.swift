import HTTPTypes
import Keybearer

extension HTTPFields {
    /// Adds what the account has left of its rate limit: the IETF draft's structured fields, and the older ones.
    ///
    /// `t`, `X-RateLimit-Reset` and `Retry-After` name the second at which the next used requests are back, which is
    /// also the `resetAt` of bodies.
    mutating func addRateLimit(_ rateLimit: RateLimitStatus, now: Timestamp, isRefused: Bool = false) {
        let seconds = rateLimit.secondsUntilReset(from: now)
        let limit = Self.number(Int64(rateLimit.limit))
        let policy = ASCIIText.make(capacity: 48) {
            $0.text("\"hourly\";q=")
            $0.number(Int64(rateLimit.limit))
            $0.text(";w=3600")
        }
        let state = ASCIIText.make(capacity: 64) {
            $0.text("\"hourly\";r=")
            $0.number(Int64(rateLimit.remaining))
            $0.text(";t=")
            $0.number(seconds)
        }
        append(HTTPField(name: HeaderName.rateLimitPolicy, value: policy))
        append(HTTPField(name: HeaderName.rateLimit, value: state))
        append(HTTPField(name: HeaderName.xRateLimitLimit, value: limit))
        append(HTTPField(name: HeaderName.xRateLimitRemaining, value: Self.number(Int64(rateLimit.remaining))))
        append(HTTPField(name: HeaderName.xRateLimitReset, value: Self.number(rateLimit.resetSecond)))
        if isRefused { append(HTTPField(name: .retryAfter, value: Self.number(seconds))) }
    }

    private static func number(_ value: Int64) -> String {
        ASCIIText.make(capacity: 20) { $0.number(value) }
    }
}
