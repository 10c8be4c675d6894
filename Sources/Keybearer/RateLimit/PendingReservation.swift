/// An account that the store is to be asked for, and who waits for the answer.
struct PendingReservation {
    let accountState: AccountState
    let limit: Int
    /// Whether something is to be reserved, or only looked how the hour stands.
    let wantsUnits: Bool
    /// Whether it is asked before anybody waits.
    var isPrefetch = false
    var waiters: [Timeout.Waiter<Void>]

    func isSame(as other: PendingReservation) -> Bool {
        accountState === other.accountState && limit == other.limit && wantsUnits == other.wantsUnits
    }

    /// What the store is to be asked; nil where there is nothing to ask by now.
    func request(at now: SteadyTime) -> QuotaRequest? {
        let isNeeded = accountState.withQuota { $0.needsStore(limit: limit, wantsUnits: wantsUnits, now: now) }
        // Who has run out meanwhile asks itself, and waits for it.
        if isPrefetch { return isNeeded ? nil : prefetchRequest(at: now) }
        return isNeeded ? requestNow(at: now) : nil
    }

    /// What is asked because somebody waits: what is left of the last reservation goes back with it.
    func requestNow(at now: SteadyTime) -> QuotaRequest {
        accountState.withQuota { quota in
            let wanted =
                wantsUnits
                ? quota.nextReservation(limit: limit, smallest: LocalQuota.smallestReservation, now: now) : 0
            return QuotaRequest(
                userID: accountState.userID, unused: wanted > 0 ? quota.withdraw() : [], wanted: wanted, limit: limit,
                life: ReservationBatcher.reservationLife, leavesRoom: true)
        }
    }

    private func prefetchRequest(at now: SteadyTime) -> QuotaRequest? {
        let wanted = accountState.withQuota {
            $0.prefetchSize(
                limit: limit, smallest: LocalQuota.smallestReservation, life: ReservationBatcher.reservationLife,
                now: now)
        }
        guard wanted > 0 else { return nil }
        return QuotaRequest(
            userID: accountState.userID, wanted: wanted, limit: limit, life: ReservationBatcher.reservationLife,
            leavesRoom: true)
    }

    /// Takes in what the store answered.
    ///
    /// - Parameters:
    ///   - requestedAt: a reading from before the store was asked.
    ///   - now: a reading after the answer came.
    func take(_ reservation: Reservation, to request: QuotaRequest, requestedAt: SteadyTime, now: SteadyTime) {
        accountState.withQuota { quota in
            if isPrefetch {
                quota.acceptPrefetched(reservation, requestedAt: requestedAt, life: request.life, now: now)
            } else {
                quota.accept(
                    reservation, wanted: request.wanted, limit: request.limit, requestedAt: requestedAt,
                    life: request.life,
                    now: now, patience: ReservationBatcher.refusalPatience)
            }
        }
    }
}
