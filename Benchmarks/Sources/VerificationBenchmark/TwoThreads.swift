import Dispatch
import Foundation
import Keybearer
import Synchronization

/// Two threads that verify against one, each with accounts of its own, interleaved. A line for each round: hashes a
/// microsecond with one thread and with two, verifications with one and with two, hashes with one and with two.
///
/// Beside it the same of one SHA-256, which shares nothing: two cores of a virtual machine may be halves of one for
/// some time, and then nothing reaches twice. A round is short, so that both meet the same.
enum TwoThreads {
    static let rounds = 24
    static let usesPerRound = 100

    static func measure(_ node: BenchmarkNode, tokens: [AccountFile.Token]) async throws {
        let verifier = node.node.verifier
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
            try rate(threads: threads, perThread: perThread) { _ in
                // A copy of its own: even to count who holds the same bytes is to share something.
                Stopwatch.hash(bytes.map { $0 }, count: perThread)
            }
        }
        var round = 0
        for part in parts { await node.reserve(16 * rounds * usesPerRound, for: part) }
        while round < rounds {
            let before = (try hashes(threads: 1), try hashes(threads: 2))
            guard let one = try? verifications(threads: 1), let two = try? verifications(threads: 2) else {
                for part in parts { await node.reserve(16 * rounds * usesPerRound, for: part) }
                continue
            }
            let after = (try hashes(threads: 1), try hashes(threads: 2))
            print(before.0, before.1, one, two, after.0, after.1)
            round += 1
        }
    }

    /// How many a microsecond all threads together do, from when all of them run until the last is done.
    ///
    /// What it takes to begin a thread, and to wake a core for it, is not counted: that is the machine's.
    private static func rate(
        threads: Int, perThread: Int, _ body: @escaping @Sendable (Int) throws -> Void
    ) throws -> Double {
        let start = SpinningBarrier(threads: threads)
        let failures = Mutex(0)
        let laps = Mutex<[(began: ContinuousClock.Instant, ended: ContinuousClock.Instant)]>([])
        let finished = DispatchGroup()
        for thread in 0..<threads {
            finished.enter()
            Thread.detachNewThread {
                // Two threads may begin on one core: the first lap is long enough to be given one each.
                for isCounted in [false, true] {
                    start.arrive()
                    let began = ContinuousClock.now
                    do { try body(thread) } catch { failures.withLock { $0 += 1 } }
                    if isCounted { laps.withLock { $0.append((began, .now)) } }
                }
                finished.leave()
            }
        }
        finished.wait()
        let counted = laps.withLock { $0 }
        guard failures.withLock({ $0 == 0 }), let began = counted.map(\.began).min(),
            let ended = counted.map(\.ended).max()
        else { throw ReservationEnded() }
        return Double(perThread * threads) * 1e-6 / (began.duration(to: ended) / .seconds(1))
    }
}

/// Where threads wait for each other without sleeping, so that all of them run when it opens.
private final class SpinningBarrier: Sendable {
    private let threads: Int
    private let arrivals = Atomic<Int>(0)

    init(threads: Int) { self.threads = threads }

    /// Returns when every thread has arrived as often as the caller.
    func arrive() {
        let arrival = arrivals.add(1, ordering: .acquiringAndReleasing).newValue
        let awaited = (arrival + threads - 1) / threads * threads
        while arrivals.load(ordering: .acquiring) < awaited {}
    }
}
