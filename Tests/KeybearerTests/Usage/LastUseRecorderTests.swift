import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// The ``LastUseRecorder`` over a ``LastUseStore`` that fails at times: last uses are written in parts, and none is lost.
@Suite struct LastUseRecorderTests {
    let samples = Samples(seed: 41)

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
}
