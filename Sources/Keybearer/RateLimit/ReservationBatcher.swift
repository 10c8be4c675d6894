import Synchronization

/// Fetches reservations for the accounts of this process, many of them in one transaction.
///
/// ``ReservationMachine`` decides what happens; this performs it: it sends requests to the store, puts responses into
/// the accounts' local quota and resumes who waits.
final class ReservationBatcher: Sendable {
    private typealias Machine = ReservationMachine<Waiter>

    private enum Waiter: Sendable {
        case request(Timeout.Waiter<Void>)
        case idle(CheckedContinuation<Void, Never>)

        func resume(with result: Result<Void, any Error>) {
            switch self {
            case .request(let waiter): waiter.resume(with: result)
            case .idle(let continuation): continuation.resume()
            }
        }
    }

    /// Accounts for which quota is to be prefetched, with their limits.
    private struct PrefetchQueue {
        var accounts: [(accountState: AccountState, limit: Int)] = []

        init() { accounts.reserveCapacity(1_024) }
    }

    private let store: any RateLimitStore
    private let sharedReservations: SharedReservations
    private let releaser: ReservationReleaser
    private let thread: any TaskExecutor
    private let clocks: Clocks
    private let isOnlyNode: @Sendable () async throws -> Bool
    private let machine = Lock(Machine())
    /// Under a lock of its own, which is held for an addition or an exchange: event loops take it.
    private let prefetchQueue = Lock(PrefetchQueue())

    /// - Parameters:
    ///   - holder: names this process to the store, as the holder of shared reservations.
    ///   - isOnlyNode: whether no other process serves from the store: then there are shared reservations, and nobody
    ///     to reclaim from.
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
        // A reclaim puts a response of the store into the local quota: that would replace what is used here.
        if machine.withLock({ $0.isStopped || $0.isReclaiming(accountState.userID) }) { return false }
        guard let end = sharedReservations.use(by: accountState, limit: limit) else { return false }
        releaser.watch(accountState, until: end)
        return true
    }

    /// Requests more quota for this account, and resumes the waiter when the store has returned.
    func reserve(for accountState: AccountState, limit: Int, waiter: Timeout.Waiter<Void>) {
        handle { $0.request(.reserve, for: accountState, limit: limit, waiter: .request(waiter)) }
    }

    /// Asks the store how the account's window stands, and reserves nothing.
    func look(at accountState: AccountState, limit: Int, waiter: Timeout.Waiter<Void>) {
        handle { $0.request(.look, for: accountState, limit: limit, waiter: .request(waiter)) }
    }

    /// Notes that an account will soon have consumed what is reserved for it. Called on the request path: it allocates
    /// nothing unless a thousand accounts come in a tenth of a second. The next ``prefetch()`` requests quota for all
    /// of them together.
    func requestPrefetch(_ accountState: AccountState, limit: Int) {
        prefetchQueue.withLock { $0.accounts.append((accountState, limit)) }
    }

    /// Requests more quota for the accounts that were noted. Nobody waits for it; an account that runs out before the
    /// store has returned comes after it and finds it there.
    ///
    /// - Returns: false when none was noted, or nothing is requested any more.
    @discardableResult
    func prefetch() -> Bool {
        if prefetchQueue.withLock({ $0.accounts.isEmpty }) { return false }
        // Made before: the lock is held for an exchange.
        var queued = PrefetchQueue()
        prefetchQueue.withLock { swap(&$0, &queued) }
        let accounts = queued.accounts
        return handle {
            let isStopped = $0.isStopped
            return (!isStopped, $0.prefetch(accounts))
        }
    }

    /// Waits until nothing is under way at the store.
    func waitUntilIdle() async {
        await withCheckedContinuation { idle in handle { $0.awaitIdle(.idle(idle)) } }
    }

    /// Makes sure that there is a shared reservation to use, and that what was used is recorded.
    func maintainSharedReservation() async { await sharedReservations.maintain() }

    /// Releases what has expired unused.
    func releaseExpired() async { await releaser.releaseExpired() }

    /// Releases what other nodes have reclaimed since this was called last.
    func releaseReclaimed() async { await releaser.releaseReclaimed() }

    /// Records what was used, releases all that is unused and closes the shared reservation. Whoever requests more
    /// afterwards, for a request that nobody waits for any more, gets none.
    func stop() async {
        // What comes later than the release would stay charged.
        await withCheckedContinuation { idle in handle { $0.stop(.idle(idle)) } }
        await sharedReservations.stop()
        await releaser.releaseAll()
        // Again: what was under way the first time may have been recorded since.
        await sharedReservations.stop()
    }
}

// MARK: - Actions

extension ReservationBatcher {
    private func handle(_ event: (inout Machine) -> [Machine.Action]) {
        handle { ((), event(&$0)) }
    }

    /// Reports an event to the machine and performs what follows.
    private func handle<Result: Sendable>(_ event: (inout Machine) -> (Result, [Machine.Action])) -> Result {
        let (result, actions) = machine.withLock { event(&$0) }
        if let batch = perform(actions) { Task(executorPreference: thread) { await self.fetch(batch) } }
        return result
    }

    /// Performs actions in their order, and those that follow from them.
    ///
    /// - Returns: the batch to fetch, if one of them was to fetch one.
    private func perform(_ actions: [Machine.Action]) -> [Machine.Pending]? {
        var batch: [Machine.Pending]?
        for action in actions {
            switch action {
            case .fetch(let pendings): batch = pendings
            case .accept(let response, let pending): pending.accept(response, now: clocks.steady())
            case .watch(let accountState, let end): releaser.watch(accountState, until: end)
            case .proceed(let work): batch = perform(machine.withLock { $0.proceed(work) }) ?? batch
            case .resume(let waiters): for waiter in waiters { waiter.resume(with: .success(())) }
            case .fail(let waiters, let error): for waiter in waiters { waiter.resume(with: .failure(error)) }
            case .reclaim(let id, let userIDs): Task { await self.reclaim(id, userIDs) }
            case .lookAgain(let id, let pendings): Task { await self.lookAgain(id, pendings) }
            }
        }
        return batch
    }

    /// Fetches a batch, and those that follow from it: without another task, the next one is on its way before the
    /// waiters go on.
    private func fetch(_ first: [Machine.Pending]) async {
        var batch: [Machine.Pending]? = first
        while let pendings = batch {
            let result = await asResult { try await self.responses(to: pendings) { $0.request(at: $1) } }
            batch = perform(machine.withLock { $0.fetched(result) })
        }
    }

    private func reclaim(_ id: Machine.ReclaimID, _ userIDs: [UserID]) async {
        let result: Result<Machine.ReclaimStart, any Error> = await asResult {
            if try await self.isOnlyNode() { return .isOnlyNode }
            try await self.store.postReclaims(of: userIDs, now: self.clocks.wall())
            return .posted(self.clocks.steady())
        }
        handle { $0.reclaimBegan(id, result) }
    }

    private func lookAgain(_ id: Machine.ReclaimID, _ pendings: [Machine.Pending]) async {
        let result = await asResult {
            try await Task.sleep(for: Machine.reclaimPause)
            return try await self.responses(to: pendings) { $0.requestNow(at: $1) }.compactMap { $0 }
        }
        handle { $0.looked(id, result) }
    }

    /// Sends what these accounts need to the store, in one transaction.
    ///
    /// - Returns: a response for each of them, in their order; nil for those that need nothing.
    private func responses(
        to pendings: [Machine.Pending], request: (Machine.Pending, SteadyTime) -> QuotaRequest?
    ) async throws -> [QuotaResponse?] {
        let now = clocks.steady()
        let requests = pendings.map { request($0, now) }
        var reservations = try await sharedReservations.reserve(requests.compactMap { $0 })[...]
        return requests.map { request in
            guard let request, let reservation = reservations.popFirst() else { return nil }
            return QuotaResponse(request: request, requestedAt: now, reservation: reservation)
        }
    }

    private func asResult<Value>(_ body: () async throws -> Value) async -> Result<Value, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
