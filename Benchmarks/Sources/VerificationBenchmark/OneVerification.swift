import CAllocationCount
import Foundation
import Keybearer

/// One verification on a hit in memory, with budget and last use, beside one SHA-256 of the key.
///
/// Both are timed in interleaved rounds of one run, and their ratio counts. Allocations are counted at malloc.
enum OneVerification {
    static let rounds = 21
    static let perRound = 200_000

    static func measure(_ node: BenchmarkNode, token: AccountFile.Token) async throws {
        let bytes = Array(token.characters.utf8)
        var verifications: [Double] = []
        var hashes: [Double] = []
        var allocations: [Double] = []
        await node.reserve(rounds * perRound, for: [token.presented])
        while hashes.count < rounds {
            let before = keybearer_allocation_count()
            let time = try? Stopwatch.nanoseconds(per: perRound) {
                try verify(node.node.verifier, bytes: bytes, count: perRound)
            }
            guard let time else {
                await node.reserve(rounds * perRound, for: [token.presented])
                continue
            }
            verifications.append(time)
            allocations.append(Double(keybearer_allocation_count() - before) / Double(perRound))
            hashes.append(Stopwatch.nanosecondsOfHash(bytes, count: perRound))
        }
        let verification = Stopwatch.text(Stopwatch.median(verifications))
        let hashing = Stopwatch.text(Stopwatch.median(hashes))
        let ratio = Stopwatch.text(Stopwatch.ratio(verifications, hashes))
        print("one verification: \(verification) ns; one SHA-256 of \(bytes.count) bytes: \(hashing) ns")
        print("verification : SHA-256 = \(ratio) (median of \(rounds) rounds; target 1.5)")
        print("allocations per verification: \(allocations.min() ?? -1) (minimum of \(rounds) rounds; target 0)")
    }

    /// What a handler does: take the token's bytes, read the clocks, decide.
    @inline(never)
    static func verify(_ verifier: Verifier, bytes: [UInt8], count: Int) throws {
        let clocks = Clocks.system
        try bytes.withUnsafeBufferPointer { buffer in
            for _ in 0..<count {
                guard let token = PresentedToken(buffer) else { fatalError("the key has another length") }
                let verdict = verifier.cachedVerdict(
                    for: token, scope: .anyWorkspace, from: BenchmarkNode.address, now: clocks.steady(),
                    wall: clocks.wall())
                guard case .admitted = verdict else { throw ReservationEnded() }
            }
        }
    }
}
