/// Last uses, counts of requests and histories of keys, written in batches.
package protocol UsageStore: Sendable {
    /// Writes a batch, in one transaction.
    ///
    /// Each use goes to the key it belongs to. Keys that were replaced since are ignored, and uses older than the stored
    /// one; a stored use later than `now`, from a wrong clock, is overwritten. The counts are added, and the news merged
    /// into the histories of keys, unless the batch was written before: so a batch whose outcome is not known is written
    /// again. Those of deleted accounts are ignored.
    func recordUsage(_ batch: UsageBatch, now: Timestamp) async throws

    /// What the requests of an account, with all its keys, came to between each two neighbouring times.
    ///
    /// - Parameter times: ascending; each is the beginning of a quarter of an hour.
    /// - Returns: one element less than `times`.
    func usage(of userID: UserID, between times: [Timestamp]) async throws -> [[UsageOutcome: Int]]

    /// Removes counts that are older than a span, and what was kept of writers that have not written for a week. Some at
    /// a time.
    func removeOldUsage(keeping retention: Duration, now: Timestamp) async throws
}

/// What a process writes together.
package struct UsageBatch: Sendable {
    /// Names the process; random at every start.
    package let writer: String
    /// Counts the process's batches from 1. The process begins none before it knows that the one before is written.
    package let number: Int64
    /// Last uses.
    package let uses: [KeyUse]
    /// Counts to add.
    package let counts: [UsageCount]
    /// What to merge into the histories of accounts' keys.
    package let news: [KeyNews]
    /// What the counts say that a key's holder is to know.
    package let events: [KeyEvent]
    /// Whether holders get mails.
    package let isMailed: Bool

    /// Puts a batch together.
    package init(
        writer: String, number: Int64, uses: [KeyUse], counts: [UsageCount], news: [KeyNews] = [],
        events: [KeyEvent] = [], isMailed: Bool = false
    ) {
        self.events = events
        self.isMailed = isMailed
        self.writer = writer
        self.number = number
        self.uses = uses
        self.counts = counts
        self.news = news
    }
}

/// A use of a key.
package struct KeyUse: Sendable, Hashable {
    /// Whose key.
    package let userID: UserID
    /// Which key.
    package let keyID: KeyID
    /// When and from where.
    package let use: LastUse

    /// Puts a use together.
    package init(userID: UserID, keyID: KeyID, use: LastUse) {
        self.userID = userID
        self.keyID = keyID
        self.use = use
    }
}

/// How many requests with a key came to the same, in one quarter of an hour.
package struct UsageCount: Sendable, Hashable {
    /// Whose key.
    package let userID: UserID
    /// Which key.
    package let keyID: KeyID
    /// When the quarter began.
    package let quarter: Timestamp
    /// What they came to.
    package let outcome: UsageOutcome
    /// How many.
    package let count: Int

    /// Puts a count together.
    package init(userID: UserID, keyID: KeyID, quarter: Timestamp, outcome: UsageOutcome, count: Int) {
        self.userID = userID
        self.keyID = keyID
        self.quarter = quarter
        self.outcome = outcome
        self.count = count
    }

    /// Those of a part of an account's counter.
    static func all(in part: UsageCounter.Part, of userID: UserID) -> [UsageCount] {
        UsageOutcome.allCases.compactMap { outcome in
            let count = Int(part.counts[outcome])
            guard count > 0 else { return nil }
            return UsageCount(
                userID: userID, keyID: part.keyID, quarter: part.quarter, outcome: outcome, count: count)
        }
    }
}
