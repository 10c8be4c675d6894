import Synchronization

/// Releases what this process has reserved and does not use: what has expired, what other nodes reclaim, and all of it
/// at a stop.
final class ReservationReleaser: Sendable {
    private let store: any RateLimitStore
    private let sharedReservations: SharedReservations
    private let clocks: Clocks
    private let reservations = Lock(ReservationWatch())

    init(store: any RateLimitStore, sharedReservations: SharedReservations, clocks: Clocks) {
        self.store = store
        self.sharedReservations = sharedReservations
        self.clocks = clocks
    }

    /// Watches for the end of a reservation of this account, unless it is watched for an earlier one.
    func watch(_ accountState: AccountState, until end: SteadyTime) {
        if accountState.beginWatching() { reservations.withLock { $0.watch(accountState, until: end) } }
    }

    /// Releases what has expired unused.
    func releaseExpired() async {
        let now = clocks.steady()
        var requests: [QuotaRequest] = []
        for accountState in reservations.withLock({ $0.takeEnded(at: now) }) {
            let (unused, watchUntil) = accountState.takeExpired(at: now)
            if !unused.isEmpty { requests.append(.release(accountState.userID, unused)) }
            if let watchUntil { reservations.withLock { $0.watch(accountState, until: watchUntil) } }
        }
        await send(requests, isAwaited: false)
    }

    /// Releases all.
    func releaseAll() async { await releaseUnused(of: reservations.withLock { $0.takeAll() }) }

    /// Releases what other nodes reclaim and have not reclaimed before.
    func releaseReclaimed() async {
        guard reservations.withLock({ !$0.isEmpty }), let shown = try? await store.reclaims(now: clocks.wall()) else {
            return
        }
        await releaseUnused(of: reservations.withLock { $0.respond(to: shown) })
    }

    private func releaseUnused(of accountStates: [AccountState]) async {
        await send(
            accountStates.compactMap { accountState in
                let unused = accountState.withQuota { $0.withdraw() }
                return unused.isEmpty ? nil : .release(accountState.userID, unused)
            }, isAwaited: true)
    }

    private func send(_ requests: [QuotaRequest], isAwaited: Bool) async {
        for batch in BackgroundWrites.batches(requests, isAwaited: isAwaited) {
            // What cannot be released stays charged until its bucket frees: late, never too much.
            _ = try? await sharedReservations.reserve(Array(batch))
        }
    }
}
