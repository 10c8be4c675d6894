import Logging
import Synchronization

/// Fetches reservations for the accounts of this process, many of them in one transaction.
///
/// While one batch is at the store, what others ask for gathers for the next. An account that waits in the queue is
/// asked for once, however many of its requests wait.
final class BudgetOffice: Sendable {
    private struct Pending {
        let ledger: AccountLedger
        let limit: Int
        let wantsUnits: Bool
        var waiters: [StoreWait.Waiter<Void>]
    }

    private struct State {
        var pending: [Pending] = []
        var isAtStore = false
        /// Ledgers that hold reservations, by the second in which these end: so that only those that end are looked at.
        var holders: [Int64: [AccountLedger]] = [:]

        mutating func watch(_ ledger: AccountLedger, until end: SteadyTime) {
            holders[BudgetOffice.second(of: end), default: []].append(ledger)
        }
    }

    /// How long a reservation may be used. Capacity returns up to this and one minute late.
    static let reservationLife: Duration = .seconds(60)
    /// The smallest reservation, and the first one of an account.
    static let smallestReservation = 10
    /// How long a refusal is believed without asking the store again.
    static let refusalPatience: Duration = .seconds(1)
    /// How many accounts give back in one transaction: a reservation that somebody waits for comes behind it.
    static let givenBackAtOnce = 64

    private let store: any BudgetStore
    private let thread: StoreThread
    private let clocks: Clocks
    private let state = Mutex(State())

    init(store: any BudgetStore, thread: StoreThread = StoreThread(), clocks: Clocks) {
        self.store = store
        self.thread = thread
        self.clocks = clocks
    }

    /// Asks the store for more for this account, and resumes the waiter when it was asked.
    func reserve(for ledger: AccountLedger, limit: Int, waiter: StoreWait.Waiter<Void>) {
        ask(for: ledger, limit: limit, wantsUnits: true, waiter: waiter)
    }

    /// Asks the store how the account's hour stands, and reserves nothing.
    func look(at ledger: AccountLedger, limit: Int, waiter: StoreWait.Waiter<Void>) {
        ask(for: ledger, limit: limit, wantsUnits: false, waiter: waiter)
    }

    /// Gives back what has expired unused.
    func giveBackExpired() async {
        let now = clocks.steady()
        let due = state.withLock { state in
            let seconds = state.holders.keys.filter { $0 <= Self.second(of: now) }
            return seconds.flatMap { state.holders.removeValue(forKey: $0) ?? [] }
        }
        var requests: [BudgetRequest] = []
        for ledger in due {
            let (unused, watchUntil) = ledger.takeExpired(at: now)
            if let unused { requests.append(Self.request(toGiveBack: unused, of: ledger)) }
            if let watchUntil { state.withLock { $0.watch(ledger, until: watchUntil) } }
        }
        await giveBack(requests)
    }

    /// Gives back all that is unused: at a stop.
    func giveBackAll() async {
        let holders = state.withLock { state in
            defer { state.holders = [:] }
            return state.holders.values.flatMap { $0 }
        }
        await giveBack(
            holders.compactMap { ledger in
                ledger.withLease { $0.withdraw() }.map { Self.request(toGiveBack: $0, of: ledger) }
            })
    }

    private func giveBack(_ requests: [BudgetRequest]) async {
        for start in stride(from: 0, to: requests.count, by: Self.givenBackAtOnce) {
            let part = Array(requests[start..<min(start + Self.givenBackAtOnce, requests.count)])
            // What cannot be given back stays charged until its bucket frees: late, never too much.
            _ = try? await store.reserve(part, now: clocks.wall())
        }
    }

    private static func request(toGiveBack unused: BudgetLease.Unused, of ledger: AccountLedger) -> BudgetRequest {
        BudgetRequest(userID: ledger.userID, unused: unused, wanted: 0, limit: 0, life: reservationLife)
    }

    private static func second(of time: SteadyTime) -> Int64 { time.nanoseconds / 1_000_000_000 }

    private func ask(for ledger: AccountLedger, limit: Int, wantsUnits: Bool, waiter: StoreWait.Waiter<Void>) {
        let mustStart = state.withLock { state in
            let same = state.pending.firstIndex {
                $0.ledger === ledger && $0.limit == limit && $0.wantsUnits == wantsUnits
            }
            if let same {
                state.pending[same].waiters.append(waiter)
            } else {
                state.pending.append(
                    Pending(ledger: ledger, limit: limit, wantsUnits: wantsUnits, waiters: [waiter]))
            }
            defer { state.isAtStore = true }
            return !state.isAtStore
        }
        if mustStart { Task(executorPreference: thread) { await self.work() } }
    }

    private func work() async {
        while true {
            let batch = state.withLock { state -> [Pending] in
                if state.pending.isEmpty { state.isAtStore = false }
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
        let asked = batch.filter { pending in
            let isNew = seen.insert(ObjectIdentifier(pending.ledger)).inserted
            return isNew
                && pending.ledger.withLease {
                    $0.needsStore(limit: pending.limit, wantsUnits: pending.wantsUnits, now: askedAt)
                }
        }
        let requests = asked.map { pending in
            pending.ledger.withLease { lease in
                let wanted =
                    pending.wantsUnits
                    ? lease.nextReservation(limit: pending.limit, smallest: Self.smallestReservation, now: askedAt) : 0
                return BudgetRequest(
                    userID: pending.ledger.userID, unused: wanted > 0 ? lease.withdraw() : nil, wanted: wanted,
                    limit: pending.limit, life: Self.reservationLife)
            }
        }
        do {
            if !requests.isEmpty {
                let answers = try await store.reserve(requests, now: clocks.wall())
                take(answers, for: zip(asked, requests).map { ($0.ledger, $1) }, askedAt: askedAt)
            }
            for pending in batch { for waiter in pending.waiters { waiter.resume(with: .success(())) } }
        } catch {
            for pending in batch { for waiter in pending.waiters { waiter.resume(with: .failure(error)) } }
        }
    }

    private func take(
        _ answers: [Reservation], for requests: [(AccountLedger, BudgetRequest)], askedAt: SteadyTime
    ) {
        let now = clocks.steady()
        for (answer, (ledger, request)) in zip(answers, requests) {
            ledger.withLease {
                $0.accept(
                    answer, wanted: request.wanted, limit: request.limit, askedAt: askedAt, life: request.life,
                    now: now, patience: Self.refusalPatience)
            }
        }
        let end = askedAt.advanced(by: Self.reservationLife)
        for (answer, (ledger, _)) in zip(answers, requests) where answer.granted > 0 && ledger.watch(until: end) {
            state.withLock { $0.watch(ledger, until: end) }
        }
    }
}
