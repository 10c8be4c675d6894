/// What one process may admit for one account without asking the store: the node's side of the rate limit.
///
/// It consumes only what the store reserved for it before, and only until the reservation expires by this process's own
/// steady clock, counted from BEFORE the store was asked. A slow response therefore shortens how long the units can be
/// used here; they stay charged as long as before. Pure and synchronous: the caller holds the lock.
package struct LocalQuota: Sendable, Equatable {
    /// What a request may do.
    package enum Decision: Sendable, Equatable {
        /// It was admitted and counted.
        case admitted(RateLimitStatus)
        /// Nothing is reserved that it may use: ask the store, then decide again.
        case needsReservation
        /// The quota is used up; nothing was counted.
        case exhausted(RateLimitStatus)
    }

    /// Unused requests that must be released to the store, with the bucket they were charged to.
    package struct Unused: Sendable, Equatable {
        /// How many.
        package var count: Int
        /// Their bucket, in minutes since the Unix epoch.
        package var minute: Int64

        /// Puts both together.
        package init(count: Int, minute: Int64) {
            self.count = count
            self.minute = minute
        }
    }

    /// The smallest reservation, the first one of an account, and the smallest that is worth prefetching.
    package static let smallestReservation = 10
    /// How long a reservation may be used. Quota becomes available again up to this and one minute late.
    static let reservationLife: Duration = .seconds(60)
    /// How long a refusal is believed without asking the store again.
    static let refusalPatience: Duration = .seconds(1)

    /// Reserved and not yet used, without what is prefetched.
    package private(set) var available = 0
    /// Used when ``available`` is used up or has expired.
    private var prefetched: (available: Int, minute: Int64, usableUntil: SteadyTime) = (0, 0, .distantPast)
    private var usableUntil = SteadyTime.distantPast
    /// All that the store counts, ``available`` included, less what has been reset since.
    private var charged = 0
    /// What is charged once all of ``available`` is used. A request with a lower limit must not use these units.
    private var ceiling = 0
    private var minute: Int64 = 0
    private var resets: [(at: SteadyTime, count: Int)] = []
    private var nextReset = 0
    /// When the next of them is reset; nil when none is. Kept here so that a hit does not read `resets`: with many
    /// accounts each further cache line is a cache miss.
    private var nextResetAt: SteadyTime?
    /// Until then the store need not be asked again by requests with at most ``refusedLimit``.
    private var refusedUntil = SteadyTime.distantPast
    private var refusedLimit = 0
    private var isKnown = false
    private var lastGrant = 0
    private var usedSince = SteadyTime.distantPast
    /// What had expired when ``prefetched`` took its place.
    private var leftover: Unused?
    /// The limit with which the store was asked last; 0 before.
    private var askedLimit = 0

    /// Quota that holds nothing yet.
    package init() {}

    package static func == (left: LocalQuota, right: LocalQuota) -> Bool {
        left.available == right.available && left.minute == right.minute && left.usableUntil == right.usableUntil
            && left.charged == right.charged && left.ceiling == right.ceiling && left.prefetched == right.prefetched
            && left.leftover == right.leftover
    }

    /// Decides one request and counts it when admitted. Allocates nothing.
    ///
    /// - Parameter wall: the time of day at `now`, for the status.
    package mutating func consume(limit: Int, now: SteadyTime, wall: Timestamp) -> Decision {
        advance(to: now)
        if available == 0 || now >= usableUntil { switchToPrefetched(at: now) }
        if available > 0, now < usableUntil, ceiling <= limit {
            available -= 1
            return .admitted(status(limit: limit, now: now, wall: wall))
        }
        // No store grants any of none.
        if limit <= 0 { return .exhausted(status(limit: 0, now: now, wall: wall)) }
        if now < refusedUntil, limit <= refusedLimit { return .exhausted(status(limit: limit, now: now, wall: wall)) }
        return .needsReservation
    }

    /// How the window stands, without counting anything; nil before the store was ever asked.
    ///
    /// - Parameter wall: the time of day at `now`.
    package mutating func peek(limit: Int, now: SteadyTime, wall: Timestamp) -> RateLimitStatus? {
        guard isKnown else { return nil }
        advance(to: now)
        return status(limit: limit, now: now, wall: wall)
    }

    /// How much of which limit is used, as this node knows it: what others have reserved counts as used.
    package func used() -> (count: Int, limit: Int) { (charged - available - prefetched.available, askedLimit) }

    /// Takes out what is not used, to release it: after this it can no longer be used here.
    package mutating func withdraw() -> [Unused] { withdraw { _ in true } }

    /// Takes out what has expired unused, to release it.
    package mutating func withdrawExpired(at now: SteadyTime) -> [Unused] { withdraw { now >= $0 } }

    private mutating func withdraw(where isDue: (_ usableUntil: SteadyTime) -> Bool) -> [Unused] {
        var unused: [Unused] = []
        if let leftover { unused.append(leftover) }
        leftover = nil
        if available > 0, isDue(usableUntil) {
            unused.append(Unused(count: available, minute: minute))
            charged -= available
            available = 0
        }
        if prefetched.available > 0, isDue(prefetched.usableUntil) {
            unused.append(Unused(count: prefetched.available, minute: prefetched.minute))
            charged -= prefetched.available
            prefetched.available = 0
        }
        return unused
    }

    /// When the first of what is reserved here expires; nil when nothing is.
    package var nextExpiry: SteadyTime? {
        let ends = [available > 0 ? usableUntil : nil, prefetched.available > 0 ? prefetched.usableUntil : nil]
        return ends.compactMap { $0 }.min()
    }

    /// Whether nothing is lost when this quota is dropped.
    package func isIdle(at now: SteadyTime) -> Bool {
        available == 0 && now >= usableUntil && prefetched.available == 0 && leftover == nil
    }

    /// Whether more is to be prefetched after the request that was just admitted, so that none has to wait: with half
    /// of a reservation left there is time. True once in a reservation. After a grant below ``smallestReservation``
    /// nothing is prefetched, so that near the limit no node holds units that another node needs.
    package var shouldPrefetch: Bool { available == lastGrant / 2 && lastGrant >= Self.smallestReservation }

    /// How many to prefetch: what will be used within a reservation's life if it goes on as it did, never more than
    /// twice the last grant, and with what is reserved already never more than a tenth of the limit. 0 when that is not
    /// worth a write.
    ///
    /// - Parameters:
    ///   - life: a reservation's.
    package func prefetchSize(limit: Int, smallest: Int, life: Duration, now: SteadyTime) -> Int {
        guard available > 0, prefetched.available == 0, now < usableUntil else { return 0 }
        let elapsed = max(1_000_000, usedSince.duration(to: now).wholeNanoseconds)
        // Less than a life's: what is left over at its end costs another write.
        let expected = Double(lastGrant - available) * Double(life.wholeNanoseconds / 6 * 5) / Double(elapsed)
        let most = min(lastGrant * 2, max(smallest, limit / 10) - available)
        let useful = expected - Double(available)
        let wanted = useful < Double(most) ? Int(useful) : most
        return wanted < smallest ? 0 : wanted
    }

    /// Whether the store must be asked before a request with this limit can be decided or shown.
    package func needsStore(limit: Int, wantsUnits: Bool, now: SteadyTime) -> Bool {
        guard wantsUnits else { return !isKnown }
        let holdsUsable =
            (available > 0 && now < usableUntil) || (prefetched.available > 0 && now < prefetched.usableUntil)
        let canConsume = holdsUsable && ceiling <= limit
        let isRefused = now < refusedUntil && limit <= refusedLimit
        return !canConsume && !isRefused
    }

    /// How many to reserve next: twice the last grant when it was used up in its life, else a small start; never more
    /// than a tenth of the limit, which is the most that a crash can lose until the charge expires.
    package func nextReservation(limit: Int, smallest: Int, now: SteadyTime) -> Int {
        let largest = max(smallest, limit / 10)
        guard now < usableUntil, available == 0 else { return min(smallest, largest) }
        return min(largest, max(smallest, lastGrant * 2))
    }

    /// Takes in a response of the store. What was held before was withdrawn by the caller.
    ///
    /// - Parameters:
    ///   - reservation: the response.
    ///   - wanted: how many were requested; 0 was only a look.
    ///   - limit: the limit that was requested with.
    ///   - requestedAt: a reading from before the store was asked: the reservation's life counts from here.
    ///   - life: the life that was requested.
    ///   - now: a reading after the response came.
    ///   - patience: how long a refusal is believed at most, because other nodes may release quota.
    package mutating func accept(
        _ reservation: Reservation, wanted: Int, limit: Int, requestedAt: SteadyTime, life: Duration, now: SteadyTime,
        patience: Duration
    ) {
        // A look is ignored once the quota is known: it may have been sent before the last reservation arrived.
        if wanted == 0, isKnown { return }
        learn(from: reservation, now: now)
        askedLimit = limit
        guard wanted > 0 else { return }
        available = reservation.granted
        lastGrant = reservation.granted
        usedSince = requestedAt
        minute = reservation.minute
        usableUntil = requestedAt.advanced(by: life)
        ceiling = reservation.charged
        if reservation.granted == 0 {
            let soonest = resets.first?.at ?? now
            refusedUntil = min(soonest, now.advanced(by: patience))
            refusedLimit = limit
        } else {
            refusedUntil = .distantPast
        }
    }

    /// Takes in what was prefetched.
    ///
    /// - Parameters:
    ///   - reservation: the response.
    ///   - requestedAt: a reading from before the store was asked: the reservation's life counts from here.
    ///   - life: the life that was requested.
    ///   - now: a reading after the response came.
    package mutating func acceptPrefetched(
        _ reservation: Reservation, requestedAt: SteadyTime, life: Duration, now: SteadyTime
    ) {
        learn(from: reservation, now: now)
        guard reservation.granted > 0 else { return }
        prefetched = (reservation.granted, reservation.minute, requestedAt.advanced(by: life))
        ceiling = reservation.charged
    }

    /// - Parameter now: a reading after the response came: resets count from here, so they are never early.
    private mutating func learn(from reservation: Reservation, now: SteadyTime) {
        isKnown = true
        charged = reservation.charged - (leftover?.count ?? 0)
        resets = reservation.resets.map { (now.advanced(by: $0.after), $0.count) }
        skipResets(to: 0)
    }

    private mutating func switchToPrefetched(at now: SteadyTime) {
        guard prefetched.available > 0, now < prefetched.usableUntil else { return }
        if available > 0 {
            // One that is not taken out stays charged until its bucket frees: late, never too much.
            leftover = Unused(count: available, minute: minute)
            charged -= available
        }
        (available, minute, usableUntil) = prefetched
        prefetched.available = 0
        lastGrant = available
        usedSince = now
    }

    private mutating func advance(to now: SteadyTime) {
        while let at = nextResetAt, at <= now {
            charged = max(available + prefetched.available, charged - resets[nextReset].count)
            skipResets(to: nextReset + 1)
        }
    }

    private mutating func skipResets(to index: Int) {
        nextReset = index
        nextResetAt = index < resets.count ? resets[index].at : nil
    }

    private func status(limit: Int, now: SteadyTime, wall: Timestamp) -> RateLimitStatus {
        // Waiting gives nothing where nothing is allowed: come back in an hour and see whether that was changed.
        let soonest = limit > 0 ? nextResetAt ?? now : now.advanced(by: .seconds(3_600))
        return RateLimitStatus(
            limit: limit,
            remaining: max(0, limit - (charged - available - prefetched.available)),
            nanosecondsUntilReset: max(0, soonest.nanoseconds - now.nanoseconds), reckonedAt: wall)
    }
}
