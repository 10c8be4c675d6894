/// How near an account is to its rate limit: what it is warned of.
///
/// With hysteresis, so that an account whose use goes up and down around a mark is warned once and not again and again: a
/// level ends only when clearly less is used than began it.
public enum QuotaLevel: Int, Sendable, Comparable {
    /// Nothing to warn of.
    case normal
    /// At least 80 % were used, and not less than 70 % since.
    case near
    /// All was used, and not less than 90 % since.
    case reached

    public static func < (left: QuotaLevel, right: QuotaLevel) -> Bool { left.rawValue < right.rawValue }

    /// The level that follows.
    ///
    /// - Parameter used: of the limit, in the last 60 minutes.
    func next(used: Int, limit: Int) -> QuotaLevel {
        // Where nothing is allowed, nothing is used up.
        guard limit > 0 else { return .normal }
        let percent = Double(used) * 100 / Double(limit)
        switch self {
        case .reached where percent >= 90: return .reached
        case .near where percent >= 70 && percent < 100, .reached where percent >= 70: return .near
        default: return percent >= 100 ? .reached : percent >= 80 ? .near : .normal
        }
    }
}
