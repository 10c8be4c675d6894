import Logging
import Synchronization

/// Fetches reservations for the accounts of this process, many of them in one transaction.
///
/// While one batch is at the store, what others ask for gathers for the next. An account that waits in the queue is
/// asked for once, however many of its requests wait. Before an account is refused, other nodes are asked to give back
/// what they hold of its hour and have not used.
final class BudgetOffice: Sendable {
    private typealias Waiter = StoreWait.Waiter<Void>

    private struct Pending {
        let ledger: AccountLedger
        let limit: Int
        let wantsUnits: Bool
        /// Whether it is asked before anybody waits.
        var isAhead = false
        var waiters: [Waiter]

        func isSame(as other: Pending) -> Bool {
            ledger === other.ledger && limit == other.limit && wantsUnits == other.wantsUnits
        }
    }

    /// What the store is asked for an account, before anybody waits or because somebody does.
    private struct Asked {
        let pending: Pending
        let request: BudgetRequest
        let isAhead: Bool
    }

    /// An account that the store has nothing for, while other nodes may hold some of its hour.
    private struct Refused {
        let pending: Pending
        let request: BudgetRequest
        let answer: Reservation
        let askedAt: SteadyTime
    }

    private struct State {
        var pending: [Pending] = []
        /// What asks the store, while anything is asked.
        var work: Task<Void, Never>?
        /// Those who wait for accounts that are being recalled.
        var recalling: [UserID: [Waiter]] = [:]
        /// Ledgers that hold reservations, by the interval in which these end: so that only those that end are looked at.
        var holders: [Int64: [AccountLedger]] = [:]
        /// The recalls that were answered and that the store still shows.
        var answered: Set<BudgetRecall> = []

        mutating func watch(_ ledger: AccountLedger, until end: SteadyTime) {
            holders[BudgetOffice.interval(of: end), default: []].append(ledger)
        }
    }

    /// Accounts that are to be reserved for ahead, with their limits.
    private struct Ahead {
        var accounts: [(ledger: AccountLedger, limit: Int)] = []

        init() { accounts.reserveCapacity(1_024) }
    }

    /// How long a reservation may be used. Capacity returns up to this and one minute late.
    static let reservationLife: Duration = .seconds(60)
    /// The smallest reservation, and the first one of an account.
    static let smallestReservation = 10
    /// How long a refusal is believed without asking the store again.
    static let refusalPatience: Duration = .seconds(1)
    /// How long a request waits for other nodes to give back before it is refused.
    private static let recallPatience: Duration = .milliseconds(100)
    private static let recallPause: Duration = .milliseconds(10)
    /// Bounds the waiting where a clock stands still.
    private static let mostRecallLooks = 10

    private let store: any BudgetStore
    private let allowances: AllowanceKeeper
    private let thread: StoreThread
    private let clocks: Clocks
    private let hasOtherNodes: @Sendable () async throws -> Bool
    private let state = Mutex(State())
    /// Under a lock of its own, which is held for an addition or an exchange: event loops take it.
    private let ahead = Mutex(Ahead())

    /// - Parameters:
    ///   - holder: names this process to the store, as the holder of allowances.
    ///   - isAlone: whether no other process serves from the store.
    ///   - hasOtherNodes: whether there is anyone to recall from.
    init(
        store: any BudgetStore, thread: StoreThread = StoreThread(), clocks: Clocks,
        holder: NodeID = .random(from: .system), isAlone: @escaping @Sendable () async throws -> Bool = { true },
        hasOtherNodes: @escaping @Sendable () async throws -> Bool
    ) {
        self.store = store
        allowances = AllowanceKeeper(store: store, clocks: clocks, holder: holder, isAlone: isAlone)
        self.thread = thread
        self.clocks = clocks
        self.hasOtherNodes = hasOtherNodes
    }

    /// Lets an account that holds no reservation use this process's allowance, without waiting for the disk. Blocks for
    /// as long as one read takes.
    ///
    /// - Returns: false when the store must be asked for a reservation.
    func useAllowance(for ledger: AccountLedger, limit: Int) -> Bool {
        // What is being recalled is answered with what the store said before: that would be written over.
        if state.withLock({ $0.recalling[ledger.userID] != nil }) { return false }
        guard let end = allowances.use(by: ledger, limit: limit) else { return false }
        watch(ledger, until: end)
        return true
    }

    /// Asks the store for more for this account, and resumes the waiter when it was asked.
    func reserve(for ledger: AccountLedger, limit: Int, waiter: StoreWait.Waiter<Void>) {
        ask(for: ledger, limit: limit, wantsUnits: true, waiter: waiter)
    }

    /// Asks the store how the account's hour stands, and reserves nothing.
    func look(at ledger: AccountLedger, limit: Int, waiter: StoreWait.Waiter<Void>) {
        ask(for: ledger, limit: limit, wantsUnits: false, waiter: waiter)
    }

    /// Notes that an account will have used up what is reserved for it soon. Called on the request path: it allocates
    /// nothing unless a thousand accounts come in a tenth of a second. The store is asked with the next
    /// ``reserveAhead()``, for all of them at once.
    func noteAhead(_ ledger: AccountLedger, limit: Int) {
        ahead.withLock { $0.accounts.append((ledger, limit)) }
    }

    /// Asks the store for more for the accounts that were noted. Nobody waits for it; who runs out before it is answered
    /// comes behind it and finds it there.
    ///
    /// - Returns: what asks.
    @discardableResult
    func reserveAhead() -> Task<Void, Never>? {
        if ahead.withLock({ $0.accounts.isEmpty }) { return nil }
        // Made before: the lock is held for an exchange.
        var noted = Ahead()
        ahead.withLock { swap(&$0, &noted) }
        let accounts = noted.accounts
        return state.withLock { state in
            for (ledger, limit) in accounts where state.recalling[ledger.userID] == nil {
                state.pending.append(
                    Pending(ledger: ledger, limit: limit, wantsUnits: true, isAhead: true, waiters: []))
            }
            beginWork(&state)
            return state.work
        }
    }

    private func beginWork(_ state: inout State) {
        if state.work == nil { state.work = Task(executorPreference: thread) { await self.work() } }
    }

    /// Reserves ahead, gives back what expires unused and keeps an allowance open, until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            // By itself: the others wait for a store that is locked.
            group.addTask {
                while !Task.isCancelled {
                    self.reserveAhead()
                    try? await Task.sleep(for: BackgroundWrites.interval)
                }
            }
            group.addTask {
                while !Task.isCancelled {
                    await self.keepAllowance()
                    await self.giveBackExpired()
                    try? await Task.sleep(for: BackgroundWrites.interval)
                }
            }
        }
    }

    /// Sees to it that there is an allowance to use, and that what was used is recorded.
    func keepAllowance() async { await allowances.keep() }

    /// Gives back what has expired unused.
    func giveBackExpired() async {
        let now = clocks.steady()
        let due = state.withLock { state in
            let ended = state.holders.keys.filter { $0 <= Self.interval(of: now) }
            return ended.flatMap { state.holders.removeValue(forKey: $0) ?? [] }
        }
        var requests: [BudgetRequest] = []
        for ledger in due {
            let (unused, watchUntil) = ledger.takeExpired(at: now)
            if !unused.isEmpty { requests.append(Self.request(toGiveBack: unused, of: ledger)) }
            if let watchUntil { state.withLock { $0.watch(ledger, until: watchUntil) } }
        }
        await giveBack(requests, isAwaited: false)
    }

    /// Records what was used, gives back all that is unused and closes the allowance.
    func stop() async {
        // What comes later than the giving back would stay charged.
        await state.withLock { $0.work }?.value
        await allowances.stop()
        await giveBackAll()
        // Again: what was under way the first time may have been recorded since.
        await allowances.stop()
    }

    private func giveBackAll() async {
        let holders = state.withLock { state in
            defer { state.holders = [:] }
            return state.holders.values.flatMap { $0 }
        }
        await giveBackUnused(of: holders)
    }

    /// Gives back what other nodes have asked for since this was called last.
    func answerRecalls() async {
        guard state.withLock({ !$0.holders.isEmpty }), let shown = try? await store.recalls(now: clocks.wall()) else {
            return
        }
        let due = state.withLock { state -> [AccountLedger] in
            let users = Set(Set(shown).subtracting(state.answered).map(\.userID))
            state.answered = Set(shown)
            if users.isEmpty { return [] }
            return state.holders.values.joined().filter { users.contains($0.userID) }
        }
        await giveBackUnused(of: due)
    }

    private func giveBackUnused(of ledgers: [AccountLedger]) async {
        await giveBack(
            ledgers.compactMap { ledger in
                let unused = ledger.withLease { $0.withdraw() }
                return unused.isEmpty ? nil : Self.request(toGiveBack: unused, of: ledger)
            }, isAwaited: true)
    }

    private func giveBack(_ requests: [BudgetRequest], isAwaited: Bool) async {
        for batch in BackgroundWrites.batches(requests, isAwaited: isAwaited) {
            // What cannot be given back stays charged until its bucket frees: late, never too much.
            _ = try? await allowances.reserve(Array(batch))
        }
    }

    private static func request(toGiveBack unused: [BudgetLease.Unused], of ledger: AccountLedger) -> BudgetRequest {
        BudgetRequest(userID: ledger.userID, unused: unused, wanted: 0, limit: 0, life: reservationLife)
    }

    private static func interval(of time: SteadyTime) -> Int64 {
        time.nanoseconds / BackgroundWrites.interval.wholeNanoseconds
    }

    private func ask(for ledger: AccountLedger, limit: Int, wantsUnits: Bool, waiter: Waiter) {
        state.withLock { state in
            if wantsUnits, state.recalling[ledger.userID] != nil {
                state.recalling[ledger.userID]?.append(waiter)
                return
            }
            let same = state.pending.firstIndex {
                $0.ledger === ledger && $0.limit == limit && $0.wantsUnits == wantsUnits
            }
            if let same {
                state.pending[same].isAhead = false
                state.pending[same].waiters.append(waiter)
            } else {
                state.pending.append(
                    Pending(ledger: ledger, limit: limit, wantsUnits: wantsUnits, waiters: [waiter]))
            }
            beginWork(&state)
        }
    }

    private func work() async {
        while true {
            let batch = state.withLock { state -> [Pending] in
                if state.pending.isEmpty { state.work = nil }
                defer { state.pending = [] }
                return state.pending
            }
            if batch.isEmpty { return }
            await fetch(batch)
        }
    }

    private func fetch(_ batch: [Pending]) async {
        let askedAt = clocks.steady()
        var seen: Set<ObjectIdentifier> = []
        // One request an account and batch: a second one of the same account is decided anew by its caller.
        let asked = batch.compactMap { pending in
            let isNew = seen.insert(ObjectIdentifier(pending.ledger)).inserted
            return isNew ? ask(for: pending, at: askedAt) : nil
        }
        do {
            let answers = try await allowances.reserve(asked.map(\.request))
            var refused: [Refused] = []
            for (asked, answer) in zip(asked, answers) {
                if asked.isAhead {
                    takeAhead(answer, for: asked.pending.ledger, askedAt: askedAt)
                } else if asked.request.wanted > 0, answer.granted == 0, answer.mayBeUnspent {
                    refused.append(
                        Refused(pending: asked.pending, request: asked.request, answer: answer, askedAt: askedAt))
                } else {
                    take(answer, for: asked.pending.ledger, asked.request, askedAt: askedAt)
                }
            }
            recall(refused)
            for pending in batch where !refused.contains(where: { $0.pending.isSame(as: pending) }) {
                resume(pending.waiters)
            }
        } catch {
            for pending in batch { resume(pending.waiters, throwing: error) }
        }
    }

    /// What the store is to be asked; nil where there is nothing to ask by now.
    private func ask(for pending: Pending, at now: SteadyTime) -> Asked? {
        let isNeeded = pending.ledger.withLease {
            $0.needsStore(limit: pending.limit, wantsUnits: pending.wantsUnits, now: now)
        }
        if !pending.isAhead {
            return isNeeded ? Asked(pending: pending, request: request(for: pending, at: now), isAhead: false) : nil
        }
        let wanted = pending.ledger.withLease {
            $0.aheadReservation(
                limit: pending.limit, smallest: Self.smallestReservation, life: Self.reservationLife, now: now)
        }
        // Who has run out meanwhile asks itself, and waits for it.
        if isNeeded || wanted == 0 { return nil }
        let request = BudgetRequest(
            userID: pending.ledger.userID, wanted: wanted, limit: pending.limit, life: Self.reservationLife,
            leavesRoom: true)
        return Asked(pending: pending, request: request, isAhead: true)
    }

    private func request(for pending: Pending, at now: SteadyTime) -> BudgetRequest {
        pending.ledger.withLease { lease in
            let wanted =
                pending.wantsUnits
                ? lease.nextReservation(limit: pending.limit, smallest: Self.smallestReservation, now: now) : 0
            return BudgetRequest(
                userID: pending.ledger.userID, unused: wanted > 0 ? lease.withdraw() : [], wanted: wanted,
                limit: pending.limit, life: Self.reservationLife, leavesRoom: true)
        }
    }

    private func take(_ answer: Reservation, for ledger: AccountLedger, _ request: BudgetRequest, askedAt: SteadyTime) {
        let now = clocks.steady()
        ledger.withLease {
            $0.accept(
                answer, wanted: request.wanted, limit: request.limit, askedAt: askedAt, life: request.life, now: now,
                patience: Self.refusalPatience)
        }
        if answer.granted > 0 { watch(ledger, until: askedAt.advanced(by: Self.reservationLife)) }
    }

    private func takeAhead(_ answer: Reservation, for ledger: AccountLedger, askedAt: SteadyTime) {
        let now = clocks.steady()
        ledger.withLease { $0.acceptAhead(answer, askedAt: askedAt, life: Self.reservationLife, now: now) }
        if answer.granted > 0 { watch(ledger, until: askedAt.advanced(by: Self.reservationLife)) }
    }

    private func watch(_ ledger: AccountLedger, until end: SteadyTime) {
        if ledger.beginWatching() { state.withLock { $0.watch(ledger, until: end) } }
    }

    private func resume(_ waiters: [Waiter], throwing error: (any Error)? = nil) {
        for waiter in waiters {
            waiter.resume(with: error.map { .failure($0) } ?? .success(()))
        }
    }
}

extension BudgetOffice {
    /// Asks other nodes to give back, and looks for it for a moment, before accounts are refused. Batches of other
    /// accounts go on meanwhile.
    private func recall(_ refused: [Refused]) {
        let begun = state.withLock { state in
            refused.filter { one in
                let user = one.pending.ledger.userID
                defer { state.recalling[user, default: []] += one.pending.waiters }
                return state.recalling[user] == nil
            }
        }
        if !begun.isEmpty { Task { await lookForReturns(begun) } }
    }

    private func lookForReturns(_ refused: [Refused]) async {
        var left = refused.map(\.pending)
        do {
            guard try await hasOtherNodes() else {
                for one in refused { take(one.answer, for: one.pending.ledger, one.request, askedAt: one.askedAt) }
                return end(left)
            }
            try await store.postRecalls(of: left.map(\.ledger.userID), now: clocks.wall())
            let deadline = clocks.steady().advanced(by: Self.recallPatience)
            for look in 1...Self.mostRecallLooks where !left.isEmpty {
                try await Task.sleep(for: Self.recallPause)
                let isLast = look == Self.mostRecallLooks || clocks.steady() >= deadline
                left = try await askAgain(left, isLast: isLast)
            }
        } catch {
            end(left, throwing: error)
        }
    }

    /// - Returns: those that got nothing and for whom it is worth looking again.
    private func askAgain(_ pendings: [Pending], isLast: Bool) async throws -> [Pending] {
        let askedAt = clocks.steady()
        let requests = pendings.map { request(for: $0, at: askedAt) }
        let answers = try await allowances.reserve(requests)
        var left: [Pending] = []
        for (pending, (request, answer)) in zip(pendings, zip(requests, answers)) {
            if answer.granted == 0, answer.mayBeUnspent, !isLast {
                left.append(pending)
            } else {
                take(answer, for: pending.ledger, request, askedAt: askedAt)
                end([pending])
            }
        }
        return left
    }

    /// Lets those who waited for these accounts decide anew.
    private func end(_ pendings: [Pending], throwing error: (any Error)? = nil) {
        for pending in pendings {
            let waiters = state.withLock { $0.recalling.removeValue(forKey: pending.ledger.userID) }
            resume(waiters ?? [], throwing: error)
        }
    }
}
