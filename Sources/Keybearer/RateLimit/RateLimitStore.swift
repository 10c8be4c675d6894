/// The rolling hours of accounts.
public protocol RateLimitStore: Sendable {
    /// Gives back and reserves for several accounts in one transaction, in the order asked.
    func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation]
    /// Asks all nodes to give back what they hold of these accounts' hours and have not used.
    func postReclaims(of userIDs: [UserID], now: Timestamp) async throws
    /// What was asked for within the last moments, the same account in a higher round each time.
    func reclaims(now: Timestamp) async throws -> [ReclaimRequest]

    /// Whether this store ever opens shared reservations.
    var opensSharedReservations: Bool { get }
    /// Opens a shared reservation that is on disk when this answers; nil when there is none to have: another process
    /// has one open, or an earlier one left one open, or limits are too small.
    ///
    /// - Parameters:
    ///   - count: the most that it may be, for each account.
    ///   - holder: who opens it.
    ///   - life: how long it may be used.
    ///   - now: a reading from before the life began.
    func openSharedReservation(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> SharedReservation?
    /// Closes all shared reservations of a holder but those with these ids. What was used of them must be recorded.
    func closeSharedReservations(of holder: NodeID, keeping: [Int64]) async throws
    /// What an account may use of a shared reservation; see ``RateLimitWindow/use(_:limit:now:sharedReservations:)``.
    /// It only reads, and blocks its caller for as long as that takes.
    func use(
        of sharedReservation: SharedReservation, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation
}

/// A store without shared reservations.
extension RateLimitStore {
    public var opensSharedReservations: Bool { false }

    public func openSharedReservation(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> SharedReservation? { nil }

    public func closeSharedReservations(of holder: NodeID, keeping: [Int64]) async throws {}

    public func use(
        of sharedReservation: SharedReservation, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation {
        Reservation(granted: 0, minute: 0, charged: 0, resets: [])
    }
}

/// A request to all nodes to give back what they hold of an account's hour.
public struct ReclaimRequest: Sendable, Hashable {
    /// Whose hour.
    public var userID: UserID
    /// Tells one request from the next for the same account.
    public var round: Int64

    /// Puts a recall together.
    public init(userID: UserID, round: Int64) {
        self.userID = userID
        self.round = round
    }
}

/// What a node wants of one account's hour.
public struct QuotaRequest: Sendable, Equatable {
    /// Whose hour.
    public var userID: UserID
    /// What earlier reservations left unused, given back first.
    public var unused: [LocalQuota.Unused]
    /// How many to reserve; 0 only looks.
    public var wanted: Int
    /// The most that may be charged afterwards.
    public var limit: Int
    /// How long they may be used.
    public var life: Duration
    /// Whether to take only a part of what is left, so that other nodes find some too.
    public var leavesRoom: Bool
    /// What was used of a shared reservation, recorded before all else.
    public var unrecorded: RateLimitWindow.Bucket?
    /// Whose shared reservations are left out of the sum: the asking process's own, when nothing that it used of them
    /// for this account is unrecorded after this.
    public var holder: NodeID?

    /// Puts a request together.
    public init(
        userID: UserID, unused: [LocalQuota.Unused] = [], wanted: Int, limit: Int, life: Duration,
        leavesRoom: Bool = false,
        unrecorded: RateLimitWindow.Bucket? = nil, holder: NodeID? = nil
    ) {
        self.leavesRoom = leavesRoom
        self.unrecorded = unrecorded
        self.holder = holder
        self.userID = userID
        self.unused = unused
        self.wanted = wanted
        self.limit = limit
        self.life = life
    }
}

extension RateLimitWindow {
    /// Records, gives back and reserves what a request asks for, as every store does.
    ///
    /// - Parameter sharedReservations: those that count for every account, without the request's holder's own.
    public mutating func apply(_ request: QuotaRequest, now: Timestamp, sharedReservations: [Bucket]) -> Reservation {
        if let used = request.unrecorded { record(used.count, minute: used.minute) }
        for unused in request.unused { release(unused.count, minute: unused.minute) }
        return reserve(
            request.wanted, limit: request.limit, life: request.life, now: now, leavingRoom: request.leavesRoom,
            sharedReservations: sharedReservations)
    }
}
