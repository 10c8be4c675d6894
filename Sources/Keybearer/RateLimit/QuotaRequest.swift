/// What a node requests of one account's window.
package enum QuotaRequest: Sendable, Equatable {
    /// Reports how the window stands, and changes nothing.
    case look(UserID)
    /// Releases what reservations left unused.
    case release(UserID, [LocalQuota.Unused])
    /// Reserves up to `count` requests.
    ///
    /// - `limit`: the most that may be charged afterwards.
    /// - `life`: how long they may be used.
    /// - `leavingRoom`: takes only a part of what is left, so that other nodes find some too.
    /// - `releasing`: what earlier reservations left unused, released first.
    case reserve(
        UserID, count: Int, limit: Int, life: Duration, leavingRoom: Bool = false,
        releasing: [LocalQuota.Unused] = [])
    /// Does what the inner request says. The shared reservations that `holder` has open are left out of the sum.
    ///
    /// - `unrecorded`: what was used of one, recorded first. It must include everything that the holder has used of
    ///   them for this account and not recorded yet.
    indirect case from(holder: NodeID, unrecorded: RateLimitWindow.Bucket?, QuotaRequest)

    /// The account whose window it is.
    package var userID: UserID {
        switch self {
        case .look(let userID), .release(let userID, _), .reserve(let userID, _, _, _, _, _): userID
        case .from(_, _, let request): request.userID
        }
    }

    /// How many requests it reserves at most; 0 when it reserves none.
    package var count: Int {
        switch self {
        case .look, .release: 0
        case .reserve(_, let count, _, _, _, _): count
        case .from(_, _, let request): request.count
        }
    }

    /// Whose shared reservations are left out of the sum; nil when all of them count.
    package var holder: NodeID? {
        if case .from(let holder, _, _) = self { holder } else { nil }
    }

    /// What was used of a shared reservation and is recorded with this.
    package var unrecorded: RateLimitWindow.Bucket? {
        if case .from(_, let unrecorded, _) = self { unrecorded } else { nil }
    }
}

/// What the store was asked for an account, and what it returned.
struct QuotaResponse: Sendable {
    let request: QuotaRequest
    /// A reading from before the store was asked: a reservation's life counts from here.
    let requestedAt: SteadyTime
    let reservation: Reservation

    /// Whether nothing was granted although other nodes may hold unused quota of the account.
    var isWorthReclaiming: Bool { request.count > 0 && reservation.granted == 0 && reservation.mayBeUnused }

    /// When what was granted expires; nil when nothing was.
    var expiry: SteadyTime? {
        guard reservation.granted > 0, case .reserve(_, _, _, let life, _, _) = request else { return nil }
        return requestedAt.advanced(by: life)
    }
}

extension RateLimitWindow {
    /// Reports how the window stands. Nothing but its age changes.
    package mutating func look(now: Timestamp, sharedReservations: [Bucket] = []) -> Reservation {
        reserve(0, limit: 0, life: .zero, now: now, sharedReservations: sharedReservations)
    }

    /// Does what a request says, as every store does.
    ///
    /// - Parameter sharedReservations: those that count for every account, without the request's holder's own.
    package mutating func apply(_ request: QuotaRequest, now: Timestamp, sharedReservations: [Bucket]) -> Reservation {
        switch request {
        case .look:
            return look(now: now, sharedReservations: sharedReservations)
        case .release(_, let unused):
            for unused in unused { release(unused.count, minute: unused.minute) }
            return look(now: now, sharedReservations: sharedReservations)
        case .reserve(_, let count, let limit, let life, let leavingRoom, let unused):
            for unused in unused { release(unused.count, minute: unused.minute) }
            return reserve(
                count, limit: limit, life: life, now: now, leavingRoom: leavingRoom,
                sharedReservations: sharedReservations)
        case .from(_, let unrecorded, let request):
            if let unrecorded { record(unrecorded.count, minute: unrecorded.minute) }
            return apply(request, now: now, sharedReservations: sharedReservations)
        }
    }
}
