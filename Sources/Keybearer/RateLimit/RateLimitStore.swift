/// The rate-limit windows of accounts.
package protocol RateLimitStore: Sendable {
    /// Does what several requests say in one transaction, in their order.
    ///
    /// - Returns: one reservation for each request. An account that does not exist is granted nothing.
    func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation]
    /// Asks all nodes to release what they have reserved for these accounts and not used.
    func postReclaims(of userIDs: [UserID], now: Timestamp) async throws
    /// The reclaim requests of the last moments, the same account in a higher round each time.
    func reclaims(now: Timestamp) async throws -> [ReclaimRequest]

    /// Whether this store ever opens shared reservations.
    var opensSharedReservations: Bool { get }
    /// Opens a shared reservation. It is on disk when this returns.
    ///
    /// - Parameters:
    ///   - count: the most that it may be, for each account.
    ///   - holder: who opens it.
    ///   - life: how long it may be used.
    ///   - now: a reading from before the life began.
    /// - Returns: nil when there is none to have: another process has one open, or an earlier one left one open, or
    ///   limits are too small.
    func openSharedReservation(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> SharedReservation?
    /// Closes all shared reservations of a holder except those with these ids. What was used of them must be recorded.
    func closeSharedReservations(of holder: NodeID, keeping: [Int64]) async throws
    /// What an account may use of a shared reservation; see ``RateLimitWindow/use(_:limit:now:sharedReservations:)``.
    /// It only reads, and blocks its caller for as long as that takes.
    func use(
        of sharedReservation: SharedReservation, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation
}

/// A store without shared reservations.
extension RateLimitStore {
    package var opensSharedReservations: Bool { false }

    package func openSharedReservation(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> SharedReservation? { nil }

    package func closeSharedReservations(of holder: NodeID, keeping: [Int64]) async throws {}

    package func use(
        of sharedReservation: SharedReservation, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation {
        Reservation(granted: 0, minute: 0, charged: 0, resets: [])
    }
}

/// A request to all nodes to release what they have reserved for an account and not used.
package struct ReclaimRequest: Sendable, Hashable {
    /// Whose quota.
    package var userID: UserID
    /// Distinguishes one request from the next for the same account.
    package var round: Int64

    /// Puts a request together.
    package init(userID: UserID, round: Int64) {
        self.userID = userID
        self.round = round
    }
}
