/// The answer to "may this key pass?". A refusal is a value, not an error.
public enum Verdict: Sendable {
    /// It passes, and was counted.
    case admitted(LiveAccount, BudgetStatus)
    /// No live key, or none of ours. Nothing says which.
    case unauthorized
    /// A live key whose plan lacks the feature; nothing was counted.
    case featureLocked(LiveAccount, BudgetStatus)
    /// A live key that names a workspace it does not belong to; nothing was counted.
    case notAMember(LiveAccount, BudgetStatus)
    /// A live key whose hour is used up; nothing was counted.
    case rateLimited(LiveAccount, BudgetStatus)
    /// Memory alone cannot tell: ask ``Verifier/resolve(_:scope:from:)``.
    case needsStore
    /// The store is out of reach and memory may not be trusted; why, is for the log. Never shown as a refusal of the key.
    case unavailable(any Error)
}
