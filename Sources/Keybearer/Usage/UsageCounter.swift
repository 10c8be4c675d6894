/// Counts what became of one account's requests, until it is taken to be written.
///
/// Part of the account's state, under its lock. Counting allocates nothing, except where another quarter of an hour or
/// another key begins while something is left to write.
struct UsageCounter: Sendable {
    /// Counts of one key in one quarter of an hour.
    struct Part: Sendable {
        let keyID: KeyID
        let quarter: Timestamp
        let counts: OutcomeCounts
    }

    /// When the quarter began that is counted; far from every time before the first.
    private var quarter = Int64.min / 2
    private var counts = OutcomeCounts()
    /// What ended before it was taken.
    private var ended: [Part] = []

    /// Counts one request.
    ///
    /// - Parameters:
    ///   - keyID: the key that all since the last ``end(of:)`` were made with.
    mutating func count(_ outcome: UsageOutcome, of keyID: KeyID, at time: Timestamp) {
        let inQuarter = UInt64(bitPattern: time.millisecondsSinceEpoch &- quarter)
        if inQuarter >= UInt64(UsageQuarter.milliseconds) { begin(of: keyID, at: time) }
        counts[outcome] &+= 1
    }

    /// Puts the counts of a key aside, because another key is counted from now on.
    mutating func end(of keyID: KeyID) {
        guard counts != OutcomeCounts() else { return }
        ended.append(Part(keyID: keyID, quarter: Timestamp(millisecondsSinceEpoch: quarter), counts: counts))
        counts = OutcomeCounts()
    }

    private mutating func begin(of keyID: KeyID, at time: Timestamp) {
        end(of: keyID)
        quarter = UsageQuarter.start(of: time).millisecondsSinceEpoch
    }

    /// Takes all that was counted, and begins again at zero.
    mutating func take(of keyID: KeyID) -> [Part] {
        end(of: keyID)
        defer { ended = [] }
        return ended
    }
}

/// How many requests came to each outcome. Small: there is one in the state of every account.
struct OutcomeCounts: Sendable, Hashable {
    private var first = SIMD4<UInt32>()
    private var fifth: UInt32 = 0

    subscript(outcome: UsageOutcome) -> UInt32 {
        @inline(__always) get { outcome.lane < 4 ? first[outcome.lane] : fifth }
        @inline(__always) set {
            if outcome.lane < 4 { first[outcome.lane] = newValue } else { fifth = newValue }
        }
    }
}
