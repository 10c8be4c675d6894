import KeybearerSQL
import KeybearerSQLite
import TestSupport
import Testing

@testable import Keybearer

/// What a stop leaves of a window, and whom a refused account waits for (``NodeLiveness``).
@Suite struct ReservationStopTests {
    let fixture: NodeFixture
    let account: Account
    let accountState: AccountState
    var clock: TestClock { fixture.clock }

    init() async throws {
        fixture = try NodeFixture()
        account = try await fixture.entitledAccount(fixture.services(.command)).0
        accountState = AccountState(userID: account.user.id)
    }

    /// Takes so much of the quota as another process would, or releases it.
    @discardableResult
    private func elsewhere(wanted: Int = 0, unused: [LocalQuota.Unused] = []) async throws -> Reservation {
        let request = QuotaRequest.reserve(
            account.user.id, count: wanted, limit: 40, life: .seconds(60), releasing: unused)
        return try #require(try await fixture.store.reserve([request], now: clock.clocks.wall()).first)
    }

    /// Reserves and uses what it gets; false when the quota is used up.
    private func mayAsk(_ batcher: ReservationBatcher) async throws -> Bool {
        try await batcher.reserved(for: accountState, limit: 40)
        let now = clock.clocks.steady()
        return accountState.withQuota { quota in
            while case .admitted = quota.consume(limit: 40, now: now, wall: Samples.start) {}
            return quota.needsStore(limit: 40, wantsUnits: true, now: now)
        }
    }

    @Test("Behind a stop nothing is reserved: a request whose client has left would keep it")
    func afterStop() async throws {
        let store = CountingRateLimitStore(store: fixture.store)
        let batcher = ReservationBatcher(store: store, clocks: clock.clocks, isOnlyNode: { true })
        try await batcher.reserved(for: accountState, limit: 40)
        #expect(accountState.withQuota { $0.available } == LocalQuota.smallestReservation)
        await batcher.stop()
        let calls = store.calls
        let error = await #expect(throws: KeybearerError.self) {
            try await batcher.reserved(for: accountState, limit: 40)
        }
        #expect(error?.code == .unavailable)
        batcher.requestPrefetch(accountState, limit: 40)
        #expect(!batcher.prefetch())
        #expect(store.calls == calls)
        #expect(try await elsewhere().charged == 0)
    }

    @Test("A stop waits for what is being reclaimed, and releases that too")
    func duringReclaim() async throws {
        let (entered, enter) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let batcher = ReservationBatcher(
            store: fixture.store, clocks: clock.clocks,
            isOnlyNode: {
                enter.yield()
                for await _ in released { break }
                return false
            })
        let taken = try await elsewhere(wanted: 40)
        async let asking: Void = batcher.reserved(for: accountState, limit: 40)
        for await _ in entered { break }
        async let stopping: Void = batcher.stop()
        // After the beginning of a stop nothing is prefetched.
        repeat {
            batcher.requestPrefetch(accountState, limit: 40)
            await Task.yield()
        } while batcher.prefetch()
        // Released while it waits: the reclaim will find it.
        try await elsewhere(unused: [LocalQuota.Unused(count: 40, minute: taken.minute)])
        release.yield()
        try await asking
        await stopping
        #expect(accountState.withQuota { $0.available } == 0)
        #expect(try await elsewhere().charged == 0)
    }

    @Test("A process that died is not waited for, one that lives is", arguments: [true, false])
    func otherNode(isAlive: Bool) async throws {
        let node = try #require(fixture.services().node)
        await node.fence.step()
        let other = NodeID.random(from: fixture.random)
        let position = try await fixture.store.registerNode(other, lease: .seconds(2))
        // Seen for longer than its lease.
        for _ in 0..<4 {
            await node.fence.step()
            await node.batcher.maintainSharedReservation()
            clock.advance(by: .seconds(1))
            if isAlive { _ = try await fixture.store.renewLease(of: other, applied: position) }
        }
        await node.fence.step()
        try await elsewhere(wanted: 40)
        // Alone, the node has a shared reservation of its own, which the others' window is without.
        while try await mayAsk(node.batcher) {}
        #expect(try await fixture.store.reclaims(now: clock.clocks.wall()).isEmpty == !isAlive)
    }
}
