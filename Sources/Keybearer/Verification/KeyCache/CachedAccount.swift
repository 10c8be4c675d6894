import Synchronization

/// An account in the key cache: its identity, never a decision about it.
///
/// Immutable. A change of the account drops the whole object; the next request reads a new one.
public final class CachedAccount: Sendable {
    // First what every request reads, in two lines of the processor's cache: with many accounts each is waited for.

    /// What the key's holder presents. Here and not in the cache's table: the two are always read together.
    let token: PresentedToken
    /// The parts that change with requests and outlive the key.
    let accountState: AccountState
    /// The key's id, to record last use under.
    let keyID: KeyID
    /// The networks from which the key may be used; nil for every address.
    private let allowedBlocks: [AddressRange.Block]?
    /// The largest hourly limit among the workspaces whose plan has the feature; nil when there is none.
    private let entitledLimit: Int?
    /// The limit that is shown, and that guards a regenerate, while no workspace is entitled.
    private let fallbackLimit: Int
    /// What a server makes of the account at the first response, to have it at hand for every later one. The domain
    /// neither makes nor reads it.
    package let responseBytes = LazyBytes()
    /// The account as the store had it.
    public let account: Account
    /// The plan that decides when a request names no workspace.
    public let decidingPlan: Plan?

    init(account: Account, token: PresentedToken, accountState: AccountState) {
        self.account = account
        self.token = token
        self.accountState = accountState
        keyID = account.key.id
        allowedBlocks = account.user.allowedNetworks.map { $0.ranges.map(\.block) }
        let deciding = account.decidingAccess
        decidingPlan = deciding?.plan
        entitledLimit = deciding.map { account.hourlyLimit(in: $0) }
        fallbackLimit = account.largestLimit
    }

    /// The most recent successful request with this key: the store's, or a later one that memory saw.
    public var lastUse: LastUse? { accountState.lastUse(of: account.key.id) ?? account.key.lastUse }

    /// The account's place in the workspace that a scope names; nil where it names none.
    public func access(to scope: AccessScope) -> WorkspaceAccess? {
        guard case .workspace(let id) = scope else { return nil }
        return account.workspaces.first { $0.workspace.id == id }
    }

    /// What a scope comes to for this account. Looked at on every request.
    enum Entitlement {
        case entitled(limit: Int)
        /// Admitted regardless of the quota left; not counted.
        case uncounted(limit: Int)
        case locked(limit: Int)
        case notAMember(limit: Int)
        /// The key may not be used from there.
        case notFromThere(limit: Int)
    }

    /// What a scope comes to for a request from an address. The address first: whoever has a stolen key learns nothing
    /// of plans and workspaces. Whoever ends a leaked key may do so from anywhere.
    @inline(__always)
    func entitlement(to scope: AccessScope, from address: IPAddress) -> Entitlement {
        if let allowedBlocks, scope != .keyAlone, !AllowedNetworks.allow(address, in: allowedBlocks) {
            return .notFromThere(limit: entitledLimit ?? fallbackLimit)
        }
        return entitlement(to: scope)
    }

    func entitlement(to scope: AccessScope) -> Entitlement {
        switch scope {
        case .anyWorkspace:
            guard let entitledLimit else { return .locked(limit: fallbackLimit) }
            return .entitled(limit: entitledLimit)
        case .workspace:
            guard let access = access(to: scope) else {
                return .notAMember(limit: entitledLimit ?? fallbackLimit)
            }
            let limit = account.hourlyLimit(in: access)
            return access.includesAPI ? .entitled(limit: limit) : .locked(limit: limit)
        case .accountOnly:
            return .entitled(limit: entitledLimit ?? fallbackLimit)
        case .keyAlone:
            return .uncounted(limit: entitledLimit ?? fallbackLimit)
        }
    }
}

/// What an account's requests change: its local quota, its last use and its counts.
///
/// It belongs to the account, not to the key: regenerating a key leaves the quota as it was. One small lock, held for
/// some arithmetic and nothing else.
final class AccountState: Sendable {
    private struct State {
        var quota = LocalQuota()
        /// The key that last use and counts are of: that of the last request.
        var keyID: KeyID?
        var lastUse: LastUse?
        var usage = UsageCounter()
        var isLastUseUnwritten = false
        /// Whether ``UsageRecorder`` knows that there is something to write.
        var isRecorded = false
        /// Whether ``ReservationReleaser`` watches for the end of a reservation.
        var isWatched = false
        var isWindowOver = false
        /// What the account was warned of last.
        var level = QuotaLevel.normal

        /// Counts a request. Keeps the key's id where it is the same: writing it again would count references on every
        /// request.
        mutating func count(_ outcome: UsageOutcome, of keyID: KeyID, at wall: Timestamp) {
            if self.keyID != keyID { begin(keyID) }
            usage.count(outcome, of: keyID, at: wall)
        }

        private mutating func begin(_ keyID: KeyID) {
            if let old = self.keyID { usage.end(of: old) }
            self.keyID = keyID
            lastUse = nil
            isLastUseUnwritten = false
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

    /// What is to be written of an account.
    struct Unwritten: Sendable {
        /// The last use; nil where it was written, or there is none.
        var use: KeyUse?
        /// What was counted since the last time.
        var counts: [UsageCount] = []
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
    /// - Returns: the decision, whether this is the first request since the last write, and whether it is time to
    ///   prefetch.
    func consume(
        limit: Int, keyID: KeyID, from address: IPAddress, now: SteadyTime, wall: Timestamp
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
                if address != .unknown {
                    state.lastUse = LastUse(at: wall, address: address)
                    state.isLastUseUnwritten = true
                }
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
            return Unwritten(
                use: state.isLastUseUnwritten
                    ? state.lastUse.map { KeyUse(userID: userID, keyID: keyID, use: $0) } : nil,
                counts: state.usage.take(of: keyID).flatMap { UsageCount.all(in: $0, of: userID) })
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

extension CachedAccount: TokenEntry {
    var userID: UserID? { account.user.id }
}

/// What a request wants to do with the account behind its key.
public enum AccessScope: Sendable, Hashable {
    /// Names no workspace: needs the feature in any of the account's workspaces.
    case anyWorkspace
    /// Names a workspace: needs membership and that plan's feature.
    case workspace(WorkspaceID)
    /// Needs no feature: regenerating a leaked key must work while the feature is locked.
    case accountOnly
    /// Needs no feature and no quota, so that a leaked key can always be revoked.
    case keyAlone
}
