import Synchronization

/// Fetches reservations for the accounts of this process, many of them in one transaction.
///
/// While one batch is at the store, what others ask for gathers for the next. An account that waits in the queue is
/// asked for once, however many of its requests wait. Before an account is refused, other nodes are asked to give back
/// what they hold of its hour and have not used.
final class ReservationBatcher: Sendable {
    private typealias Waiter = Timeout.Waiter<Void>

    /// What the store is asked for an account.
    private struct Requested {
        let pending: PendingReservation
        let request: QuotaRequest
        let at: SteadyTime
    }

    private struct State {
        var pending: [PendingReservation] = []
        /// What asks the store, while anything is asked.
        var work: Task<Void, Never>?
        /// Those who wait for accounts that are being recalled.
        var reclaiming: [UserID: [Waiter]] = [:]
        /// What recalls for others, by number, while it does.
        var reclaims: [Int: Task<Void, Never>] = [:]
        var lastReclaim = 0
        /// Nothing is asked for any more: it would not be given back.
        var isStopped = false
    }

    /// Accounts that are to be reserved for ahead, with their limits.
    private struct PrefetchQueue {
        var accounts: [(accountState: AccountState, limit: Int)] = []

        init() { accounts.reserveCapacity(1_024) }
    }

    /// How long a reservation may be used. Capacity returns up to this and one minute late.
    static let reservationLife: Duration = .seconds(60)
    /// How long a refusal is believed without asking the store again.
    static let refusalPatience: Duration = .seconds(1)
    /// How long a request waits for other nodes to give back before it is refused.
    private static let reclaimPatience: Duration = .milliseconds(100)
    private static let reclaimPause: Duration = .milliseconds(10)
    /// Bounds the waiting where a clock stands still.
    private static let mostReclaimLooks = 10

    private let store: any RateLimitStore
    private let sharedReservations: SharedReservations
    private let releaser: ReservationReleaser
    private let thread: any TaskExecutor
    private let clocks: Clocks
    private let isOnlyNode: @Sendable () async throws -> Bool
    private let state = Lock(State())
    /// Under a lock of its own, which is held for an addition or an exchange: event loops take it.
    private let prefetchQueue = Lock(PrefetchQueue())

    /// - Parameters:
    ///   - holder: names this process to the store, as the holder of shared reservations.
    ///   - isOnlyNode: whether no other process serves from the store: then there are shared reservations, and nobody to
    ///     recall from.
    init(
        store: any RateLimitStore, thread: any TaskExecutor = StoreThread(), clocks: Clocks,
        holder: NodeID = .random(from: .system), isOnlyNode: @escaping @Sendable () async throws -> Bool
    ) {
        self.store = store
        sharedReservations = SharedReservations(store: store, clocks: clocks, holder: holder, isOnlyNode: isOnlyNode)
        releaser = ReservationReleaser(store: store, sharedReservations: sharedReservations, clocks: clocks)
        self.thread = thread
        self.clocks = clocks
        self.isOnlyNode = isOnlyNode
    }

    /// Lets an account that holds no reservation use this process's shared reservation, without waiting for the disk.
    /// Blocks for as long as one read takes.
    ///
    /// - Returns: false when the store must be asked for a reservation.
    func useSharedReservation(for accountState: AccountState, limit: Int) -> Bool {
        // What is being recalled is answered with what the store said before: that would be written over.
        if state.withLock({ $0.isStopped || $0.reclaiming[accountState.userID] != nil }) { return false }
        guard let end = sharedReservations.use(by: accountState, limit: limit) else { return false }
        releaser.watch(accountState, until: end)
        return true
    }

    /// Asks the store for more for this account, and resumes the waiter when it was asked.
    func reserve(for accountState: AccountState, limit: Int, waiter: Timeout.Waiter<Void>) {
        request(for: accountState, limit: limit, wantsUnits: true, waiter: waiter)
    }

    /// Asks the store how the account's hour stands, and reserves nothing.
    func look(at accountState: AccountState, limit: Int, waiter: Timeout.Waiter<Void>) {
        request(for: accountState, limit: limit, wantsUnits: false, waiter: waiter)
    }

    /// Notes that an account will have used up what is reserved for it soon. Called on the request path: it allocates
    /// nothing unless a thousand accounts come in a tenth of a second. The store is asked with the next
    /// ``prefetch()``, for all of them at once.
    func requestPrefetch(_ accountState: AccountState, limit: Int) {
        prefetchQueue.withLock { $0.accounts.append((accountState, limit)) }
    }

    /// Asks the store for more for the accounts that were noted. Nobody waits for it; who runs out before it is
    /// answered comes behind it and finds it there.
    ///
    /// - Returns: what asks.
    @discardableResult
    func prefetch() -> Task<Void, Never>? {
        if prefetchQueue.withLock({ $0.accounts.isEmpty }) { return nil }
        // Made before: the lock is held for an exchange.
        var queued = PrefetchQueue()
        prefetchQueue.withLock { swap(&$0, &queued) }
        let accounts = queued.accounts
        return state.withLock { state in
            if state.isStopped { return nil }
            for (accountState, limit) in accounts where state.reclaiming[accountState.userID] == nil {
                state.pending.append(
                    PendingReservation(
                        accountState: accountState, limit: limit, wantsUnits: true, isPrefetch: true, waiters: []))
            }
            beginWork(&state)
            return state.work
        }
    }

    private func beginWork(_ state: inout State) {
        if state.work == nil { state.work = Task(executorPreference: thread) { await self.work() } }
    }

    /// Sees to it that there is a shared reservation to use, and that what was used is recorded.
    func maintainSharedReservation() async { await sharedReservations.maintain() }

    /// Gives back what has expired unused.
    func releaseExpired() async { await releaser.releaseExpired() }

    /// Gives back what other nodes have asked for since this was called last.
    func releaseReclaimed() async { await releaser.releaseReclaimed() }

    /// Records what was used, gives back all that is unused and closes the shared reservation. Whoever asks for more
    /// afterwards, for a request that nobody waits for any more, gets none.
    func stop() async {
        // What comes later than the giving back would stay charged.
        let work = state.withLock { state in
            state.isStopped = true
            return state.work
        }
        await work?.value
        for reclaim in state.withLock({ $0.reclaims.values }) { await reclaim.value }
        await sharedReservations.stop()
        await releaser.releaseAll()
        // Again: what was under way the first time may have been recorded since.
        await sharedReservations.stop()
    }

    private func request(for accountState: AccountState, limit: Int, wantsUnits: Bool, waiter: Waiter) {
        let requested = PendingReservation(
            accountState: accountState, limit: limit, wantsUnits: wantsUnits, waiters: [waiter])
        let isTaken = state.withLock { state in
            if state.isStopped { return false }
            if wantsUnits, state.reclaiming[accountState.userID] != nil {
                state.reclaiming[accountState.userID]?.append(waiter)
                return true
            }
            if let same = state.pending.firstIndex(where: requested.isSame) {
                state.pending[same].isPrefetch = false
                state.pending[same].waiters.append(waiter)
            } else {
                state.pending.append(requested)
            }
            beginWork(&state)
            return true
        }
        if !isTaken { waiter.resume(with: .failure(KeybearerError.unavailable())) }
    }

    private func work() async {
        while true {
            let batch = state.withLock { state -> [PendingReservation] in
                if state.pending.isEmpty { state.work = nil }
                defer { state.pending = [] }
                return state.pending
            }
            if batch.isEmpty { return }
            await fetch(batch)
        }
    }

    private func fetch(_ batch: [PendingReservation]) async {
        let now = clocks.steady()
        var seen: Set<ObjectIdentifier> = []
        // One request an account and batch: a second one of the same account is decided anew by its caller.
        let requested = batch.compactMap { pending in
            let isNew = seen.insert(ObjectIdentifier(pending.accountState)).inserted
            return isNew ? pending.request(at: now).map { Requested(pending: pending, request: $0, at: now) } : nil
        }
        do {
            let reservations = try await sharedReservations.reserve(requested.map(\.request))
            // Accounts that the store has nothing for, while other nodes may hold some of their hours.
            var refused: [(requested: Requested, reservation: Reservation)] = []
            for (requested, reservation) in zip(requested, reservations) {
                if requested.request.wanted > 0, reservation.granted == 0, reservation.mayBeUnused,
                    !requested.pending.isPrefetch
                {
                    refused.append((requested, reservation))
                } else {
                    take(reservation, to: requested)
                }
            }
            reclaim(refused)
            for pending in batch where !refused.contains(where: { $0.requested.pending.isSame(as: pending) }) {
                resume(pending.waiters)
            }
        } catch {
            for pending in batch { resume(pending.waiters, throwing: error) }
        }
    }

    private func take(_ reservation: Reservation, to requested: Requested) {
        requested.pending.take(reservation, to: requested.request, requestedAt: requested.at, now: clocks.steady())
        if reservation.granted > 0 {
            releaser.watch(requested.pending.accountState, until: requested.at.advanced(by: requested.request.life))
        }
    }

    private func resume(_ waiters: [Waiter], throwing error: (any Error)? = nil) {
        for waiter in waiters {
            waiter.resume(with: error.map { .failure($0) } ?? .success(()))
        }
    }
}

extension ReservationBatcher {
    /// Asks other nodes to give back, and looks for it for a moment, before accounts are refused. Batches of other
    /// accounts go on meanwhile.
    private func reclaim(_ refused: [(requested: Requested, reservation: Reservation)]) {
        state.withLock { state in
            let begun = refused.filter { one in
                let user = one.requested.pending.accountState.userID
                defer { state.reclaiming[user, default: []] += one.requested.pending.waiters }
                return state.reclaiming[user] == nil
            }
            if begun.isEmpty { return }
            state.lastReclaim += 1
            let number = state.lastReclaim
            state.reclaims[number] = Task {
                await lookForReleases(begun)
                self.state.withLock { $0.reclaims[number] = nil }
            }
        }
    }

    private func lookForReleases(_ refused: [(requested: Requested, reservation: Reservation)]) async {
        var left = refused.map(\.requested.pending)
        do {
            if try await isOnlyNode() {
                for (requested, reservation) in refused { take(reservation, to: requested) }
                return end(left)
            }
            try await store.postReclaims(of: left.map(\.accountState.userID), now: clocks.wall())
            let deadline = clocks.steady().advanced(by: Self.reclaimPatience)
            for look in 1...Self.mostReclaimLooks where !left.isEmpty {
                try await Task.sleep(for: Self.reclaimPause)
                let isLast = look == Self.mostReclaimLooks || clocks.steady() >= deadline
                left = try await requestAgain(left, isLast: isLast)
            }
        } catch {
            end(left, throwing: error)
        }
    }

    /// - Returns: those that got nothing and for whom it is worth looking again.
    private func requestAgain(_ pendings: [PendingReservation], isLast: Bool) async throws -> [PendingReservation] {
        let now = clocks.steady()
        let requested = pendings.map { Requested(pending: $0, request: $0.requestNow(at: now), at: now) }
        let reservations = try await sharedReservations.reserve(requested.map(\.request))
        var left: [PendingReservation] = []
        for (requested, reservation) in zip(requested, reservations) {
            if reservation.granted == 0, reservation.mayBeUnused, !isLast {
                left.append(requested.pending)
            } else {
                take(reservation, to: requested)
                end([requested.pending])
            }
        }
        return left
    }

    /// Lets those who waited for these accounts decide anew.
    private func end(_ pendings: [PendingReservation], throwing error: (any Error)? = nil) {
        for pending in pendings {
            let waiters = state.withLock { $0.reclaiming.removeValue(forKey: pending.accountState.userID) }
            resume(waiters ?? [], throwing: error)
        }
    }
}
