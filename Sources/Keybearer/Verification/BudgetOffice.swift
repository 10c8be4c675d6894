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
        var waiters: [CheckedContinuation<Void, any Error>]
    }

    private struct State {
        var pending: [Pending] = []
        var isAtStore = false
        /// Ledgers that hold reservations, to be looked through for expired ones.
        var holders: [ObjectIdentifier: AccountLedger] = [:]
    }

    /// How long a reservation may be used. Capacity returns up to this and one minute late.
    static let reservationLife: Duration = .seconds(60)
    /// The smallest reservation, and the first one of an account.
    static let smallestReservation = 10
    /// How long a refusal is believed without asking the store again.
    static let refusalPatience: Duration = .seconds(1)

    private let store: any BudgetStore
    private let clocks: Clocks
    private let state = Mutex(State())

    init(store: any BudgetStore, clocks: Clocks) {
        self.store = store
        self.clocks = clocks
    }

    /// Waits until the store was asked for more for this account.
    func reserve(for ledger: AccountLedger, limit: Int) async throws {
        try await ask(for: ledger, limit: limit, wantsUnits: true)
    }

    /// Waits until the store has said how the account's hour stands; reserves nothing.
    func look(at ledger: AccountLedger, limit: Int) async throws {
        try await ask(for: ledger, limit: limit, wantsUnits: false)
    }

    /// Gives back what has expired unused.
    func giveBackExpired() async {
        let now = clocks.steady()
        await giveBack { $0.holdsExpired(at: now) }
    }

    /// Gives back all that is unused: at a stop.
    func giveBackAll() async {
        await giveBack { $0.available > 0 }
    }

    private func giveBack(where isDue: @Sendable (borrowing BudgetLease) -> Bool) async {
        let holders = state.withLock { Array($0.holders.values) }
        let due = holders.filter { holder in holder.withLease { isDue($0) } }
        let requests = due.compactMap { ledger -> BudgetRequest? in
            guard let unused = ledger.withLease({ $0.withdraw() }) else { return nil }
            return BudgetRequest(
                userID: ledger.userID, unused: unused, wanted: 0, limit: 0, life: Self.reservationLife)
        }
        let now = clocks.steady()
        state.withLock { state in
            for holder in holders where holder.withLease({ $0.isIdle(at: now) }) {
                state.holders[ObjectIdentifier(holder)] = nil
            }
        }
        // What cannot be given back stays charged until its bucket frees: late, never too much.
        if !requests.isEmpty { _ = try? await store.reserve(requests, now: clocks.wall()) }
    }

    private func ask(for ledger: AccountLedger, limit: Int, wantsUnits: Bool) async throws {
        try await withCheckedThrowingContinuation { (waiter: CheckedContinuation<Void, any Error>) in
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
            if mustStart { Task { await self.work() } }
        }
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
            for pending in batch { for waiter in pending.waiters { waiter.resume() } }
        } catch {
            for pending in batch { for waiter in pending.waiters { waiter.resume(throwing: error) } }
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
        state.withLock { state in
            for (answer, (ledger, _)) in zip(answers, requests) where answer.granted > 0 {
                state.holders[ObjectIdentifier(ledger)] = ledger
            }
        }
    }
}
