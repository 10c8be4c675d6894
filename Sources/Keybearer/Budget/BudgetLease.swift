/// What one process may admit for one account without asking the store: the node's side of the budget.
///
/// It spends only what the store reserved for it before, and only until the reservation expires by this process's own
/// steady clock, counted from BEFORE the store was asked. A slow answer therefore shortens the use, never the charge.
/// Pure and synchronous: the caller holds the lock.
public struct BudgetLease: Sendable, Equatable {
    /// What a request may do.
    public enum Decision: Sendable, Equatable {
        /// It was admitted and counted.
        case admitted(BudgetStatus)
        /// Nothing is reserved that it may use: ask the store, then decide again.
        case needsReservation
        /// The hour is used up; nothing was counted.
        case exhausted(BudgetStatus)
    }

    /// Unused units that must go back to the store, with the bucket they were charged to.
    public struct Unused: Sendable, Equatable {
        /// How many.
        public var count: Int
        /// Their bucket, in minutes since the Unix epoch.
        public var minute: Int64

        /// Puts both together.
        public init(count: Int, minute: Int64) {
            self.count = count
            self.minute = minute
        }
    }

    /// Reserved and not yet used.
    public private(set) var available = 0
    private var minute: Int64 = 0
    private var usableUntil = SteadyTime.distantPast
    /// All that the store counts, ``available`` included, less what has come back since.
    private var charged = 0
    /// The most that is charged if all of ``available`` is used. A request whose own limit is lower may not use it.
    private var ceiling = 0
    private var returns: [(at: SteadyTime, count: Int)] = []
    private var nextReturn = 0
    /// When the next of them comes back; nil when none does. Here as well, so that a hit reads no other memory: with
    /// many accounts every place that is read is waited for.
    private var nextReturnAt: SteadyTime?
    /// Until then the store need not be asked again by requests with at most ``refusedLimit``.
    private var refusedUntil = SteadyTime.distantPast
    private var refusedLimit = 0
    private var isKnown = false
    private var lastGrant = 0

    /// A lease that holds nothing yet.
    public init() {}

    public static func == (left: BudgetLease, right: BudgetLease) -> Bool {
        left.available == right.available && left.minute == right.minute && left.usableUntil == right.usableUntil
            && left.charged == right.charged && left.ceiling == right.ceiling
    }

    /// Decides one request and counts it when admitted. Allocates nothing.
    public mutating func spend(limit: Int, now: SteadyTime) -> Decision {
        advance(to: now)
        if available > 0, now < usableUntil, ceiling <= limit {
            available -= 1
            return .admitted(status(limit: limit, now: now))
        }
        if now < refusedUntil, limit <= refusedLimit { return .exhausted(status(limit: limit, now: now)) }
        return .needsReservation
    }

    /// The state of the hour without counting anything; nil before the store was ever asked.
    public mutating func peek(limit: Int, now: SteadyTime) -> BudgetStatus? {
        guard isKnown else { return nil }
        advance(to: now)
        return status(limit: limit, now: now)
    }

    /// Takes out what is not used, to give it back: after this it can no longer be used here.
    public mutating func withdraw() -> Unused? {
        guard available > 0 else { return nil }
        defer {
            charged -= available
            available = 0
        }
        return Unused(count: available, minute: minute)
    }

    /// Whether something is reserved here that has expired and should go back.
    public func holdsExpired(at now: SteadyTime) -> Bool { available > 0 && now >= usableUntil }

    /// Whether nothing is lost when this lease is forgotten.
    public func isIdle(at now: SteadyTime) -> Bool { available == 0 && now >= usableUntil }

    /// Whether the store must be asked before a request with this limit can be decided or shown.
    public func needsStore(limit: Int, wantsUnits: Bool, now: SteadyTime) -> Bool {
        guard wantsUnits else { return !isKnown }
        let canSpend = available > 0 && now < usableUntil && ceiling <= limit
        let isRefused = now < refusedUntil && limit <= refusedLimit
        return !canSpend && !isRefused
    }

    /// How many to reserve next: twice the last grant when it was used up in its life, else a small start; never more
    /// than a tenth of the limit, which is the most that a crash can lose for an hour.
    public func nextReservation(limit: Int, smallest: Int, now: SteadyTime) -> Int {
        let largest = max(smallest, limit / 10)
        guard now < usableUntil, available == 0 else { return min(smallest, largest) }
        return min(largest, max(smallest, lastGrant * 2))
    }

    /// Takes in an answer of the store. What was held before was withdrawn by the caller.
    ///
    /// - Parameters:
    ///   - reservation: the answer.
    ///   - wanted: how many were asked for; 0 was only a look.
    ///   - limit: the limit that was asked with.
    ///   - askedAt: a reading from before the store was asked: the reservation's life counts from here.
    ///   - life: the life that was asked for.
    ///   - now: a reading after the answer came: returns count from here, so they are never early.
    ///   - patience: how long a refusal is believed at most, for capacity may come back from elsewhere.
    public mutating func accept(
        _ reservation: Reservation, wanted: Int, limit: Int, askedAt: SteadyTime, life: Duration, now: SteadyTime,
        patience: Duration
    ) {
        isKnown = true
        charged = reservation.charged
        returns = reservation.returns.map { (now.advanced(by: $0.after), $0.count) }
        skipReturns(to: 0)
        guard wanted > 0 else { return }
        available = reservation.granted
        lastGrant = reservation.granted
        minute = reservation.minute
        usableUntil = askedAt.advanced(by: life)
        ceiling = reservation.charged
        if reservation.granted == 0 {
            let soonest = returns.first?.at ?? now
            refusedUntil = min(soonest, now.advanced(by: patience))
            refusedLimit = limit
        } else {
            refusedUntil = .distantPast
        }
    }

    private mutating func advance(to now: SteadyTime) {
        while let at = nextReturnAt, at <= now {
            charged = max(available, charged - returns[nextReturn].count)
            skipReturns(to: nextReturn + 1)
        }
    }

    private mutating func skipReturns(to index: Int) {
        nextReturn = index
        nextReturnAt = index < returns.count ? returns[index].at : nil
    }

    private func status(limit: Int, now: SteadyTime) -> BudgetStatus {
        let soonest = nextReturnAt ?? now
        return BudgetStatus(
            limit: limit,
            remaining: max(0, limit - (charged - available)),
            nanosecondsUntilReturn: max(0, soonest.nanoseconds - now.nanoseconds))
    }
}

/// How an account stands in its hour, as headers and pages tell it.
public struct BudgetStatus: Sendable, Equatable {
    /// Requests allowed in any 60 minutes.
    public let limit: Int
    /// How many of them are left; never more than really are.
    public let remaining: Int
    /// Nanoseconds until the next of the used ones come back: a span made on every request, so without the 128 bits of
    /// ``returnsAfter``.
    private let nanosecondsUntilReturn: Int64
    /// How long until the next of the used ones come back; zero when none is used.
    public var returnsAfter: Duration { .nanoseconds(nanosecondsUntilReturn) }

    /// Whole seconds until the next of the used ones come back, rounded up: where something is used, at least one.
    public var secondsUntilReturn: Int64 {
        max(remaining < limit ? 1 : 0, (nanosecondsUntilReturn + 999_999_999) / 1_000_000_000)
    }

    /// Puts a status together.
    public init(limit: Int, remaining: Int, returnsAfter: Duration) {
        self.init(limit: limit, remaining: remaining, nanosecondsUntilReturn: returnsAfter.wholeNanoseconds)
    }

    init(limit: Int, remaining: Int, nanosecondsUntilReturn: Int64) {
        self.limit = limit
        self.remaining = remaining
        self.nanosecondsUntilReturn = nanosecondsUntilReturn
    }
}
