import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// ``ImportedKeys``: no import is lost, whatever is loaded beside it.
@Suite struct ImportedKeysTests {
    /// A store whose answers a test gives one by one.
    private final class Reads: Sendable {
        private let waiting = Lock<[CheckedContinuation<[DigestPrefix], any Error>]>([])
        var count: Int { waiting.withLock { $0.count } }

        func read() async throws -> [DigestPrefix] {
            try await withCheckedThrowingContinuation { continuation in waiting.withLock { $0.append(continuation) } }
        }

        /// Answers a read; the first is 0.
        func respond(_ number: Int, _ result: Result<[DigestPrefix], any Error>) {
            waiting.withLock { $0[number] }.resume(with: result)
        }

        func wait(for count: Int) async { while self.count < count { await Task.yield() } }
    }

    private struct Failed: Error {}

    private func change(_ numbers: UInt64...) -> [Change] {
        [
            Change(
                position: ChangeLogPosition(number: 1, nonce: "a"),
                subject: .importedKeys(numbers.map { DigestPrefix($0) })),
            Change(position: ChangeLogPosition(number: 2, nonce: "b"), subject: .everything),
        ]
    }

    private func has(_ keys: ImportedKeys, _ numbers: UInt64...) -> Bool {
        numbers.allSatisfy { keys.contains(anyOf: [DigestPrefix($0)]) }
    }

    @Test("What is applied during a load stays; what is gone from the store goes")
    func additions() async throws {
        let reads = Reads()
        let keys = ImportedKeys { try await reads.read() }
        #expect(keys.isEmpty)
        keys.apply(change(7))
        async let load: Void = keys.load()
        await reads.wait(for: 1)
        keys.apply(change(8, 9))
        #expect(has(keys, 7, 8, 9))
        reads.respond(0, .success([DigestPrefix(1), DigestPrefix(8)]))
        try await load
        #expect(has(keys, 1, 8, 9) && !has(keys, 7) && keys.count == 3)
    }

    @Test("Of two loads the one that began last stays, whichever ends first", arguments: [[0, 1], [1, 0]])
    func order(ends: [Int]) async throws {
        let reads = Reads()
        let keys = ImportedKeys { try await reads.read() }
        let first = Task { try await keys.load() }
        await reads.wait(for: 1)
        keys.apply(change(5))
        let second = Task { try await keys.load() }
        await reads.wait(for: 2)
        keys.apply(change(6))
        for end in ends {
            // The newer state has the imports of 4 and 5, which the older has not seen.
            let found: [UInt64] = end == 0 ? [1] : [1, 4, 5]
            reads.respond(end, .success(found.map { DigestPrefix($0) }))
            try await (end == 0 ? first : second).value
            #expect(has(keys, 1, 5, 6))
        }
        #expect(has(keys, 1, 4, 5, 6) && keys.count == 4)
    }

    @Test("The set is read again for a ring that makes other digests, and for no other")
    func rings() async throws {
        let reads = Lock(0)
        let (one, two) = (MasterKeyID(rawValue: "mk_one"), MasterKeyID(rawValue: "mk_two"))
        let keys = ImportedKeys(digestKeys: [one]) {
            reads.withLock { $0 += 1 }
            return []
        }
        for (ring, count) in [([one], 0), ([one, two], 1), ([two, one], 1), ([two], 2), ([two], 2), ([one], 3)] {
            try await keys.load(for: Set(ring))
            #expect(reads.withLock { $0 } == count)
        }
    }

    @Test("A load that fails changes nothing")
    func failure() async throws {
        let reads = Reads()
        let keys = ImportedKeys { try await reads.read() }
        keys.apply(change(3))
        let load = Task { try await keys.load() }
        await reads.wait(for: 1)
        reads.respond(0, .failure(Failed()))
        await #expect(throws: Failed.self) { try await load.value }
        #expect(has(keys, 3) && keys.count == 1 && keys.byteCount > 0)
    }
}
