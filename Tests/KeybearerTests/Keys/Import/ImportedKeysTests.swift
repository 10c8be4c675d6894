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

    /// A history of imports; each change's prefix is its number, and a few are read at a time.
    private struct History {
        var changes: [Change]

        init(_ numbers: ClosedRange<Int64>, nonce: String = "a") {
            changes = numbers.map { number in
                Change(
                    position: ChangeLogPosition(number: number, nonce: nonce),
                    subject: .importedKeys([DigestPrefix(UInt64(number))]))
            }
        }

        func after(_ position: ChangeLogPosition) -> [Change]? {
            guard let place = changes.firstIndex(where: { $0.position == position }) else { return nil }
            return Array(changes[(place + 1)...].prefix(3))
        }
    }

    private static func position(_ number: Int64, _ nonce: String = "a") -> ChangeLogPosition {
        ChangeLogPosition(number: number, nonce: nonce)
    }

    @Test("A node that registers again adds what it missed, and reads nothing whole", arguments: [5, 6, 7, 8, 12, 20])
    func missed(end: Int64) async throws {
        let reads = Lock(0)
        let keys = ImportedKeys {
            reads.withLock { $0 += 1 }
            return [DigestPrefix(100)]
        }
        try await keys.load()
        let history = History(1...20)
        try await keys.catchUp(from: Self.position(5), to: Self.position(end)) { history.after($0) }
        #expect(reads.withLock { $0 } == 1)
        #expect(has(keys, 100) && !has(keys, 4) && !has(keys, 5))
        for number in 6..<max(6, end + 1) { #expect(has(keys, UInt64(number))) }
    }

    @Test(
        "A set that was never read, a history that was cut, went back or is another, and one from its beginning, are read",
        arguments: [
            (false, 1, 5, 20), (true, 6, 5, 20), (true, 1, 21, 20), (true, 1, 20, 19), (true, 1, 5, 21),
            (true, 1, 0, 20),
        ] as [(Bool, Int64, Int64, Int64)])
    func whole(isRead: Bool, kept: Int64, known: Int64, end: Int64) async throws {
        let reads = Lock(0)
        let keys = ImportedKeys {
            reads.withLock { $0 += 1 }
            return [DigestPrefix(100)]
        }
        if isRead { try await keys.load() }
        let history = History(kept...20)
        for (known, end) in [
            (Self.position(known), Self.position(end)), (Self.position(5, "b"), Self.position(20)),
            (Self.position(5), Self.position(20, "b")), (Self.position(20), Self.position(20, "b")),
        ] {
            let before = reads.withLock { $0 }
            try await keys.catchUp(from: known, to: end) { history.after($0) }
            #expect(reads.withLock { $0 } == before + 1 && has(keys, 100))
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
