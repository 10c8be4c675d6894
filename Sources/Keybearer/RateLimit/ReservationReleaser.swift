import Synchronization

/// Gives back what this process has reserved and does not use: what has expired, what other nodes ask for, and all of it
/// at the end.
final class ReservationReleaser: Sendable {
    private struct State {
        /// Account states that hold reservations, by the interval in which these end: so that only those that end are looked at.
        var holders: [Int64: [AccountState]] = [:]
        /// The recalls that were answered and that the store still shows.
        var responded: Set<ReclaimRequest> = []

        mutating func watch(_ accountState: AccountState, until end: SteadyTime) {
            holders[ReservationReleaser.interval(of: end), default: []].append(accountState)
        }
    }

    private let store: any RateLimitStore
    private let sharedReservations: SharedReservations
    private let clocks: Clocks
    private let state = Lock(State())

    init(store: any RateLimitStore, sharedReservations: SharedReservations, clocks: Clocks) {
        self.store = store
        self.sharedReservations = sharedReservations
        self.clocks = clocks
    }

    /// Watches for the end of what is reserved for an account, unless an earlier end of it is watched for.
    func watch(_ accountState: AccountState, until end: SteadyTime) {
        if accountState.beginWatching() { state.withLock { $0.watch(accountState, until: end) } }
    }

    /// Gives back what has expired unused.
    func releaseExpired() async {
        let now = clocks.steady()
        let due = state.withLock { state in
            let ended = state.holders.keys.filter { $0 <= Self.interval(of: now) }
            return ended.flatMap { state.holders.removeValue(forKey: $0) ?? [] }
        }
        var requests: [QuotaRequest] = []
        for accountState in due {
            let (unused, watchUntil) = accountState.takeExpired(at: now)
            if !unused.isEmpty { requests.append(Self.request(toRelease: unused, of: accountState)) }
            if let watchUntil { state.withLock { $0.watch(accountState, until: watchUntil) } }
        }
        await release(requests, isAwaited: false)
    }

    /// Gives back all.
    func releaseAll() async {
        let holders = state.withLock { state in
            defer { state.holders = [:] }
            return state.holders.values.flatMap { $0 }
        }
        await releaseUnused(of: holders)
    }

    /// Gives back what other nodes have asked for since this was called last.
    func releaseReclaimed() async {
        guard state.withLock({ !$0.holders.isEmpty }), let shown = try? await store.reclaims(now: clocks.wall()) else {
            return
        }
        let due = state.withLock { state -> [AccountState] in
            let users = Set(Set(shown).subtracting(state.responded).map(\.userID))
            state.responded = Set(shown)
            if users.isEmpty { return [] }
            return state.holders.values.joined().filter { users.contains($0.userID) }
        }
        await releaseUnused(of: due)
    }

    private func releaseUnused(of accountStates: [AccountState]) async {
        await release(
            accountStates.compactMap { accountState in
                let unused = accountState.withQuota { $0.withdraw() }
                return unused.isEmpty ? nil : Self.request(toRelease: unused, of: accountState)
            }, isAwaited: true)
    }

    private func release(_ requests: [QuotaRequest], isAwaited: Bool) async {
        for batch in BackgroundWrites.batches(requests, isAwaited: isAwaited) {
            // What cannot be given back stays charged until its bucket frees: late, never too much.
            _ = try? await sharedReservations.reserve(Array(batch))
        }
    }

    private static func request(toRelease unused: [LocalQuota.Unused], of accountState: AccountState) -> QuotaRequest {
        QuotaRequest(
            userID: accountState.userID, unused: unused, wanted: 0, limit: 0, life: ReservationBatcher.reservationLife)
    }

    private static func interval(of time: SteadyTime) -> Int64 {
        time.nanoseconds / BackgroundWrites.interval.wholeNanoseconds
    }
}
