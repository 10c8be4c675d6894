import KeybearerSQLite
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// The ``MasterKeyWatch`` over two looks at the file, and over reloads.
@Suite(.timeLimit(.minutes(1)))
struct MasterKeyWatchTests {
    private struct State {
        var file = 1
        var inUse = 0
        var loads = 0
        var held: CheckedContinuation<Void, Never>?
    }

    @Test("Of two looks the later one decides, however long the earlier takes")
    func order() async throws {
        let state = Lock(State())
        let box = Box(state)
        let watch = MasterKeyWatch(
            clocks: TestClock().clocks, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) {
            let read = box.state.withLock { state in
                state.loads += 1
                return (file: state.file, isFirst: state.loads == 1)
            }
            if read.isFirst {
                await withCheckedContinuation { continuation in box.state.withLock { $0.held = continuation } }
            }
            box.state.withLock { $0.inUse = read.file }
        }
        async let first: Void = watch.look()
        while box.state.withLock({ $0.held == nil }) { await Task.yield() }
        box.state.withLock { $0.file = 2 }
        let second = Task { try await watch.look() }
        // Side by side it would be over by then; in turn it waits.
        for _ in 0..<1_000 { await Task.yield() }
        box.state.withLock { $0.held }?.resume()
        try await first
        try await second.value
        #expect(box.state.withLock { $0.inUse } == 2)
        #expect(box.state.withLock { $0.loads } == 2)
    }

    /// A node whose file with the master keys can be replaced by one that is refused.
    private struct Node {
        let clock = TestClock()
        let directory: TemporaryDirectory
        let file = Box(Lock(State()))
        let fence: RevocationFence

        init() throws {
            directory = try TemporaryDirectory()
            let random = RandomSource.seeded(1)
            fence = RevocationFence(
                store: try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server),
                cache: KeyCache(capacity: 10, rejectedCapacity: 10, random: random), clocks: clock.clocks,
                random: random, lease: .seconds(2), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                onEverything: { [file] in
                    let read = file.state.withLock { $0.file }
                    guard read > 0 else { throw RingRefusal([.unreadable("it holds no key")]) }
                    file.state.withLock { $0.inUse = read }
                })
        }

        func put(_ number: Int) { file.state.withLock { $0.file = number } }

        var inUse: Int { file.state.withLock { $0.inUse } }

        var holdsLease: Bool { fence.holdsLease(at: clock.clocks.steady()) }
    }

    @Test("A file that cannot be used costs a healthy server nothing when it is reloaded")
    func refusedReload() async throws {
        let node = try Node()
        await node.fence.step()
        #expect(node.holdsLease)
        node.put(0)
        for _ in 0..<4 {
            await #expect(throws: RingRefusal.self) { try await node.fence.reloadMasterKeys() }
            #expect(!node.fence.lacksMasterKeys)
            node.clock.advance(by: .seconds(1))
            await node.fence.step()
            #expect(node.holdsLease && node.inUse == 1)
        }
        // The fixed file is taken in the same moment.
        await #expect(throws: RingRefusal.self) { try await node.fence.reloadMasterKeys() }
        node.put(2)
        try await node.fence.reloadMasterKeys()
        #expect(node.holdsLease && node.inUse == 2)
    }

    @Test("A server that waits for a master key takes the fixed file when it is reloaded, without a pause")
    func reloadOfAFixedFile() async throws {
        let node = try Node()
        node.put(0)
        await node.fence.step()
        #expect(node.fence.lacksMasterKeys && !node.holdsLease)
        await #expect(throws: RingRefusal.self) { try await node.fence.reloadMasterKeys() }
        #expect(node.fence.lacksMasterKeys)
        node.put(2)
        try await node.fence.reloadMasterKeys()
        #expect(!node.fence.lacksMasterKeys)
        await node.fence.step()
        #expect(node.holdsLease && node.inUse == 2)
    }

    /// A mutex that closures can share.
    private final class Box: Sendable {
        let state: Lock<State>
        init(_ state: consuming sending Lock<State>) { self.state = state }
    }
}
