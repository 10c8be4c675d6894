/// Which accounts hold reservations, by when these end, and which reclaim requests were responded to.
///
/// A pure value: it reads no clock and no quota. The caller holds the lock.
struct ReservationWatch: Sendable {
    /// By the interval in which a reservation ends, so that only the accounts whose reservations end are visited.
    private var accountStates: [Int64: [AccountState]] = [:]
    /// The reclaim requests that were responded to and that the store still shows.
    private var responded: Set<ReclaimRequest> = []

    /// Whether no account holds a reservation.
    var isEmpty: Bool { accountStates.isEmpty }

    /// Watches for the end of a reservation.
    mutating func watch(_ accountState: AccountState, until end: SteadyTime) {
        accountStates[Self.interval(of: end), default: []].append(accountState)
    }

    /// Takes out the accounts whose reservations have ended, or end in this interval.
    mutating func takeEnded(at now: SteadyTime) -> [AccountState] {
        let ended = accountStates.keys.filter { $0 <= Self.interval(of: now) }
        return ended.flatMap { accountStates.removeValue(forKey: $0) ?? [] }
    }

    /// Takes out all accounts.
    mutating func takeAll() -> [AccountState] {
        defer { accountStates = [:] }
        return accountStates.values.flatMap { $0 }
    }

    /// The store shows these reclaim requests.
    ///
    /// - Returns: the accounts for which one was not responded to yet.
    mutating func respond(to shown: [ReclaimRequest]) -> [AccountState] {
        let userIDs = Set(Set(shown).subtracting(responded).map(\.userID))
        responded = Set(shown)
        if userIDs.isEmpty { return [] }
        return accountStates.values.joined().filter { userIDs.contains($0.userID) }
    }

    private static func interval(of time: SteadyTime) -> Int64 {
        time.nanoseconds / BackgroundWrites.interval.wholeNanoseconds
    }
}
