import Dispatch
import Foundation
import Keybearer
import Synchronization

/// Two threads that verify against one, each with accounts of its own, in turns.
///
/// Beside it the same of one SHA-256, which shares nothing: two cores of a virtual machine may be halves of one, and
/// then nothing reaches twice.
enum TwoThreads {
    static let rounds = 15
    static let usesPerRound = 400

    static func measure(_ node: Node, tokens: [AccountFile.Token]) async throws {
        let verifier = node.gate.verifier
        let half = tokens.count / 2
        let parts = [tokens[..<half], tokens[half...]].map { $0.map(\.presented)[...] }
        let bytes = Array(tokens[0].characters.utf8)
        let perThread = half * usesPerRound
        func verifications(threads: Int) throws -> Double {
            try rate(threads: threads, perThread: perThread) { thread in
                for _ in 0..<usesPerRound { try verifier.verifyAll(parts[thread], clocks: .system) }
            }
        }
        func hashes(threads: Int) throws -> Double {
            try rate(threads: threads, perThread: perThread) { _ in Stopwatch.hash(bytes, count: perThread) }
        }
        var (one, two, oneHash, twoHashes): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
        for part in parts { await node.reserve(3 * rounds * usesPerRound, for: part) }
        while oneHash.count < rounds {
            guard let alone = try? verifications(threads: 1), let together = try? verifications(threads: 2) else {
                for part in parts { await node.reserve(3 * rounds * usesPerRound, for: part) }
                continue
            }
            one.append(alone)
            two.append(together)
            oneHash.append(try hashes(threads: 1))
            twoHashes.append(try hashes(threads: 2))
        }
        let ratio = Stopwatch.text(Stopwatch.ratio(two, one))
        let control = Stopwatch.text(Stopwatch.ratio(twoHashes, oneHash))
        print("two threads : one = \(ratio) (median of \(rounds) rounds, 500 accounts each; aim 1.8)")
        print("two threads : one, of SHA-256, which shares nothing = \(control)")
    }

    /// How many a microsecond all threads together do.
    private static func rate(
        threads: Int, perThread: Int, _ body: @escaping @Sendable (Int) throws -> Void
    ) throws -> Double {
        let failures = Mutex(0)
        let nanoseconds = Stopwatch.nanoseconds(per: perThread * threads) {
            DispatchQueue.concurrentPerform(iterations: threads) { thread in
                do { try body(thread) } catch { failures.withLock { $0 += 1 } }
            }
        }
        guard failures.withLock({ $0 == 0 }) else { throw ReservationEnded() }
        return 1_000 / nanoseconds
    }
}
