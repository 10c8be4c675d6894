/// Decides what is requested from the store for which accounts, and whom a response resumes.
///
/// A pure value: each function takes in one event and returns the actions that follow from it. It reads no clock and no
/// quota, and waits for nothing. The caller holds the lock and performs the actions afterwards, in their order.
///
/// - One batch is under way at a time. What is requested meanwhile gathers for the next; in a batch each account is
///   requested once, however many wait for it.
/// - If the store grants nothing but other nodes may hold unused quota of the account, that quota is reclaimed before
///   the waiters are resumed. New requests for the account wait with them. Batches of other accounts go on.
/// - What the store granted is in the account's local quota before the account is requested again: the caller reports
///   that with ``proceed(_:)``, and only then does anything follow from a response.
/// - Every waiter is resumed once.
struct ReservationMachine<Waiter: Sendable>: Sendable {
    typealias Pending = PendingQuotaRequest<Waiter>

    enum Action: Sendable {
        /// Send these to the store in one transaction, then report ``fetched(_:)``. One at a time.
        case fetch([Pending])
        /// Put a response into the account's local quota.
        case accept(QuotaResponse, for: Pending)
        /// Watch for the end of a reservation, to release what is unused then.
        case watch(AccountState, until: SteadyTime)
        /// Call ``proceed(_:)``.
        case proceed(Work)
        /// Let these decide again.
        case resume([Waiter])
        /// Let these fail.
        case fail([Waiter], any Error)
        /// Ask the other nodes to release what they hold of these accounts, then report ``reclaimBegan(_:_:)``.
        case reclaim(ReclaimID, [UserID])
        /// Request these again after ``reclaimPause``, then report ``looked(_:_:)``.
        case lookAgain(ReclaimID, [Pending])
    }

    /// What is under way at the store.
    enum Work: Sendable {
        case fetch
        case reclaim(ReclaimID)
    }

    /// Distinguishes the reclaims that are under way.
    typealias ReclaimID = Int

    enum ReclaimStart: Sendable {
        /// The other nodes are asked, at a reading of the steady clock.
        case posted(SteadyTime)
        /// There is no other node.
        case isOnlyNode
    }

    private typealias Refused = (pending: Pending, response: QuotaResponse)

    private struct Batch {
        /// One for each account.
        let requested: [Pending]
        /// Those who wait for another request of an account that is in the batch. They decide again after it.
        let others: [Waiter]
        var refused: [Refused] = []
    }

    private struct Reclaim {
        var left: [Refused]
        /// Accounts whose final response has arrived; their waiters are resumed next.
        var ended: [UserID] = []
        var looks = 0
        var deadline = SteadyTime.distantPast
    }

    /// How long a request waits for other nodes to release quota before it is refused.
    static var reclaimPatience: Duration { .milliseconds(100) }
    static var reclaimPause: Duration { .milliseconds(10) }
    /// Bounds the waiting where a clock stands still.
    static var mostReclaimLooks: Int { 10 }

    private var pending: [Pending] = []
    private var batch: Batch?
    /// Those who wait for accounts that are being reclaimed.
    private var reclaimed: [UserID: [Waiter]] = [:]
    private var reclaims: [ReclaimID: Reclaim] = [:]
    private var lastReclaim: ReclaimID = 0
    /// Nothing is requested any more: it would not be released.
    private(set) var isStopped = false
    /// Those who wait until nothing is under way.
    private var idleWaiters: [Waiter] = []

    /// Whether other nodes are being asked to release what they hold of an account.
    func isReclaiming(_ userID: UserID) -> Bool { reclaimed[userID] != nil }
}

// MARK: - Requests

extension ReservationMachine {
    /// Somebody waits for quota, or to see how the window stands.
    mutating func request(
        _ purpose: Pending.Purpose, for accountState: AccountState, limit: Int, waiter: Waiter
    ) -> [Action] {
        if isStopped { return [.fail([waiter], KeybearerError.unavailable())] }
        if purpose != .look, reclaimed[accountState.userID] != nil {
            reclaimed[accountState.userID]?.append(waiter)
            return []
        }
        if let same = pending.firstIndex(where: {
            $0.accountState === accountState && $0.limit == limit && ($0.purpose == .look) == (purpose == .look)
        }) {
            pending[same].purpose = purpose
            pending[same].waiters.append(waiter)
        } else {
            pending.append(
                Pending(accountState: accountState, limit: limit, purpose: purpose, waiters: [waiter]))
        }
        return next()
    }

    /// These accounts will need more quota soon.
    mutating func prefetch(_ accounts: [(accountState: AccountState, limit: Int)]) -> [Action] {
        if isStopped { return [] }
        for (accountState, limit) in accounts where reclaimed[accountState.userID] == nil {
            pending.append(Pending(accountState: accountState, limit: limit, purpose: .prefetch))
        }
        return next()
    }

    /// Refuses new requests. Those made before the call are still sent. The waiter is resumed when nothing is under
    /// way.
    mutating func stop(_ waiter: Waiter) -> [Action] {
        isStopped = true
        return awaitIdle(waiter)
    }

    /// The waiter is resumed when nothing is under way.
    mutating func awaitIdle(_ waiter: Waiter) -> [Action] {
        idleWaiters.append(waiter)
        return next()
    }

    /// Begins the next batch when none is under way, or resumes those who wait for the end of all work.
    private mutating func next() -> [Action] {
        guard batch == nil else { return [] }
        if !pending.isEmpty {
            var seen: Set<ObjectIdentifier> = []
            let requested = pending.filter { seen.insert(ObjectIdentifier($0.accountState)).inserted }
            seen = []
            let others = pending.filter { !seen.insert(ObjectIdentifier($0.accountState)).inserted }
            batch = Batch(requested: requested, others: others.flatMap(\.waiters))
            pending = []
            return [.fetch(requested)]
        }
        guard reclaims.isEmpty, !idleWaiters.isEmpty else { return [] }
        defer { idleWaiters = [] }
        return [.resume(idleWaiters)]
    }
}

// MARK: - Responses

extension ReservationMachine {
    /// The store has returned the batch that was under way.
    ///
    /// - Parameter result: a response for each account of the batch, in its order; nil for those that needed nothing
    ///   any more.
    mutating func fetched(_ result: Result<[QuotaResponse?], any Error>) -> [Action] {
        guard let batch else { return [] }
        switch result {
        case .failure(let error):
            self.batch = nil
            let waiters = batch.requested.flatMap(\.waiters) + batch.others
            return (waiters.isEmpty ? [] : [.fail(waiters, error)]) + next()
        case .success(let responses):
            var actions: [Action] = []
            for (pending, response) in zip(batch.requested, responses) {
                guard let response else { continue }
                if response.isWorthReclaiming, pending.purpose != .prefetch {
                    self.batch?.refused.append((pending, response))
                } else {
                    actions += Self.accept(response, for: pending)
                }
            }
            return actions + [.proceed(.fetch)]
        }
    }

    /// Whether the other nodes are asked to release what they hold.
    mutating func reclaimBegan(_ id: ReclaimID, _ result: Result<ReclaimStart, any Error>) -> [Action] {
        guard let reclaim = reclaims[id] else { return [] }
        switch result {
        case .failure(let error): return fail(id, error)
        case .success(.posted(let time)):
            reclaims[id]?.deadline = time.advanced(by: Self.reclaimPatience)
            return [.lookAgain(id, reclaim.left.map(\.pending))]
        case .success(.isOnlyNode):
            reclaims[id]?.left = []
            reclaims[id]?.ended = reclaim.left.map(\.pending.accountState.userID)
            return reclaim.left.flatMap { Self.accept($0.response, for: $0.pending) } + [.proceed(.reclaim(id))]
        }
    }

    /// The store was asked again for the accounts of a reclaim.
    ///
    /// - Parameter result: a response for each account of the action, in its order.
    mutating func looked(_ id: ReclaimID, _ result: Result<[QuotaResponse], any Error>) -> [Action] {
        guard var reclaim = reclaims[id] else { return [] }
        let responses: [QuotaResponse]
        switch result {
        case .failure(let error): return fail(id, error)
        case .success(let value): responses = value
        }
        reclaim.looks += 1
        var left: [Refused] = []
        var actions: [Action] = []
        for (pending, response) in zip(reclaim.left.map(\.pending), responses) {
            let isLast = reclaim.looks == Self.mostReclaimLooks || response.requestedAt >= reclaim.deadline
            if response.isWorthReclaiming, !isLast {
                left.append((pending, response))
            } else {
                actions += Self.accept(response, for: pending)
                reclaim.ended.append(pending.accountState.userID)
            }
        }
        reclaim.left = left
        reclaims[id] = reclaim
        return actions + [.proceed(.reclaim(id))]
    }

    /// What the store granted is in the local quota of its accounts.
    mutating func proceed(_ work: Work) -> [Action] {
        switch work {
        case .fetch:
            guard let batch else { return [] }
            self.batch = nil
            var resumed = batch.others
            let refused = Set(batch.refused.map { ObjectIdentifier($0.pending.accountState) })
            for pending in batch.requested where !refused.contains(ObjectIdentifier(pending.accountState)) {
                resumed += pending.waiters
            }
            return beginReclaim(batch.refused) + (resumed.isEmpty ? [] : [.resume(resumed)]) + next()
        case .reclaim(let id):
            guard let reclaim = reclaims[id] else { return [] }
            reclaims[id]?.ended = []
            let resumed = reclaim.ended.flatMap { reclaimed.removeValue(forKey: $0) ?? [] }
            let actions: [Action] = resumed.isEmpty ? [] : [.resume(resumed)]
            if !reclaim.left.isEmpty { return actions + [.lookAgain(id, reclaim.left.map(\.pending))] }
            reclaims[id] = nil
            return actions + next()
        }
    }

    private static func accept(_ response: QuotaResponse, for pending: Pending) -> [Action] {
        let accept = Action.accept(response, for: pending)
        return response.expiry.map { [accept, .watch(pending.accountState, until: $0)] } ?? [accept]
    }

    private mutating func beginReclaim(_ refused: [Refused]) -> [Action] {
        let begun = refused.filter { one in
            let userID = one.pending.accountState.userID
            defer { reclaimed[userID, default: []] += one.pending.waiters }
            return reclaimed[userID] == nil
        }
        if begun.isEmpty { return [] }
        joinReclaims()
        lastReclaim += 1
        reclaims[lastReclaim] = Reclaim(left: begun)
        return [.reclaim(lastReclaim, begun.map(\.pending.accountState.userID))]
    }

    /// Who would reserve with the next batch waits for the reclaim instead. Two responses for one account would
    /// overwrite each other.
    private mutating func joinReclaims() {
        pending.removeAll { pending in
            guard pending.purpose != .look, reclaimed[pending.accountState.userID] != nil else { return false }
            reclaimed[pending.accountState.userID]? += pending.waiters
            return true
        }
    }

    private mutating func fail(_ id: ReclaimID, _ error: any Error) -> [Action] {
        let left = reclaims.removeValue(forKey: id)?.left ?? []
        let waiters = left.flatMap { reclaimed.removeValue(forKey: $0.pending.accountState.userID) ?? [] }
        return (waiters.isEmpty ? [] : [.fail(waiters, error)]) + next()
    }
}
