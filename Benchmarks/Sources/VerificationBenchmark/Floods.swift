import Foundation
import Keybearer

/// How often floods of refused keys reach the store: counted, not inferred. And what it costs to refuse one.
enum Floods {
    static let requests = 100_000
    static let rounds = 11
    static let regenerated = 200

    static func measure(_ node: BenchmarkNode) async throws {
        let other = KeyVault(ring: try .generate(from: .system))
        let forged = try (0..<requests).map { _ in
            try other.issue(prefix: .standard, random: AccountFile.random).presented
        }
        let whileForged = await storeRequests(node) { for token in forged { await expectRefusal(token, at: node) } }
        var ended: [PresentedToken] = []
        let account = try await node.services.accounts.find(AccountFile.email(0))
        for _ in 0..<regenerated {
            ended.append(try await node.services.keys.reveal(account.user.id, by: .commandLine).presented)
            _ = try await node.services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        }
        let first = await storeRequests(node) { for token in ended { await expectRefusal(token, at: node) } }
        let whileEnded = await storeRequests(node) {
            for number in 0..<requests { await expectRefusal(ended[number % ended.count], at: node) }
        }
        print("store requests during \(requests) different forged keys: \(whileForged) (target 0)")
        print("store requests during the first use of \(regenerated) regenerated keys: \(first)")
        print("store requests during \(requests) requests with these: \(whileEnded) (target 0)")
        let bytes = Array(try other.issue(prefix: .standard, random: AccountFile.random).characters.utf8)
        var (hashes, ofForged, ofEnded): ([Double], [Double], [Double]) = ([], [], [])
        while hashes.count < rounds {
            // Lets what keeps the lease go on.
            await Task.yield()
            let hash = Stopwatch.nanosecondsOfHash(bytes, count: requests)
            do {
                let forgedTime = try Stopwatch.nanoseconds(per: requests) { try refuseAll(forged, at: node) }
                let rejectionTime = try Stopwatch.nanoseconds(per: requests) {
                    for _ in 0..<requests / ended.count { try refuseAll(ended, at: node) }
                }
                hashes.append(hash)
                ofForged.append(forgedTime)
                ofEnded.append(rejectionTime)
            } catch {
                // The lease had run out: asked by way of the store, it comes back.
                await expectRefusal(forged[0], at: node)
            }
        }
        print(
            "one refusal of a forged key: \(Stopwatch.text(Stopwatch.median(ofForged))) ns; : SHA-256 = "
                + "\(Stopwatch.text(Stopwatch.ratio(ofForged, hashes))) (median of \(rounds) rounds)")
        print(
            "one refusal of a regenerated key: \(Stopwatch.text(Stopwatch.median(ofEnded))) ns; : SHA-256 = "
                + "\(Stopwatch.text(Stopwatch.ratio(ofEnded, hashes))) (median of \(rounds) rounds)")
    }

    /// What a handler does for each request, once for each token: read the clocks, decide.
    @inline(never)
    private static func refuseAll(_ tokens: [PresentedToken], at node: BenchmarkNode) throws(ReservationEnded) {
        for token in tokens {
            let verdict = node.node.verifier.cachedVerdict(
                for: token, scope: .anyWorkspace, from: BenchmarkNode.address, now: node.clocks.steady(),
                wall: node.clocks.wall())
            if case .needsStore = verdict { throw ReservationEnded() }
            guard case .unauthorized = verdict else { fatalError("a dead key was not refused: \(verdict)") }
        }
    }

    private static func expectRefusal(_ token: PresentedToken, at node: BenchmarkNode) async {
        let verdict = await node.node.verifier.verdict(for: token, scope: .anyWorkspace, from: BenchmarkNode.address)
        guard case .unauthorized = verdict else { fatalError("a dead key was not refused: \(verdict)") }
    }

    private static func storeRequests(_ node: BenchmarkNode, _ body: () async -> Void) async -> Int {
        let before = node.node.verifier.storeRequests
        await body()
        return node.node.verifier.storeRequests - before
    }
}
