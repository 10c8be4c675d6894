/// Something in memory of which ``UsageRecorder`` writes what gathers.
protocol UnwrittenSource: AnyObject, Sendable {
    /// Takes what is not written yet. Whoever takes it must see to it that it is.
    func takeUnwritten() -> Unwritten
}

/// What is to be written of an account.
struct Unwritten: Sendable {
    /// The last use; nil where it was written, or there is none.
    var use: KeyUse?
    /// What was counted since the last time.
    var counts: [UsageCount] = []
    /// What was seen of the account's keys since the last time.
    var news: KeyNews?
    /// What the account reached since the last time and its holder is to know; nil for nothing.
    var reached: (userID: UserID, level: QuotaLevel)?
}
