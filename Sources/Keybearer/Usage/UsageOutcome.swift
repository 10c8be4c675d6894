/// What became of a request whose account is known. What the usage charts count.
///
/// A request with an unknown or ended key belongs to no account, and is counted nowhere.
public enum UsageOutcome: String, Sendable, CaseIterable {
    /// Valid, entitled and admitted: it was counted in the rate limit.
    case admitted
    /// No plan of the workspace that it names, or of any, has the feature.
    case featureLocked = "feature_locked"
    /// It named a workspace that the account does not belong to.
    case notAMember = "not_a_member"
    /// The rate limit was used up.
    case rateLimited = "rate_limited"
    /// The key may not be used from the client's address.
    case addressNotAllowed = "address_not_allowed"

    /// All but ``admitted``.
    public static let refusals: [UsageOutcome] = [.featureLocked, .notAMember, .rateLimited, .addressNotAllowed]

    /// Its place in ``OutcomeCounts``.
    var lane: Int {
        switch self {
        case .admitted: 0
        case .featureLocked: 1
        case .notAMember: 2
        case .rateLimited: 3
        case .addressNotAllowed: 4
        }
    }
}

/// A quarter of an hour in UTC: the span for which requests are counted together.
///
/// Every zone's hours and days begin with one: offsets from UTC are multiples of 15 minutes.
public enum UsageQuarter {
    /// How long one is, in milliseconds.
    public static let milliseconds: Int64 = 15 * 60 * 1_000

    /// When the one began that a point in time is in.
    public static func start(of time: Timestamp) -> Timestamp {
        let rest = time.millisecondsSinceEpoch % milliseconds
        return Timestamp(millisecondsSinceEpoch: time.millisecondsSinceEpoch - (rest < 0 ? rest + milliseconds : rest))
    }
}
