import Synchronization

/// What an account's requests change: its local quota and its last use.
///
/// It belongs to the account, not to the key: regenerating a key leaves the quota as it was. One small lock, held for
/// some arithmetic and nothing else.
final class AccountState: Sendable {
    private struct State {
        var quota = LocalQuota()
        var lastUse: (keyID: KeyID, use: LastUse)?

        /// Keeps the key's id where it is the same: writing it again would count references on every request.
        mutating func record(_ use: LastUse, of keyID: KeyID) {
            if lastUse?.keyID == keyID {
                lastUse?.use = use
            } else {
                lastUse = (keyID, use)
            }
        }
        var isLastUseUnwritten = false
        /// Whether ``ReservationReleaser`` watches for the end of a reservation.
        var isWatched = false
    }

    let userID: UserID
    private let state = Lock(State())

    init(userID: UserID) {
        self.userID = userID
    }

    /// Decides and counts one request; when it is admitted, records the use.
    ///
    /// - Returns: the decision, whether this use is the first since the last write, and whether it is time to prefetch.
    func consume(
        limit: Int, keyID: KeyID, from address: IPAddress, now: SteadyTime, wall: Timestamp
    ) -> (decision: LocalQuota.Decision, isFirstUnwritten: Bool, shouldPrefetch: Bool) {
        state.withLock { state in
            let decision = state.quota.consume(limit: limit, now: now, wall: wall)
            guard case .admitted = decision else { return (decision, false, false) }
            state.record(LastUse(at: wall, address: address), of: keyID)
            defer { state.isLastUseUnwritten = true }
            return (decision, !state.isLastUseUnwritten, state.quota.shouldPrefetch)
        }
    }

    /// The last use of this key that this process has seen; nil when it has seen none.
    func lastUse(of keyID: KeyID) -> LastUse? {
        state.withLock { $0.lastUse.flatMap { $0.keyID == keyID ? $0.use : nil } }
    }

    /// Takes the use that is not written yet.
    func takeUnwrittenUse() -> (keyID: KeyID, use: LastUse)? {
        state.withLock { state in
            defer { state.isLastUseUnwritten = false }
            return state.isLastUseUnwritten ? state.lastUse : nil
        }
    }

    /// Puts back a use that could not be written, unless a later one came meanwhile.
    ///
    /// - Returns: whether the account state must be recorded again as unwritten.
    func restoreUnwritten(_ use: (keyID: KeyID, use: LastUse)) -> Bool {
        state.withLock { state in
            guard !state.isLastUseUnwritten else { return false }
            if state.lastUse == nil { state.lastUse = use }
            state.isLastUseUnwritten = true
            return true
        }
    }

    /// Whether no use waits to be written.
    var isWritten: Bool { state.withLock { !$0.isLastUseUnwritten } }

    /// Notes that the end of a reservation is watched for.
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
