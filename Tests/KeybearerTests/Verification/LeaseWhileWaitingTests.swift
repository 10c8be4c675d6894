import KeybearerSQL
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// A request that waits for the store, with its ``SingleFlightRead`` behind it, while its lease ends or its account
/// changes.
@Suite struct LeaseWhileWaitingTests {
    /// A node whose reservations a test holds up.
    private struct Node {
        let store: HeldRateLimitStore
        let fence: RevocationFence
        let verifier: Verifier

        init(_ fixture: NodeFixture) {
            store = HeldRateLimitStore(store: fixture.store)
            let clocks = fixture.clock.clocks
            let thread = fixture.store.executor
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let cache = KeyCache(capacity: 100, rejectedCapacity: 100, random: fixture.random)
            let vault = CurrentVault(KeyVault(ring: fixture.ring))
            fence = RevocationFence(
                store: fixture.store, cache: cache, clocks: clocks, random: fixture.random,
                lease: .seconds(2), thread: thread, logger: logger, onEverything: {})
            // The waits end by real time, which a busy machine uses up: here they end when a test lets them.
            let patience = Verifier.Patience(near: .seconds(60), longest: .seconds(60), request: .seconds(60))
            verifier = Verifier(
                cache: cache, fence: fence,
                batcher: ReservationBatcher(store: store, thread: thread, clocks: clocks, isOnlyNode: { false }),
                usage: UsageRecorder(store: fixture.store, clocks: clocks, logger: logger), vault: vault,
                store: fixture.store, thread: thread, clocks: clocks, patience: patience)
        }
    }

    private let fixture: NodeFixture
    private let elsewhere: Services
    private let node: Node

    init() async throws {
        fixture = try NodeFixture()
        elsewhere = fixture.services(.command)
        node = Node(fixture)
    }

    /// Decides about a key, and does something between its read of the account and the answer to its reservation.
    private func verdict(on key: SecretKey, while body: () async throws -> Void) async throws -> Verdict {
        await node.fence.step()
        node.store.hold()
        let verifier = node.verifier
        async let verdict = verifier.verdictFromStore(for: key.token, scope: .anyWorkspace, from: Samples.address)
        await node.store.waitForRequest()
        do {
            try await body()
        } catch {
            node.store.release()
            _ = await verdict
            throw error
        }
        node.store.release()
        return await verdict
    }

    private func disable(_ account: Account) async throws {
        let clock = fixture.runClock()
        try await elsewhere.accounts.setStatus(.disabled, of: account.user.id, by: .commandLine)
        clock.cancel()
        await clock.value
    }

    @Test("The lease ends and the account is disabled elsewhere: it does not pass")
    func leaseEnds() async throws {
        let (account, key) = try await fixture.entitledAccount(elsewhere)
        let verdict = try await verdict(on: key) { try await disable(account) }
        #expect(!verdict.isAdmitted, "\(verdict)")
    }

    @Test("There is a new lease by then: it does not pass either")
    func leaseComesBack() async throws {
        let (account, key) = try await fixture.entitledAccount(elsewhere)
        let verdict = try await verdict(on: key) {
            try await disable(account)
            await node.fence.step()
        }
        #expect(!verdict.isAdmitted, "\(verdict)")
    }

    @Test("The change was applied under the same lease: it does not pass")
    func changeIsApplied() async throws {
        let (account, key) = try await fixture.entitledAccount(elsewhere)
        let verdict = try await verdict(on: key) {
            let fence = node.fence
            let follower = Task {
                while !Task.isCancelled {
                    await fence.step()
                    await Task.yield()
                }
            }
            try await elsewhere.accounts.setStatus(.disabled, of: account.user.id, by: .commandLine)
            follower.cancel()
            await follower.value
        }
        #expect(!verdict.isAdmitted, "\(verdict)")
    }

    @Test("The lease ends and nothing changed: it waits for a new one and passes")
    func leaseEndsAlone() async throws {
        let (_, key) = try await fixture.entitledAccount(elsewhere)
        let verdict = try await verdict(on: key) { fixture.clock.advance(by: .seconds(3)) }
        #expect(verdict.isAdmitted, "\(verdict)")
    }

    @Test("What changes for others makes it read nothing again")
    func othersChange() async throws {
        let (_, key) = try await fixture.entitledAccount(elsewhere)
        let (other, _) = try await fixture.entitledAccount(elsewhere, email: "bob@example.com")
        let samples = Samples()
        let verdict = try await verdict(on: key) {
            for _ in 0..<3 {
                _ = try await fixture.store.setStatus(
                    .active, of: other.user.id, by: .commandLine, audit: samples.event(.userEnabled))
            }
            await node.fence.step()
        }
        #expect(verdict.isAdmitted, "\(verdict)")
        #expect(node.verifier.storeRequests == 2, "the account and its reservation")
    }
}

/// A store of rate limits whose responses wait until a test lets them go.
private final class HeldRateLimitStore: RateLimitStore {
    private struct State {
        var isHeld = false
        var held: [CheckedContinuation<Void, Never>] = []
        var watchers: [CheckedContinuation<Void, Never>] = []
    }

    private let store: any RateLimitStore
    private let state = Lock(State())

    init(store: any RateLimitStore) {
        self.store = store
    }

    func hold() { state.withLock { $0.isHeld = true } }

    /// Returns when a request is held.
    func waitForRequest() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.held.isEmpty { state.watchers.append(continuation) }
                return !state.held.isEmpty
            }
            if isThere { continuation.resume() }
        }
    }

    func release() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation] {
        await withCheckedContinuation { continuation in
            let watchers = state.withLock { state -> [CheckedContinuation<Void, Never>]? in
                guard state.isHeld else { return nil }
                state.held.append(continuation)
                defer { state.watchers = [] }
                return state.watchers
            }
            guard let watchers else { return continuation.resume() }
            for watcher in watchers { watcher.resume() }
        }
        return try await store.reserve(requests, now: now)
    }

    func postReclaims(of userIDs: [UserID], now: Timestamp) async throws {
        try await store.postReclaims(of: userIDs, now: now)
    }

    func reclaims(now: Timestamp) async throws -> [ReclaimRequest] { try await store.reclaims(now: now) }
}
