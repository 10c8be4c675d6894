import Foundation
import Keybearer
import KeybearerSQLite

/// A node that remembers many accounts of a file beside one that remembers 1,000 of them.
///
/// The steady clocks run slowly, so that what was reserved for the first account is still good when the last has its
/// own. Last uses are noted and not written: what writing costs is measured at the gate.
enum ManyAccounts {
    static let few = 1_000
    static let rounds = 5
    /// How many requests are asked of either node in a round.
    static let perRound = 1_000_000
    static let slowness: Int64 = 60

    static func measure(_ file: AccountFile, count: Int) async throws {
        let store = try SQLiteStore.open(path: file.database, role: .server)
        let (small, large) = (
            try BenchmarkNode(file, store: store, slowness: slowness),
            try BenchmarkNode(file, store: store, slowness: slowness)
        )
        var tokens = try file.tokens().prefix(count).map(\.presented)
        let followers = [small, large].map { node in Task { await node.node.fence.run() } }
        await small.reserve(1, for: tokens[..<few])
        let before = residentBytes()
        let start = ContinuousClock.now
        await large.reserve(1, for: tokens[...])
        let seconds = start.duration(to: .now) / .seconds(1)
        let each = Double(residentBytes() - before) / Double(tokens.count)
        print(
            "cached accounts: \(tokens.count); resident memory for each: \(Int(each)) bytes, "
                + "of the whole process: \(residentBytes() >> 20) MiB")
        print("cold keys, \(BenchmarkNode.askedAtOnce) at the same time: \(Int(Double(tokens.count) / seconds))/s")
        // Not in the order in which they were read: requests do not come in the order of memory.
        tokens = tokens[..<few] + tokens[few...].shuffled()
        try await compare(small, large, tokens)
        for follower in followers { follower.cancel() }
    }

    private static func compare(_ small: BenchmarkNode, _ large: BenchmarkNode, _ tokens: [PresentedToken]) async throws
    {
        let hot = tokens[..<few]
        let times = perRound / few
        var (one, same, all): ([Double], [Double], [Double]) = ([], [], [])
        func nanoseconds(_ node: BenchmarkNode, _ tokens: ArraySlice<PresentedToken>, times: Int) throws -> Double {
            try Stopwatch.nanoseconds(per: tokens.count * times) {
                for _ in 0..<times { try node.node.verifier.verifyAll(tokens, clocks: node.clocks) }
            }
        }
        for node in [small, large] { await node.reserve((rounds + 1) * times, for: hot) }
        for _ in 0..<rounds {
            one.append(try nanoseconds(small, hot, times: times))
            same.append(try nanoseconds(large, hot, times: times))
            all.append(try nanoseconds(large, tokens[few...], times: 1))
        }
        let medians = [one, same, all].map { Stopwatch.text(Stopwatch.median($0)) }
        print("one verification, \(few) accounts in rotation, \(few) cached: \(medians[0]) ns")
        print(
            "the same accounts, \(tokens.count) cached: \(medians[1]) ns; throughput "
                + "\(Stopwatch.text(Stopwatch.ratio(one, same))) of that (median of \(rounds) rounds; target 0.9)")
        print(
            "all \(tokens.count) in rotation: \(medians[2]) ns; throughput "
                + "\(Stopwatch.text(Stopwatch.ratio(one, all))) of that")
    }

    /// What of this process is in memory.
    private static func residentBytes() -> Int {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        return (pages?.dropFirst().first.flatMap { Int($0) } ?? 0) * 4_096
    }
}
