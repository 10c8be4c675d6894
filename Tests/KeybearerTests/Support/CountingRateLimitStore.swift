import Synchronization
import TestSupport

@testable import Keybearer

extension ReservationBatcher {
    /// Waits until the store was asked.
    func reserved(for accountState: AccountState, limit: Int) async throws {
        try await Timeout.atMost(.seconds(60)) { reserve(for: accountState, limit: limit, waiter: $0) }
    }

    /// Prefetches, and waits until the store was asked.
    func prefetched() async {
        prefetch()
        await waitUntilIdle()
    }
}

extension QuotaRequest {
    /// What is released with it.
    var unused: [LocalQuota.Unused] {
        switch self {
        case .look: []
        case .release(_, let unused), .reserve(_, _, _, _, _, let unused): unused
        case .from(_, _, let request): request.unused
        }
    }
}

/// Counts the transactions of a real store, and fails when it is told to.
final class CountingRateLimitStore: RateLimitStore {
    private let store: any RateLimitStore
    private let counter = Counter()
    private let failing = Atomic<Bool>(false)

    init(store: any RateLimitStore) {
        self.store = store
    }

    var calls: Int { counter.value }
    /// Whether it is out of reach.
    var isFailing: Bool {
        get { failing.load(ordering: .relaxed) }
        set { failing.store(newValue, ordering: .relaxed) }
    }

    func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation] {
        if isFailing { throw KeybearerError.unavailable() }
        counter.increment()
        return try await store.reserve(requests, now: now)
    }

    var opensSharedReservations: Bool { store.opensSharedReservations }

    func openSharedReservation(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> SharedReservation? {
        if isFailing { throw KeybearerError.unavailable() }
        return try await store.openSharedReservation(atMost: count, holder: holder, life: life, now: now)
    }

    func closeSharedReservations(of holder: NodeID, keeping: [Int64]) async throws {
        if isFailing { throw KeybearerError.unavailable() }
        try await store.closeSharedReservations(of: holder, keeping: keeping)
    }

    func use(
        of sharedReservation: SharedReservation, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation {
        try store.use(of: sharedReservation, by: userID, limit: limit, holder: holder, now: now)
    }

    func postReclaims(of userIDs: [UserID], now: Timestamp) async throws {
        counter.increment()
        try await store.postReclaims(of: userIDs, now: now)
    }

    func reclaims(now: Timestamp) async throws -> [ReclaimRequest] { try await store.reclaims(now: now) }
}
