/// How much of its rate limit an account has left, as headers and pages show it.
public struct RateLimitStatus: Sendable, Equatable {
    /// Requests allowed in any 60 minutes.
    public let limit: Int
    /// How many of them are left; never more than really are.
    public let remaining: Int
    /// Nanoseconds until the next of the used ones are available again: a span made on every request, so without the
    /// 128 bits of ``resetsAfter``.
    private let nanosecondsUntilReset: Int64
    /// When this status was computed.
    private let reckonedAt: Timestamp
    /// Quota returns at the beginning of a minute, by the clock of the database. A node knows that instant with an
    /// error that differs from one response to the next: it is late by the wait for the database, and either side of it
    /// by the moment between the readings of two clocks. With this added before rounding up, an instant from 250 ms
    /// before a whole second to 750 ms behind it names one second, which is never early.
    private static let marginMilliseconds: Int64 = 250

    /// Puts a status together.
    ///
    /// - Parameter reckonedAt: the time of day from which `resetsAfter` counts.
    public init(limit: Int, remaining: Int, resetsAfter: Duration, reckonedAt: Timestamp) {
        self.init(
            limit: limit, remaining: remaining, nanosecondsUntilReset: resetsAfter.wholeNanoseconds,
            reckonedAt: reckonedAt)
    }

    init(limit: Int, remaining: Int, nanosecondsUntilReset: Int64, reckonedAt: Timestamp) {
        self.limit = limit
        self.remaining = remaining
        self.nanosecondsUntilReset = nanosecondsUntilReset
        self.reckonedAt = reckonedAt
    }

    /// Time until the next used requests become available again; zero if none are used.
    public var resetsAfter: Duration { .nanoseconds(nanosecondsUntilReset) }

    /// Whether some are used, and so become available again; or none is allowed.
    public var isUsed: Bool { remaining < limit || limit == 0 }

    /// When the next of the used ones are available again, in Unix seconds, rounded up with a margin: the one instant
    /// that all headers of a response name, and all responses until then. Where none is used, the second in which it was
    /// computed.
    public var resetSecond: Int64 {
        let now = reckonedAt.millisecondsSinceEpoch
        if !isUsed { return now / 1_000 }
        let milliseconds = max(1, (nanosecondsUntilReset + 999_999) / 1_000_000)
        return (now + milliseconds + Self.marginMilliseconds + 999) / 1_000
    }

    /// ``resetSecond`` as a time.
    public var resetAt: Timestamp { Timestamp(millisecondsSinceEpoch: resetSecond * 1_000) }

    /// Whole seconds from the second of a response, as its `Date` says it, until ``resetSecond``. Whoever waits that
    /// long has waited enough.
    public func secondsUntilReset(from now: Timestamp) -> Int64 {
        max(0, resetSecond - now.millisecondsSinceEpoch / 1_000)
    }
}
