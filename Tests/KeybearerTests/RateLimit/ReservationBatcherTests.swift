import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// A ``ReservationBatcher`` over a real store: how many writes it needs, and what it reclaims from others.
@Suite struct ReservationBatcherTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    @Test(
        "From 20 requests a minute on: at most one write for 10 admitted, and steady use does not wait for it",
        arguments: [
            (3_000, 900, 1_000, 0), (600, 3_000, 100_000, 0), (20, 20_000, 100_000, 0), (2, 20_000, 100_000, 3),
        ])
    func writes(milliseconds: Int, requests: Int, limit: Int, mostWaits: Int) async throws {
        await node.fence.step()
        let counting = CountingRateLimitStore(store: fixture.store)
        let batcher = ReservationBatcher(store: counting, clocks: fixture.clock.clocks, isOnlyNode: { true })
        let (account, _) = try await fixture.entitledAccount(services)
        let accountState = AccountState(userID: account.user.id)
        var admitted = 0
        var waits = 0
        for number in 0..<requests {
            fixture.clock.advance(by: .milliseconds(milliseconds))
            if number * milliseconds % 100 < milliseconds {
                await batcher.prefetched()
                await batcher.maintainSharedReservation()
                await batcher.releaseExpired()
            }
            func consume() -> LocalQuota.Decision {
                let (decision, _, shouldPrefetch) = accountState.consume(
                    limit: limit, keyID: account.key.id, from: Samples.address, now: fixture.clock.clocks.steady(),
                    wall: Samples.start)
                if shouldPrefetch { batcher.requestPrefetch(accountState, limit: limit) }
                return decision
            }
            if consume() == .needsReservation {
                if !batcher.useSharedReservation(for: accountState, limit: limit) {
                    waits += 1
                    try await batcher.reserved(for: accountState, limit: limit)
                }
                guard case .admitted = consume() else { continue }
            }
            admitted += 1
        }
        #expect(admitted == requests)
        #expect(counting.calls * 10 <= admitted, "\(counting.calls) writes for \(admitted)")
        #expect(waits <= mostWaits, "\(waits) waits")
    }

    @Test("Before an account is refused, other nodes release what they hold of its window")
    func reclaim() async throws {
        let clocks = fixture.clock.clocks
        let (account, _) = try await fixture.entitledAccount(services)
        func batcher() -> ReservationBatcher {
            ReservationBatcher(store: fixture.store, clocks: clocks, isOnlyNode: { false })
        }
        let (holding, asking) = (batcher(), batcher())
        let (held, empty) = (AccountState(userID: account.user.id), AccountState(userID: account.user.id))
        // The one node holds all but one of the window's requests, and uses none of them.
        try await holding.reserved(for: held, limit: 40)
        let taken = held.withQuota { $0.available }
        let rest = QuotaRequest.reserve(account.user.id, count: 40 - taken, limit: 40, life: .seconds(60))
        _ = try await fixture.store.reserve([rest], now: clocks.wall())
        let responding = Task {
            while !Task.isCancelled {
                await holding.releaseReclaimed()
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
        try await asking.reserved(for: empty, limit: 40)
        responding.cancel()
        #expect(empty.withQuota { $0.available } > 0)
        #expect(held.withQuota { $0.available } == 0)
    }

    @Test("An account whose quota is used up is refused when nothing is released")
    func nothingToReclaim() async throws {
        let clocks = fixture.clock.clocks
        let (account, key) = try await fixture.entitledAccount(services)
        let batcher = ReservationBatcher(store: fixture.store, clocks: clocks, isOnlyNode: { false })
        let all = QuotaRequest.reserve(account.user.id, count: 40, limit: 40, life: .seconds(60))
        _ = try await fixture.store.reserve([all], now: clocks.wall())
        let accountState = AccountState(userID: account.user.id)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { try await batcher.reserved(for: accountState, limit: 40) } }
            try await group.waitForAll()
        }
        let (decision, _, _) = accountState.consume(
            limit: 40, keyID: account.key.id, from: Samples.address, now: clocks.steady(), wall: clocks.wall())
        guard case .exhausted = decision else { return #expect(Bool(false), "\(decision) for \(key)") }
    }
}
