import Synchronization

/// What an account's requests change: its local quota, its last use and its counts.
///
/// It belongs to the account, not to the key: regenerating a key leaves the quota as it was. One small lock, held for
/// some arithmetic and nothing else.
final class AccountState: UnwrittenSource {
    private struct State {
        var quota = LocalQuota()
        /// The key that last use and counts are of: that of the last request.
        var keyID: KeyID?
        var lastUse: LastUse?
        var usage = UsageCounter()
        var sources = RecentSources()
        var refusals = RecentRefusals()
        var isLastUseUnwritten = false
        /// Whether ``UsageRecorder`` knows that there is something to write.
        var isRecorded = false
        /// Whether ``ReservationReleaser`` watches for the end of a reservation.
        var isWatched = false
        var isWindowOver = false
        /// What the account was warned of last.
        var level = QuotaLevel.normal
        /// The same for mails: a page that was looked at keeps no mail back.
        var mailedLevel = QuotaLevel.normal

        /// Counts a request. Keeps the key's id where it is the same: writing it again would count references on every
        /// request.
        mutating func count(_ outcome: UsageOutcome, of keyID: KeyID, at wall: Timestamp) {
            if self.keyID != keyID { begin(keyID) }
            usage.count(outcome, of: keyID, at: wall)
        }

        private mutating func begin(_ keyID: KeyID) {
            if let old = self.keyID { usage.end(of: old) }
            sources.end(lastAt: isLastUseUnwritten ? lastUse?.at : nil)
            self.keyID = keyID
            lastUse = nil
            isLastUseUnwritten = false
        }

        /// Records a use. From the address of the one before it, it is a comparison and the time.
        @inline(__always)
        mutating func use(from address: IPAddress, of keyID: KeyID, at wall: Timestamp, userAgent: () -> String) {
            if isLastUseUnwritten, lastUse?.address == address {
                lastUse = LastUse(at: wall, address: address)
            } else {
                useElsewhere(from: address, of: keyID, at: wall, userAgent: userAgent)
            }
        }

        /// The first use since the last write, or one from another address.
        @inline(never)
        private mutating func useElsewhere(
            from address: IPAddress, of keyID: KeyID, at wall: Timestamp, userAgent: () -> String
        ) {
            if address == .unknown { return }
            sources.move(
                to: address, of: keyID, at: wall, leavingAt: isLastUseUnwritten ? lastUse?.at : nil,
                userAgent: userAgent)
            lastUse = LastUse(at: wall, address: address)
            isLastUseUnwritten = true
        }

        /// The level that was reached since the last time; nil where it did not rise.
        mutating func nextMailedLevel() -> QuotaLevel? {
            let (before, used) = (mailedLevel, quota.used())
            mailedLevel = before.next(used: used.count, limit: used.limit)
            return mailedLevel > before ? mailedLevel : nil
        }

        /// Notes that there is something to write.
        ///
        /// - Returns: whether there was nothing before.
        mutating func beginRecording() -> Bool {
            if isRecorded { return false }
            isRecorded = true
            return true
        }
    }

    let userID: UserID
    private let state: Lock<State>

    /// - Parameter lastUse: of a key, where it is known.
    init(userID: UserID, lastUse: (keyID: KeyID, use: LastUse)? = nil) {
        self.userID = userID
        var state = State()
        (state.keyID, state.lastUse) = (lastUse?.keyID, lastUse?.use)
        self.state = Lock(state)
    }

    /// One for the same account with nothing reserved. No request that begins now can reach this one's reservations;
    /// what is left of them is released when they have ended, and what was counted here is written from here.
    ///
    /// - Parameter endsWindow: whether what this one admitted counts no more.
    func renewed(endsWindow: Bool) -> AccountState {
        state.withLock { state in
            if endsWindow { state.isWindowOver = true }
            let lastUse = state.keyID.flatMap { keyID in state.lastUse.map { (keyID, $0) } }
            return AccountState(userID: userID, lastUse: lastUse)
        }
    }

    /// Whether a fresh hour has begun since: see ``renewed(endsWindow:)``.
    var isWindowOver: Bool { state.withLock { $0.isWindowOver } }

    /// Decides and counts one request; when it is admitted, records the use.
    ///
    /// - Parameter userAgent: what the client says it is; asked where the use is the first one since the last write, or
    ///   from an address that is new since then.
    /// - Returns: the decision, whether this is the first request since the last write, and whether it is time to
    ///   prefetch.
    func consume(
        limit: Int, keyID: KeyID, from address: IPAddress, now: SteadyTime, wall: Timestamp,
        userAgent: () -> String = { "" }
    ) -> (decision: LocalQuota.Decision, isFirstUnwritten: Bool, shouldPrefetch: Bool) {
        state.withLock { state in
            let decision = state.quota.consume(limit: limit, now: now, wall: wall)
            switch decision {
            case .needsReservation: return (decision, false, false)
            case .exhausted:
                state.count(.rateLimited, of: keyID, at: wall)
                return (decision, state.beginRecording(), false)
            case .admitted:
                state.count(.admitted, of: keyID, at: wall)
                state.use(from: address, of: keyID, at: wall, userAgent: userAgent)
                return (decision, state.beginRecording(), state.quota.shouldPrefetch)
            }
        }
    }

    /// Counts a request that is refused whatever is left of the quota.
    ///
    /// - Returns: how the rate limit stands, and whether this is the first request since the last write; nil, and
    ///   nothing was counted, before the store was ever asked.
    func refuse(
        _ outcome: UsageOutcome, limit: Int, keyID: KeyID, now: SteadyTime, wall: Timestamp
    ) -> (status: RateLimitStatus, isFirstUnwritten: Bool)? {
        state.withLock { state in
            guard let status = state.quota.peek(limit: limit, now: now, wall: wall) else { return nil }
            state.count(outcome, of: keyID, at: wall)
            return (status, state.beginRecording())
        }
    }

    /// Records what a request was refused for that ``refuse(_:limit:keyID:now:wall:)`` or ``consume`` counted.
    ///
    /// - Returns: whether this is the first since the last write.
    func record(_ refusal: KeyRefusal) -> Bool {
        state.withLock { state in
            state.refusals.record(refusal)
            return state.beginRecording()
        }
    }

    /// The last use of this key that this process has seen; nil when it has seen none.
    func lastUse(of keyID: KeyID) -> LastUse? {
        state.withLock { $0.keyID == keyID ? $0.lastUse : nil }
    }

    /// Takes what is not written yet. Whoever takes it must see to it that it is.
    func takeUnwritten() -> Unwritten {
        state.withLock { state in
            state.isRecorded = false
            guard let keyID = state.keyID else { return Unwritten() }
            defer { state.isLastUseUnwritten = false }
            let use = state.isLastUseUnwritten ? state.lastUse : nil
            let news = KeyNews(
                userID: userID, sources: state.sources.take(lastAt: use?.at), refusals: state.refusals.take())
            return Unwritten(
                use: use.map { KeyUse(userID: userID, keyID: keyID, use: $0) },
                counts: state.usage.take(of: keyID).flatMap { UsageCount.all(in: $0, of: userID) },
                news: news.isEmpty ? nil : news,
                reached: state.nextMailedLevel().map { (userID, $0) })
        }
    }

    /// Whether nothing waits to be written.
    var isWritten: Bool { state.withLock { !$0.isRecorded } }

    /// What the account is to be warned of, after what it was warned of before.
    func level(used: Int, limit: Int) -> QuotaLevel {
        state.withLock { state in
            state.level = state.level.next(used: used, limit: limit)
            return state.level
        }
    }

    /// Records that the end of a reservation is watched for.
    ///
    /// - Returns: whether nobody watched for the end of one.
    func beginWatching() -> Bool {
        state.withLock { state in
            defer { state.isWatched = true }
            return !state.isWatched
        }
    }

    /// Takes out what reservations that have ended left unused.
    ///
    /// - Returns: it, and when the next reservation ends, if it must be watched until then.
    func takeExpired(at now: SteadyTime) -> (unused: [LocalQuota.Unused], watchUntil: SteadyTime?) {
        state.withLock { state in
            let unused = state.quota.withdrawExpired(at: now)
            let next = state.quota.nextExpiry
            state.isWatched = next != nil
            return (unused, next)
        }
    }

    /// Works on the local quota under the lock.
    func withQuota<Result: Sendable>(_ body: (inout LocalQuota) -> Result) -> Result {
        state.withLock { body(&$0.quota) }
    }
}
