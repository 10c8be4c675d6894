import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// ``LazyBytes`` are made once, whoever comes first.
@Suite struct LazyBytesTests {
    /// Gives a value that cannot be copied to many threads.
    private final class Owner: Sendable {
        let bytes = LazyBytes()
    }

    @Test("They are made at the first use, and read from then on", arguments: [0, 1, 7, 4_096])
    func once(count: Int) {
        let owner = Owner()
        var made = 0
        let expected = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        for _ in 0..<3 {
            let read = owner.bytes.withBytes(madeBy: {
                made += 1
                return expected
            }) { Array($0) }
            #expect(read == expected)
        }
        #expect(made == 1)
    }

    @Test("Threads that come first at the same time all read the same bytes")
    func race() {
        for _ in 0..<200 {
            let owner = Owner()
            let read = Lock<Set<[UInt8]>>([])
            DispatchQueue.concurrentPerform(iterations: 4) { number in
                let bytes = owner.bytes.withBytes(madeBy: { [UInt8](repeating: UInt8(number), count: 64) }) {
                    Array($0)
                }
                read.withLock { _ = $0.insert(bytes) }
            }
            #expect(read.withLock { $0.count } == 1)
        }
    }
}
