import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

@Suite("Writing in parts, so that others come between")
struct StoreTurnsTests {
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

    @Test("What has ended unused is given back once, in parts; what has not ended is left alone")
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

    @Test("What expires goes back when it expires, also while more is reserved ahead")
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

    /// Fails from the second part on until it is told to work.
    private final class MoodyStore: LastUseStore {
        private let state = Lock<(parts: [[KeyID]], works: Bool)>(([], false))
        var parts: [[KeyID]] { state.withLock { $0.parts } }
        func work() { state.withLock { $0.works = true } }

        func recordLastUses(_ uses: [KeyUse], now: Timestamp) async throws {
            try state.withLock { state in
                if !state.works, !state.parts.isEmpty { throw KeybearerError.unavailable() }
                state.parts.append(uses.map(\.keyID))
            }
        }
    }

    private func recorder(_ store: some LastUseStore) -> LastUseRecorder {
        LastUseRecorder(store: store, clocks: .system, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Notes uses of so many keys, each of an account of its own.
    private func record(_ count: Int, in recorder: LastUseRecorder) -> Set<KeyID> {
        let keys = (0..<count).map { _ in KeyID.random(from: samples.random) }
        for keyID in keys {
            let accountState = AccountState(userID: .random(from: samples.random))
            #expect(accountState.restoreUnwritten((keyID, LastUse(at: Samples.start, address: Samples.address))))
            recorder.record(accountState)
        }
        return Set(keys)
    }

    @Test("Last uses are written in parts; none is lost when the store fails between two of them")
    func lastUses() async throws {
        let store = MoodyStore()
        let recorder = recorder(store)
        let keys = record(200, in: recorder)
        await recorder.flush()
        #expect(store.parts.count == 1)
        store.work()
        await recorder.flush()
        #expect(store.parts.allSatisfy { $0.count <= BackgroundWrites.batchSizes.upperBound })
        #expect(store.parts.joined().count == 200)
        #expect(Set(store.parts.joined()) == keys)
    }

    @Test("A second's last uses are written over the next second, each when it has waited for one")
    func lastUsesOverASecond() async throws {
        let store = MoodyStore()
        store.work()
        let recorder = recorder(store)
        var recorded: [Set<KeyID>] = []
        for _ in 0..<LastUseRecorder.partsOfSecond {
            recorded.append(record(20, in: recorder))
            await recorder.writeOldest()
        }
        // The last call came round to the first part.
        for (number, part) in recorded.enumerated() {
            #expect(store.parts.count == 2 * (number + 1))
            #expect(Set(store.parts.suffix(2).joined()) == part)
            await recorder.writeOldest()
        }
    }

    @Test("A few keys are written together, in two transactions a second")
    func fewLastUses() async throws {
        let store = MoodyStore()
        store.work()
        let recorder = recorder(store)
        var keys: Set<KeyID> = []
        for _ in 1..<LastUseRecorder.partsOfSecond {
            keys.formUnion(record(1, in: recorder))
            #expect(await recorder.writeOldest())
        }
        #expect(store.parts.isEmpty)
        #expect(await recorder.writeOldest())
        #expect(store.parts.map(\.count) == [6])
        for _ in 0..<LastUseRecorder.partsOfSecond { #expect(await recorder.writeOldest()) }
        #expect(store.parts.map(\.count) == [6, 3])
        #expect(Set(store.parts.joined()) == keys)
    }

    @Test("When writing took longer than an interval, all is written that has become due meanwhile")
    func lateLastUses() async throws {
        let store = MoodyStore()
        store.work()
        let recorder = recorder(store)
        var recorded: [Set<KeyID>] = []
        for _ in 0..<3 {
            recorded.append(record(20, in: recorder))
            await recorder.writeOldest()
        }
        await recorder.writeOldest(intervals: LastUseRecorder.partsOfSecond - 3)
        #expect(Set(store.parts.joined()) == recorded[0])
        await recorder.writeOldest(intervals: 2)
        #expect(Set(store.parts.joined()) == recorded.reduce(into: []) { $0.formUnion($1) })
        let last = record(1, in: recorder)
        await recorder.writeOldest(intervals: 1_000)
        #expect(store.parts.last.map(Set.init) == last)
    }

    @Test("What a store that fails could not write is written first when it works again")
    func failingStore() async throws {
        let store = MoodyStore()
        let recorder = recorder(store)
        let first = record(1, in: recorder)
        await recorder.flush()
        let second = record(20, in: recorder)
        for _ in 1..<LastUseRecorder.partsOfSecond { #expect(await recorder.writeOldest()) }
        #expect(await !recorder.writeOldest())
        store.work()
        #expect(await recorder.writeOldest())
        #expect(Set(store.parts.joined()) == first.union(second))
    }

    @Test(
        "Batches hold all in their order; they are large only when there are many",
        arguments: [0, 1, 15, 16, 17, 200, 700, 5_000])
    func batches(count: Int) {
        let batches = BackgroundWrites.batches(Array(0..<count))
        #expect(Array(batches.joined()) == Array(0..<count))
        let sizes = BackgroundWrites.batchSizes
        #expect(batches.allSatisfy { $0.count <= sizes.upperBound })
        #expect(batches.dropLast().allSatisfy { $0.count >= sizes.lowerBound })
        if count > 16, count <= 128 { #expect(batches.first?.count == 16) }
        if count >= 512 { #expect(batches.first?.count == 64) }
        #expect(BackgroundWrites.batches(Array(0..<count), isAwaited: true).count == (count + 63) / 64)
    }
}
