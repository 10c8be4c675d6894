import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

@Suite("The watch on the master keys", .timeLimit(.minutes(1)))
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

    /// A mutex that closures can share.
    private final class Box: Sendable {
        let state: Lock<State>
        init(_ state: consuming sending Lock<State>) { self.state = state }
    }
}
