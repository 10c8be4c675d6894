import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// The ``UsageRecorder`` over a ``UsageStore`` that fails at times: last uses and counts are written in parts, none is
/// lost, and none is counted twice.
@Suite struct UsageRecorderTests {
    let samples = Samples(seed: 41)

    /// Fails from the second part on until it is told to work.
    private final class MoodyStore: UsageStore {
        private let state = Lock<(parts: [[KeyID]], works: Bool)>(([], false))
        var parts: [[KeyID]] { state.withLock { $0.parts } }
        func work() { state.withLock { $0.works = true } }

        func recordUsage(_ batch: UsageBatch, now: Timestamp) async throws {
            try state.withLock { state in
                if !state.works, !state.parts.isEmpty { throw KeybearerError.unavailable() }
                if !batch.uses.isEmpty { state.parts.append(batch.uses.map(\.keyID)) }
            }
        }

        func usage(of userID: UserID, between times: [Timestamp]) async throws -> [[UsageOutcome: Int]] { [] }
        func removeOldUsage(keeping retention: Duration, now: Timestamp) async throws {}
    }

    private func recorder(_ store: some UsageStore) -> UsageRecorder {
        UsageRecorder(store: store, clocks: .system, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Notes uses of so many keys, each of an account of its own.
    private func record(_ count: Int, in recorder: UsageRecorder) -> Set<KeyID> {
        let keys = (0..<count).map { _ in KeyID.random(from: samples.random) }
        for keyID in keys {
            let accountState = AccountState(userID: .random(from: samples.random))
            accountState.reserve(1, at: Samples.start)
            let (_, isFirst, _) = accountState.consume(
                limit: 10, keyID: keyID, from: Samples.address, now: SteadyTime(nanoseconds: 1), wall: Samples.start)
            #expect(isFirst)
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
        for _ in 0..<UsageRecorder.partsOfSecond {
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
        for _ in 1..<UsageRecorder.partsOfSecond {
            keys.formUnion(record(1, in: recorder))
            #expect(await recorder.writeOldest())
        }
        #expect(store.parts.isEmpty)
        #expect(await recorder.writeOldest())
        #expect(store.parts.map(\.count) == [6])
        for _ in 0..<UsageRecorder.partsOfSecond { #expect(await recorder.writeOldest()) }
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
        await recorder.writeOldest(intervals: UsageRecorder.partsOfSecond - 3)
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
        for _ in 1..<UsageRecorder.partsOfSecond { #expect(await recorder.writeOldest()) }
        #expect(await !recorder.writeOldest())
        store.work()
        #expect(await recorder.writeOldest())
        #expect(Set(store.parts.joined()) == first.union(second))
    }

    /// Adds batches as a database does, and fails at random, before or behind the commit.
    private final class LossyStore: UsageStore {
        private struct State {
            var batches: [String: Int64] = [:]
            var sums: [UsageOutcome: Int] = [:]
        }
        private let state = Lock(State())
        private let random: RandomSource
        let isLossy = Lock(true)
        init(_ random: RandomSource) { self.random = random }
        var sums: [UsageOutcome: Int] { state.withLock { $0.sums } }

        func recordUsage(_ batch: UsageBatch, now: Timestamp) async throws {
            let fate = isLossy.withLock { $0 } ? random.below(4) : 3
            if fate == 0 { throw KeybearerError.unavailable() }
            await Task.yield()
            state.withLock { state in
                guard state.batches[batch.writer, default: 0] < batch.number else { return }
                state.batches[batch.writer] = batch.number
                for count in batch.counts { state.sums[count.outcome, default: 0] += count.count }
            }
            if fate == 1 { throw KeybearerError.unavailable() }
        }

        func usage(of userID: UserID, between times: [Timestamp]) async throws -> [[UsageOutcome: Int]] { [] }
        func removeOldUsage(keeping retention: Duration, now: Timestamp) async throws {}
    }

    @Test(
        "What is written is what was counted, whatever writes fail or are cut off, and however many write",
        arguments: 0..<20)
    func sums(_ seed: UInt64) async {
        let random = RandomSource.seeded(seed)
        let store = LossyStore(random)
        let recorder = recorder(store)
        var counted: [UsageOutcome: Int] = [:]
        var states = (0..<30).map { _ in AccountState(userID: .random(from: random)) }
        let keyID = KeyID.random(from: random)
        for step in 0..<400 {
            let place = Int(random.below(30))
            // Its memory is needed for another account.
            if step.isMultiple(of: 50), states[place].isWritten {
                states[place] = AccountState(userID: .random(from: random))
            }
            let state = states[place]
            let refusal = state.consume(
                limit: 0, keyID: keyID, from: Samples.address, now: SteadyTime(nanoseconds: 1),
                wall: Samples.start.advanced(by: .seconds(60 * step)))
            if refusal.isFirstUnwritten { recorder.record(state) }
            counted[.rateLimited, default: 0] += 1
            if random.below(5) == 0 {
                async let other: Void = recorder.flush()
                await recorder.writeOldest(intervals: 3)
                await other
            }
        }
        store.isLossy.withLock { $0 = false }
        await recorder.flush()
        #expect(store.sums == counted)
        let areAllWritten = states.allSatisfy(\.isWritten)
        #expect(areAllWritten)
    }
}
