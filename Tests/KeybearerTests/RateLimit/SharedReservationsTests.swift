import KeybearerSQL
import KeybearerSQLite
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// ``SharedReservations``: with a ``SharedReservation``, a new key does not wait for the disk.
@Suite struct SharedReservationsTests {
    let fixture: NodeFixture
    let account: Account
    let store: CountingRateLimitStore
    let batcher: ReservationBatcher
    let accountState: AccountState
    var clock: TestClock { fixture.clock }

    init() async throws {
        fixture = try NodeFixture()
        account = try await fixture.entitledAccount(fixture.services(.command)).0
        store = CountingRateLimitStore(store: fixture.store)
        batcher = ReservationBatcher(store: store, clocks: fixture.clock.clocks, isOnlyNode: { true })
        accountState = AccountState(userID: account.user.id)
        await batcher.maintainSharedReservation()
    }

    private func consume(_ accountState: AccountState, limit: Int = 1_000) -> LocalQuota.Decision {
        accountState.consume(
            limit: limit, keyID: account.key.id, from: Samples.address, now: clock.clocks.steady(), wall: Samples.start
        ).decision
    }

    /// How many of so many requests are admitted without the store.
    private func admitted(_ requests: Int, _ accountState: AccountState, limit: Int = 1_000) -> Int {
        (0..<requests).count { _ in if case .admitted = consume(accountState, limit: limit) { true } else { false } }
    }

    /// What counts for the account, as another process sees it.
    private func charged(limit: Int = 1_000) async throws -> Int {
        let look = QuotaRequest.look(account.user.id)
        return try #require(try await fixture.store.reserve([look], now: clock.clocks.wall()).first).charged
    }

    private func advance(seconds: Int) async {
        for _ in 0..<seconds {
            clock.advance(by: .seconds(1))
            await batcher.maintainSharedReservation()
            await batcher.releaseExpired()
        }
    }

    @Test("Ten are admitted with nothing written; a second later they are recorded")
    func firstUse() async throws {
        #expect(try await charged() == 10)
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
        guard case .admitted(let status) = consume(accountState) else { Issue.record("refused"); return }
        #expect(status.remaining == 999)
        #expect(admitted(20, accountState) == 9)
        #expect(store.calls == 0)
        #expect(try await charged() == 10)
        await advance(seconds: 1)
        #expect(store.calls == 1)
        #expect(try await charged() == 20, "the account's own ten, and what all accounts are charged")
        await advance(seconds: 1)
        #expect(store.calls == 1)
    }

    @Test("The next reservation records what was used in the same step, and leaves the shared one out of its sum")
    func recordedWithAReservation() async throws {
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
        #expect(admitted(20, accountState) == 10)
        #expect(!batcher.useSharedReservation(for: accountState, limit: 1_000))
        try await batcher.reserved(for: accountState, limit: 1_000)
        #expect(store.calls == 1)
        guard case .admitted(let status) = consume(accountState) else { Issue.record("refused"); return }
        #expect(status.remaining == 989)
        #expect(try await charged() == 10 + 20 + 10)
        await advance(seconds: 3)
        #expect(store.calls == 1)
    }

    @Test("It is renewed every half minute and closed when what was used is recorded; one that expired is not used")
    func renewal() async throws {
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
        await advance(seconds: 31)
        // Recorded, and released because nothing was used: what is charged is the next shared reservation.
        #expect(try await charged() == 10)
        #expect(admitted(1, accountState) == 0)
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
        clock.advance(by: .seconds(29))
        #expect(admitted(1, accountState) == 1)
        clock.advance(by: .seconds(1))
        #expect(admitted(1, accountState) == 0)
        clock.advance(by: .seconds(1))
        let other = AccountState(userID: account.user.id)
        #expect(!batcher.useSharedReservation(for: other, limit: 1_000), "nobody renewed it")
    }

    @Test("Before its use is recorded, the same account uses it no second time")
    func onceUntilRecorded() async throws {
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
        #expect(admitted(20, accountState) == 10)
        let again = AccountState(userID: account.user.id)
        #expect(!batcher.useSharedReservation(for: again, limit: 1_000))
        await advance(seconds: 1)
        #expect(batcher.useSharedReservation(for: again, limit: 1_000))
        #expect(admitted(20, again) == 10)
        await advance(seconds: 1)
        #expect(try await charged() == 20 + 10)
    }

    @Test("After a crash it counts for every account, nobody opens another, and the limit holds")
    func crash() async throws {
        #expect(batcher.useSharedReservation(for: accountState, limit: 100))
        #expect(admitted(20, accountState, limit: 100) == 10)
        let successor = ReservationBatcher(store: store, clocks: clock.clocks, isOnlyNode: { true })
        await successor.maintainSharedReservation()
        let fresh = AccountState(userID: account.user.id)
        #expect(!successor.useSharedReservation(for: fresh, limit: 100))
        var total = 10
        while total < 200 {
            try await successor.reserved(for: fresh, limit: 100)
            let more = admitted(100, fresh, limit: 100)
            if more == 0 { break }
            total += more
        }
        #expect(total == 100)
        // When its minute has freed, there is one again.
        clock.advance(by: .seconds(3_600 + 120))
        await successor.maintainSharedReservation()
        #expect(successor.useSharedReservation(for: AccountState(userID: account.user.id), limit: 100))
    }

    @Test("A store that fails keeps nothing from being recorded, and closes nothing")
    func failure() async throws {
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
        #expect(admitted(20, accountState) == 10)
        store.isFailing = true
        await advance(seconds: 2)
        await #expect(throws: KeybearerError.self) { try await batcher.reserved(for: accountState, limit: 1_000) }
        await batcher.stop()
        #expect(try await charged() == 10)
        store.isFailing = false
        await batcher.stop()
        #expect(store.calls == 1)
        #expect(try await charged() == 10, "the account's own: the shared reservation is closed")
    }

    @Test("A stop leaves what was used, and no shared reservation")
    func stop() async throws {
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
        #expect(admitted(3, accountState) == 3)
        await batcher.stop()
        #expect(try await charged() == 3)
        await batcher.maintainSharedReservation()
        #expect(try await charged() == 3, "none is opened afterwards")
        #expect(!batcher.useSharedReservation(for: AccountState(userID: account.user.id), limit: 1_000))
    }

    @Test(
        "It is not used when the wall clock was set since it was opened, and is then opened again", arguments: [-2, 2])
    func clockWasSet(seconds: Int) async throws {
        let set = Lock<Duration>(.zero)
        let clocks = Clocks(
            steady: clock.clocks.steady,
            wall: { [clock] in clock.clocks.wall().advanced(by: set.withLock { $0 }) })
        await batcher.stop()
        let batcher = ReservationBatcher(store: store, clocks: clocks, isOnlyNode: { true })
        await batcher.maintainSharedReservation()
        set.withLock { $0 = .seconds(seconds) }
        #expect(!batcher.useSharedReservation(for: accountState, limit: 1_000))
        await batcher.maintainSharedReservation()
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
    }

    @Test("Near its limit an account is reserved for, as before")
    func nearTheLimit() async throws {
        #expect(!batcher.useSharedReservation(for: accountState, limit: 39))
        #expect(batcher.useSharedReservation(for: accountState, limit: 40))
        #expect(admitted(20, accountState, limit: 40) == 10)
    }

    @Test("With a shared reservation open, 64 together admit exactly 1,000")
    func concurrently() async throws {
        await batcher.stop()
        let services = fixture.services()
        let node = try #require(services.node)
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services, email: "bob@example.com")
        await node.batcher.maintainSharedReservation()
        #expect(await fixture.admittedOf1600(key, at: node) == 1_000)
    }

    @Test("A request with a cold key is decided with nothing written; in steady use the next are prefetched")
    func throughTheVerifier() async throws {
        await batcher.stop()
        let services = fixture.services()
        let node = try #require(services.node)
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services, email: "bob@example.com")
        await node.batcher.maintainSharedReservation()
        func charged() async throws -> Int? {
            let look = QuotaRequest.look(account.user.id)
            return try await fixture.store.reserve([look], now: clock.clocks.wall()).first?.charged
        }
        for number in 1...5 {
            #expect(!node.batcher.prefetch(), "before request \(number)")
            #expect(await fixture.verdict(key, at: node).isAdmitted)
        }
        #expect(try await charged() == 10, "what all are charged")
        await node.batcher.prefetched()
        #expect(try await charged() == 10 + 10 + 20)
        for _ in 6...30 { #expect(fixture.cachedVerdict(key, at: node).isAdmitted) }
        await node.stop()
        #expect(try await charged() == 30)
    }

    @Test("A look that was under way while a shared reservation was used does not take its place")
    func lookMeanwhile() async throws {
        let earlier = Reservation(granted: 0, minute: 0, charged: 0, resets: [])
        #expect(batcher.useSharedReservation(for: accountState, limit: 1_000))
        #expect(admitted(1, accountState) == 1)
        let now = clock.clocks.steady()
        accountState.withQuota {
            $0.accept(
                earlier, wanted: 0, limit: 1_000, requestedAt: now, life: .zero, now: now, patience: .zero)
        }
        #expect(accountState.withQuota { $0.peek(limit: 1_000, now: now, wall: Samples.start) }?.remaining == 999)
    }

    @Test("While the store is asked for an account, it uses no shared reservation, until the last response has come")
    func whileReserving() async throws {
        let held = HeldRateLimitStore(store: fixture.store)
        await batcher.stop()
        let holder = SharedReservations(
            store: held, clocks: clock.clocks, holder: .random(from: .seeded(3)), isOnlyNode: { true })
        await holder.maintain()
        let request = QuotaRequest.reserve(account.user.id, count: 1, limit: 1_000, life: .seconds(60))
        async let first = holder.reserve([request])
        await held.waitUntilHeld(1)
        #expect(holder.use(by: accountState, limit: 1_000) == nil)
        async let second = holder.reserve([request])
        await held.waitUntilHeld(2)
        held.releaseOne()
        let firstResponse = try? await first
        let afterFirst = holder.use(by: accountState, limit: 1_000)
        held.releaseOne()
        _ = try await second
        #expect(firstResponse?.first?.granted == 1)
        #expect(afterFirst == nil)
        #expect(holder.use(by: accountState, limit: 1_000) != nil)
    }

    @Test("None is opened beside another process that lives, and what is held is not used any more")
    func anotherNode() async throws {
        await batcher.stop()
        let node = try #require(fixture.services().node)
        await node.fence.step()
        await node.batcher.maintainSharedReservation()
        #expect(node.batcher.useSharedReservation(for: AccountState(userID: account.user.id), limit: 1_000))
        let other = NodeID.random(from: fixture.random)
        let position = try await fixture.store.registerNode(other, lease: .seconds(2))
        clock.advance(by: .seconds(30))
        await node.fence.step()
        await node.batcher.maintainSharedReservation()
        #expect(!node.batcher.useSharedReservation(for: AccountState(userID: account.user.id), limit: 1_000))
        for _ in 0..<5 {
            clock.advance(by: .seconds(1))
            _ = try await fixture.store.renewLease(of: other, applied: position)
            await node.fence.step()
            await node.batcher.maintainSharedReservation()
        }
        #expect(!node.batcher.useSharedReservation(for: AccountState(userID: account.user.id), limit: 1_000))
        // It died: its row stays, and its renewals do not rise.
        for _ in 0..<4 {
            clock.advance(by: .seconds(1))
            await node.fence.step()
            await node.batcher.maintainSharedReservation()
        }
        #expect(node.batcher.useSharedReservation(for: AccountState(userID: account.user.id), limit: 1_000))
    }
}

/// A real store whose reservations wait until they are let go, in the order in which they came.
private final class HeldRateLimitStore: RateLimitStore {
    private let store: any RateLimitStore
    private let waiting = Lock<[CheckedContinuation<Void, Never>]>([])

    init(store: any RateLimitStore) {
        self.store = store
    }

    func waitUntilHeld(_ count: Int) async {
        while waiting.withLock({ $0.count }) < count { await Task.yield() }
    }

    func releaseOne() { waiting.withLock { $0.removeFirst() }.resume() }

    func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation] {
        await withCheckedContinuation { continuation in waiting.withLock { $0.append(continuation) } }
        return try await store.reserve(requests, now: now)
    }

    func postReclaims(of userIDs: [UserID], now: Timestamp) async throws {}
    func reclaims(now: Timestamp) async throws -> [ReclaimRequest] { [] }

    var opensSharedReservations: Bool { store.opensSharedReservations }

    func openSharedReservation(
        atMost count: Int, holder: NodeID, life: Duration, now: Timestamp
    ) async throws -> SharedReservation? {
        try await store.openSharedReservation(atMost: count, holder: holder, life: life, now: now)
    }

    func use(
        of sharedReservation: SharedReservation, by userID: UserID, limit: Int, holder: NodeID, now: Timestamp
    ) throws -> Reservation {
        try store.use(of: sharedReservation, by: userID, limit: limit, holder: holder, now: now)
    }
}
