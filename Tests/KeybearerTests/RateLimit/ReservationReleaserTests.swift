import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// The ``ReservationReleaser``: what has expired is released once, in parts, so that others come between.
@Suite struct ReservationReleaserTests {
    let clock = TestClock()
    let samples = Samples(seed: 41)

    /// Grants all that is wanted, and keeps what it was asked.
    private final class GrantingStore: RateLimitStore {
        private let asked = Lock<[[QuotaRequest]]>([])
        var calls: [[QuotaRequest]] { asked.withLock { $0 } }

        func postReclaims(of userIDs: [UserID], now: Timestamp) async throws {}
        func reclaims(now: Timestamp) async throws -> [ReclaimRequest] { [] }

        func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation] {
            asked.withLock { $0.append(requests) }
            return requests.map { Reservation(granted: $0.count, minute: 7, charged: $0.count, resets: []) }
        }
    }

    private func reserve(_ accountState: AccountState, at batcher: ReservationBatcher) async throws {
        try await Timeout.atMost(.seconds(60)) { batcher.reserve(for: accountState, limit: 1_000, waiter: $0) }
    }

    @Test("What has expired unused is released once, in parts; what has not expired is left alone")
    func releasing() async throws {
        let store = GrantingStore()
        let batcher = ReservationBatcher(store: store, clocks: clock.clocks, isOnlyNode: { true })
        let accountStates = (0..<150).map { _ in AccountState(userID: .random(from: samples.random)) }
        for accountState in accountStates { try await reserve(accountState, at: batcher) }
        clock.advance(by: .seconds(30))
        let later = AccountState(userID: .random(from: samples.random))
        try await reserve(later, at: batcher)
        let before = store.calls.count
        await batcher.releaseExpired()
        #expect(store.calls.count == before)
        clock.advance(by: .seconds(30))
        await batcher.releaseExpired()
        let parts = store.calls.dropFirst(before)
        #expect(parts.map(\.count) == Array(repeating: 18, count: 8) + [6])
        #expect(Set(parts.joined().map(\.userID)) == Set(accountStates.map(\.userID)))
        #expect(parts.joined().allSatisfy { $0.unused.map(\.count) == [10] && $0.count == 0 })
        #expect(later.withQuota { $0.available } == 10)
        await batcher.releaseExpired()
        #expect(store.calls.count == before + parts.count)
        clock.advance(by: .seconds(30))
        await batcher.releaseExpired()
        #expect(store.calls.last?.map(\.userID) == [later.userID])
    }

    @Test("A reservation that was renewed is watched until the new one ends")
    func renewed() async throws {
        let store = GrantingStore()
        let batcher = ReservationBatcher(store: store, clocks: clock.clocks, isOnlyNode: { true })
        let accountState = AccountState(userID: .random(from: samples.random))
        try await reserve(accountState, at: batcher)
        clock.advance(by: .seconds(40))
        _ = accountState.withQuota { $0.withdraw() }
        try await reserve(accountState, at: batcher)
        clock.advance(by: .seconds(30))
        await batcher.releaseExpired()
        #expect(store.calls.count == 2)
        clock.advance(by: .seconds(30))
        await batcher.releaseExpired()
        #expect(store.calls.last?.first?.unused.map(\.count) == [20])
    }

    @Test("What expires is released when it expires, also while more is prefetched")
    func expiresBesidePrefetched() async throws {
        let store = GrantingStore()
        let batcher = ReservationBatcher(store: store, clocks: clock.clocks, isOnlyNode: { true })
        let accountState = AccountState(userID: .random(from: samples.random))
        func consume(_ count: Int) {
            for _ in 0..<count {
                let (_, _, shouldPrefetch) = accountState.consume(
                    limit: 1_000, keyID: KeyID(rawValue: "key_1"), from: Samples.address, now: clock.clocks.steady(),
                    wall: Samples.start)
                if shouldPrefetch { batcher.requestPrefetch(accountState, limit: 1_000) }
            }
        }
        func released() -> [Int] { store.calls.joined().flatMap { $0.unused.map(\.count) } }
        try await reserve(accountState, at: batcher)
        clock.advance(by: .seconds(5))
        consume(5)
        await batcher.prefetched()
        #expect(store.calls.last?.map(\.count) == [20])
        // The ten end at 60, what was asked for at 5 ends at 65.
        for second in 6...65 {
            clock.advance(by: .seconds(1))
            await batcher.releaseExpired()
            #expect(released() == (second < 60 ? [] : second < 65 ? [5] : [5, 20]), "at \(second)")
        }
    }
}
