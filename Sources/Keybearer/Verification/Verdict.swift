/// The answer to "may this key pass?". A refusal is a value, not an error.
public enum Verdict: Sendable {
    /// It passes, and was counted.
    case admitted(CachedAccount, RateLimitStatus)
    /// No live key, or none of ours. Nothing says which.
    case unauthorized
    /// A live key whose plan lacks the feature; nothing was counted.
    case featureLocked(CachedAccount, RateLimitStatus)
    /// A live key that names a workspace it does not belong to; nothing was counted.
    case notAMember(CachedAccount, RateLimitStatus)
    /// A live key that may not be used from this address; nothing was counted.
    case addressNotAllowed(CachedAccount, RateLimitStatus)
    /// A live key whose hour is used up; nothing was counted.
    case rateLimited(CachedAccount, RateLimitStatus)
    /// A token without a tag, from a client that sent too many that were no keys: it was not looked at.
    case throttled(wait: Duration)
    /// Memory alone cannot tell: ask ``Verifier/verdictFromStore(for:scope:from:need:)``.
    case needsStore(StoreNeed)
    /// The store is out of reach and memory may not be trusted; why, is for the log. Never shown as a refusal of the
    /// key.
    case unavailable(any Error)
}

/// What memory lacked to decide a request.
public enum StoreNeed: Sendable {
    /// A lease: memory was not looked at.
    case lease
    /// The account of a token whose tag is genuine, or that may be an imported key.
    case account
    /// Quota for an account that memory has.
    case quota
}

/// Why a request was not decided although no call of the store failed or took too long: for the log.
enum Undecided: Error, CustomStringConvertible {
    /// The lease was lost and did not come back while the request waited.
    case withoutLease
    /// At each look the lease was lost, or the account changed, before the decision.
    case changedAgain(looks: Int)
    /// Other requests used up what was reserved each time.
    case outrun(rounds: Int)

    var description: String {
        switch self {
        case .withoutLease: "this server has no lease on what it remembers"
        case .changedAgain(let looks): "the account changed, or the lease was lost, at each of \(looks) looks"
        case .outrun(let rounds): "other requests used up what was reserved \(rounds) times"
        }
    }
}
