/// An account for which the store is to be asked, and who waits for it.
struct PendingQuotaRequest<Waiter: Sendable>: Sendable {
    enum Purpose: Sendable {
        /// Somebody waits for more quota.
        case reserve
        /// Somebody waits to see how the window stands. Nothing is reserved.
        case look
        /// More quota will be needed soon. Nobody waits for it.
        case prefetch
    }

    let accountState: AccountState
    let limit: Int
    var purpose: Purpose
    var waiters: [Waiter] = []

    /// What to request now.
    ///
    /// Quota that the account still holds is withdrawn from it and released with the request.
    ///
    /// - Returns: nil when nothing is needed any more.
    func request(at now: SteadyTime) -> QuotaRequest? {
        let isNeeded = accountState.withQuota {
            $0.needsStore(limit: limit, wantsUnits: purpose != .look, now: now)
        }
        // An account that ran out meanwhile has a request that waits: it makes a request of its own.
        if purpose == .prefetch { return isNeeded ? nil : prefetchRequest(at: now) }
        return isNeeded ? requestNow(at: now) : nil
    }

    /// What to request because somebody waits, whether or not quota has come meanwhile.
    func requestNow(at now: SteadyTime) -> QuotaRequest {
        if purpose == .look { return .look(accountState.userID) }
        return accountState.withQuota { quota in
            let count = quota.nextReservation(limit: limit, smallest: LocalQuota.smallestReservation, now: now)
            return .reserve(
                accountState.userID, count: count, limit: limit, life: LocalQuota.reservationLife, leavingRoom: true,
                releasing: quota.withdraw())
        }
    }

    private func prefetchRequest(at now: SteadyTime) -> QuotaRequest? {
        let count = accountState.withQuota {
            $0.prefetchSize(
                limit: limit, smallest: LocalQuota.smallestReservation, life: LocalQuota.reservationLife, now: now)
        }
        guard count > 0 else { return nil }
        return .reserve(
            accountState.userID, count: count, limit: limit, life: LocalQuota.reservationLife, leavingRoom: true)
    }

    /// Puts what the store returned into the account's local quota.
    ///
    /// - Parameter now: a reading from after the store returned.
    func accept(_ response: QuotaResponse, now: SteadyTime) {
        accountState.withQuota { quota in
            switch purpose {
            case .prefetch:
                quota.acceptPrefetched(
                    response.reservation, requestedAt: response.requestedAt, life: LocalQuota.reservationLife,
                    now: now)
            case .look, .reserve:
                quota.accept(
                    response.reservation, wanted: response.request.count, limit: limit,
                    requestedAt: response.requestedAt, life: LocalQuota.reservationLife, now: now,
                    patience: LocalQuota.refusalPatience)
            }
        }
    }
}
