/// Counts what became of one account's requests, until it is taken to be written.
///
/// Part of the account's state, under its lock. Counting allocates nothing, except where another quarter of an hour or
/// another key begins while something is left to write.
struct UsageCounter: Sendable {
    /// Counts of one key in one quarter of an hour.
    struct Part: Sendable {
        let keyID: KeyID
        let quarter: Timestamp
        /// By ``UsageOutcome/lane``.
        let counts: SIMD8<UInt32>
    }

    /// When the quarter began that is counted; far from every time before the first.
    private var quarter = Int64.min / 2
    private var counts = SIMD8<UInt32>()
    /// What ended before it was taken.
    private var ended: [Part] = []

    /// Counts one request.
    ///
    /// - Parameters:
    ///   - keyID: the key that all since the last ``end(of:)`` were made with.
    mutating func count(_ outcome: UsageOutcome, of keyID: KeyID, at time: Timestamp) {
        let inQuarter = UInt64(bitPattern: time.millisecondsSinceEpoch &- quarter)
        if inQuarter >= UInt64(UsageQuarter.milliseconds) { begin(of: keyID, at: time) }
        counts[outcome.lane] &+= 1
    }

    /// Puts the counts of a key aside, because another key is counted from now on.
    mutating func end(of keyID: KeyID) {
        guard counts != SIMD8() else { return }
        ended.append(Part(keyID: keyID, quarter: Timestamp(millisecondsSinceEpoch: quarter), counts: counts))
        counts = SIMD8()
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
