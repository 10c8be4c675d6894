import KeybearerSQL
import KeybearerSQLite
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// One deployment over a real SQLite file, with clocks that the test holds.
struct NodeFixture {
    let directory: TemporaryDirectory
    let clock = TestClock()
    let store: SQLStore
    let ring: MasterKeyRing
    /// Stands for the file with the master keys.
    let ringFile: CurrentVault
    let random = RandomSource.seeded(21)

    init() throws {
        directory = try TemporaryDirectory()
        store = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
        ring = try MasterKeyRing.generate(from: RandomSource.seeded(20))
        ringFile = CurrentVault(KeyVault(ring: ring))
    }

    func services(_ role: Services.Role = .server, random: RandomSource = .system)
        -> Services
    {
        var settings = Services.Settings()
        settings.passwordCost = 10
        let ringFile = ringFile
        return Services(
            store: store, ring: ringFile.current.ring, loadRing: { ringFile.current.ring }, settings: settings,
            role: role, clocks: clock.clocks,
            random: random, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// An account on the plan with the feature, and its key.
    func entitledAccount(_ services: Services, email: String = "ada@example.com") async throws -> (
        Account, SecretKey
    ) {
        let made = try await services.accounts.create(
            name: "Ada", email: email, password: Password("long enough secret"), by: .commandLine)
        try await services.workspaces.setPlan(
            PlanID(rawValue: "pro"), of: made.workspaces[0].workspace.id, by: .commandLine)
        let account = try await services.accounts.account(made.user.id)
        return (account, try await services.keys.reveal(made.user.id, by: .commandLine))
    }

    func cachedVerdict(_ key: SecretKey, at node: Node, scope: AccessScope = .anyWorkspace) -> Verdict {
        node.verifier.cachedVerdict(
            for: key.token, scope: scope, from: Samples.address, now: clock.clocks.steady(), wall: clock.clocks.wall())
    }

    /// How many of 1,600 requests are admitted, by 64 clients at the same time.
    func admittedOf1600(_ key: SecretKey, at node: Node) async -> Int {
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    var admitted = 0
                    for _ in 0..<25 where await verdict(key, at: node).isAdmitted { admitted += 1 }
                    return admitted
                }
            }
            return await group.reduce(0, +)
        }
    }

    func verdict(_ key: SecretKey, at node: Node, scope: AccessScope = .anyWorkspace) async -> Verdict {
        let verdict = cachedVerdict(key, at: node, scope: scope)
        guard case .needsStore = verdict else { return verdict }
        return await node.verifier.verdictFromStore(for: key.token, scope: scope, from: Samples.address)
    }
}

/// A fixture with a server's deployment on it.
struct NodeStage {
    let fixture: NodeFixture
    let services: Services
    let node: Node

    init() throws {
        fixture = try NodeFixture()
        services = fixture.services()
        node = try #require(services.node)
    }
}

/// Tests that call the parts of their stage by name.
protocol OnNodeStage {
    var stage: NodeStage { get }
}

extension OnNodeStage {
    var fixture: NodeFixture { stage.fixture }
    var services: Services { stage.services }
    var node: Node { stage.node }
}

extension Verdict {
    var isAdmitted: Bool { if case .admitted = self { true } else { false } }
    var isUnauthorized: Bool { if case .unauthorized = self { true } else { false } }
    var isNeedsStore: Bool { if case .needsStore = self { true } else { false } }
    var isUnavailable: Bool { if case .unavailable = self { true } else { false } }
    var isLocked: Bool { if case .featureLocked = self { true } else { false } }
    var isRateLimited: Bool { if case .rateLimited = self { true } else { false } }
    var isNotAMember: Bool { if case .notAMember = self { true } else { false } }
}

@Suite("The gate")
struct NodeTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    @Test("A cold key is read once; then memory decides alone")
    func coldThenWarm() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        #expect(fixture.cachedVerdict(key, at: node).isAdmitted)
    }

    @Test("Without a lease nothing is decided from memory, and resolving takes a new one")
    func leaseLost() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        fixture.clock.advance(by: .seconds(2))
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        #expect(fixture.cachedVerdict(key, at: node).isAdmitted)
    }

    @Test("A lease ends exactly when it says")
    func leaseEnd() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        fixture.clock.advance(by: .nanoseconds(1_999_999_999))
        #expect(fixture.cachedVerdict(key, at: node).isAdmitted)
        fixture.clock.advance(by: .nanoseconds(1))
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
    }

    @Test("With the store gone, a key is never called invalid: unavailable")
    func storeGone() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        try fixture.store.close()
        #expect(await fixture.verdict(key, at: node).isUnavailable)
    }

    @Test("Forgeries are refused without the store")
    func forgeries() async throws {
        await node.fence.step()
        let other = KeyVault(ring: try .generate(from: RandomSource.seeded(99)))
        let forged = try other.issue(prefix: .standard, random: fixture.random)
        try fixture.store.close()
        #expect(await fixture.verdict(forged, at: node).isUnauthorized)
    }

    @Test("Dead keys are remembered as dead: a replay does not reach the store")
    func tombstones() async throws {
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        _ = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(await fixture.verdict(old, at: node).isUnauthorized)
        #expect(fixture.cachedVerdict(old, at: node).isUnauthorized)
    }

    @Test("Regenerate, disable, enable, plan, membership: each holds when its call returns")
    func changes() async throws {
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        let id = account.workspaces[0].workspace.id
        #expect(await fixture.verdict(old, at: node).isAdmitted)
        let (new, _) = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(await fixture.verdict(old, at: node).isUnauthorized)
        #expect(await fixture.verdict(new, at: node).isAdmitted)
        try await services.accounts.setStatus(.disabled, of: account.user.id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node).isUnauthorized)
        try await services.accounts.setStatus(.active, of: account.user.id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node).isAdmitted)
        try await services.workspaces.setPlan(PlanID(rawValue: "free"), of: id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node).isLocked)
        #expect(await fixture.verdict(new, at: node, scope: .accountOnly).isAdmitted)
        try await services.workspaces.setPlan(PlanID(rawValue: "pro"), of: id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node, scope: .workspace(id)).isAdmitted)
        let (other, _) = try await fixture.entitledAccount(services, email: "bob@example.com")
        #expect(await fixture.verdict(new, at: node, scope: .workspace(other.workspaces[0].workspace.id)).isNotAMember)
        try await services.workspaces.putMember(
            account.user.id, in: other.workspaces[0].workspace.id, role: .member, by: .commandLine)
        #expect(await fixture.verdict(new, at: node, scope: .workspace(other.workspaces[0].workspace.id)).isAdmitted)
        try await services.workspaces.removeMember(
            account.user.id, from: other.workspaces[0].workspace.id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node, scope: .workspace(other.workspaces[0].workspace.id)).isNotAMember)
        try await services.accounts.delete(account.user.id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node).isUnauthorized)
    }

    @Test("Two nodes: a change at one holds at the other when the answer arrives")
    func twoNodes() async throws {
        let second = try #require(fixture.services().node)
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        await second.fence.step()
        #expect(await fixture.verdict(old, at: second).isAdmitted)
        let follower = Task {
            while !Task.isCancelled {
                await second.fence.step()
                await Task.yield()
            }
        }
        _ = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(!fixture.cachedVerdict(old, at: second).isAdmitted)
        follower.cancel()
        await follower.value
    }

    @Test("A node that does not answer is waited for until its lease is over, once, and then begins anew")
    func silentNode() async throws {
        let silent = try #require(fixture.services().node)
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        await silent.fence.step()
        #expect(await fixture.verdict(old, at: silent).isAdmitted)
        let start = fixture.clock.clocks.steady()
        let runner = fixture.runClock()
        let (new, _) = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        runner.cancel()
        await runner.value
        #expect(start.duration(to: fixture.clock.clocks.steady()) >= .seconds(2))
        #expect(!fixture.cachedVerdict(old, at: silent).isAdmitted)
        // Its row is gone: with the clock standing still, this would wait for ever if it were still waited for.
        _ = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(await fixture.verdict(old, at: silent).isUnauthorized)
        #expect(await fixture.verdict(new, at: silent).isUnauthorized)
    }

    @Test("What was read before a change is not remembered after it")
    func staleRead() throws {
        let cache = KeyCache(capacity: 1_000, rejectedCapacity: 1_000, random: fixture.random)
        let vault = KeyVault(ring: fixture.ring)
        let key = try vault.issue(prefix: .standard, random: fixture.random)
        let user = User(
            id: .random(from: fixture.random), email: EmailAddress(normalised: "a@b.c"), name: "A",
            createdAt: Samples.start)
        let record = APIKey(
            id: .random(from: fixture.random), version: 1, shownPrefix: "tdc_aaaa", generatedAt: Samples.start)
        let account = CachedAccount(
            account: Account(user: user, key: record, workspaces: []), token: key.token,
            accountState: cache.accountState(of: user.id))
        let generation = cache.generation
        cache.apply([Change(position: ChangeLogPosition(number: 1, nonce: "a"), subject: .user(user.id))])
        #expect(!cache.insert(.cached(account), for: key.token, user: user, readAt: generation))
        #expect(cache.find(key.token) == nil)
        #expect(cache.insert(.cached(account), for: key.token, user: user, readAt: cache.generation))
        #expect(cache.find(key.token) != nil)
        cache.apply([Change(position: ChangeLogPosition(number: 2, nonce: "b"), subject: .everything)])
        #expect(cache.find(key.token) == nil)
    }

    @Test("Memory keeps to its cap; what is forgotten is read again")
    func capacity() throws {
        let cache = KeyCache(capacity: 64, rejectedCapacity: 64, random: fixture.random)
        let vault = KeyVault(ring: fixture.ring)
        var cached = 0
        for _ in 0..<2_000 {
            let key = try vault.issue(prefix: .standard, random: fixture.random)
            cache.insert(.rejected, for: key.token, user: nil, readAt: cache.generation)
            if cache.find(key.token) != nil { cached += 1 }
        }
        #expect(cached == 2_000, "the newest is always known")
    }

    @Test("1,000 pass, the next is refused; regenerating resets nothing; another process admits none")
    func rateLimitStatus() async throws {
        await node.fence.step()
        let (account, first) = try await fixture.entitledAccount(services)
        for _ in 0..<600 { #expect(await fixture.verdict(first, at: node).isAdmitted) }
        let (key, _) = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        var admitted = 0
        for _ in 0..<500 where await fixture.verdict(key, at: node).isAdmitted { admitted += 1 }
        #expect(admitted == 400)
        guard case .rateLimited(_, let status) = await fixture.verdict(key, at: node) else {
            Issue.record("admitted")
            return
        }
        #expect(status.remaining == 0)
        #expect(status.resetsAfter > .seconds(3_600))
        let second = try #require(fixture.services().node)
        await second.fence.step()
        #expect(await fixture.verdict(key, at: second).isRateLimited)
    }

    @Test("64 at once admit exactly 1,000")
    func concurrentRateLimit() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.admittedOf1600(key, at: node) == 1_000)
    }

    @Test("A stop gives back what is unused and writes last uses; a crash loses no limit")
    func stop() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        for _ in 0..<3 { #expect(await fixture.verdict(key, at: node).isAdmitted) }
        await node.stop()
        #expect(try await fixture.store.nodes(behind: .max).isEmpty)
        let stored = try await services.accounts.account(account.user.id)
        #expect(stored.key.lastUse == LastUse(at: fixture.clock.clocks.wall(), address: Samples.address))
        let look = QuotaRequest.look(account.user.id)
        let window = try await fixture.store.reserve([look], now: fixture.clock.clocks.wall())
        #expect(window.first?.charged == 3)
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

    @Test("Changes from elsewhere are acknowledged at once, those that this process waits for with the next renewal")
    func acknowledgements() async throws {
        await node.fence.step()
        let (account, _) = try await fixture.entitledAccount(services)
        let samples = Samples()
        func change() async throws -> ChangeLogPosition {
            await applied(
                try await fixture.store.setStatus(
                    .active, of: account.user.id, by: .commandLine, audit: samples.event(.userEnabled))
            ).position
        }
        func acknowledged() async throws -> Int64 {
            await node.fence.step()
            return try #require(await fixture.store.nodes().first).acknowledged
        }
        #expect(try await acknowledged() == 0)
        let foreign = try await change()
        #expect(try await acknowledged() == foreign.number)

        let own = try await change()
        await node.fence.waitUntilApplied(own)
        #expect(try await acknowledged() == foreign.number)
        fixture.clock.advance(by: .milliseconds(500))
        #expect(try await acknowledged() == own.number)

        await node.fence.waitUntilApplied(try await change())
        let behindOwn = try await change()
        #expect(try await acknowledged() == behindOwn.number)

        // Waited for only when it was acknowledged already: that must not count for the next.
        await node.fence.waitUntilApplied(behindOwn)
        let last = try await change()
        #expect(try await acknowledged() == last.number)
    }

    @Test("A change that the store has lost is not waited for for ever, and costs the lease")
    func lostChange() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        let clock = fixture.runClock()
        await node.fence.waitUntilApplied(ChangeLogPosition(number: 1_000, nonce: "lost in a failover"))
        clock.cancel()
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
    }

    @Test("A change under a number that was applied already, of a history that is gone, costs the lease")
    func numberUsedAgain() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        let newest = await applied(
            try await fixture.store.setStatus(
                .active, of: account.user.id, by: .commandLine, audit: Samples().event(.userEnabled))
        ).position
        await node.fence.waitUntilApplied(newest)
        let clock = fixture.runClock()
        await node.fence.waitUntilApplied(ChangeLogPosition(number: newest.number, nonce: "of another history"))
        clock.cancel()
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
    }

    @Test("Before an account is refused, others give back what they hold of its hour")
    func reclaim() async throws {
        let clocks = fixture.clock.clocks
        let (account, _) = try await fixture.entitledAccount(services)
        func batcher() -> ReservationBatcher {
            ReservationBatcher(store: fixture.store, clocks: clocks, isOnlyNode: { false })
        }
        let (holding, asking) = (batcher(), batcher())
        let (held, empty) = (AccountState(userID: account.user.id), AccountState(userID: account.user.id))
        // All but one of the hour is gone to the one, which uses none of it.
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

    @Test("An account whose hour is used up is refused when nothing comes back")
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

    @Test("Rotation: keys go on working, the old master key is reduced to its tag, and nothing is left under it")
    func rotation() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        var saved: [MasterKeyRing] = []
        let ring = try await services.masterKeys.rotate(
            save: {
                saved.append($0); fixture.ringFile.replace(with: KeyVault(ring: $0))
            }, progress: { _ in })
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        #expect(saved.count == 3)
        #expect(ring.activeID != fixture.ring.activeID)
        #expect(try await fixture.store.sealedKeyCounts().keys.map(\.rawValue) == [ring.activeID?.rawValue])
        let vault = KeyVault(ring: ring)
        #expect(vault.isGenuine(key))
        let record = try #require(try await fixture.store.storedKeys(after: nil, limit: 1).first)
        let opened = try vault.open(
            record.sealed, userID: account.user.id, keyID: record.keyID, version: record.version)
        #expect(opened == key)
        let old = try #require(ring.entries.first { $0.id == fixture.ring.activeID })
        guard case .tagOnly = old.material else { Issue.record("the old master key is still whole"); return }
    }
}

extension NodeFixture {
    /// Moves the clocks for as long as it is not cancelled, so that waits for leases end.
    func runClock() -> Task<Void, Never> {
        let clock = clock
        return Task {
            while !Task.isCancelled {
                clock.advance(by: .milliseconds(10))
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
    }
}

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
