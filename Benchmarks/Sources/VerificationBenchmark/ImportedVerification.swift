import CAllocationCount
import Foundation
import Keybearer

/// One warm verification of an imported key beside one of a key of our own, and the refusal of invented tokens.
///
/// All are timed in interleaved rounds of one run, and their ratios count.
enum ImportedVerification {
    private static let rounds = 31
    private static let perRound = 100_000
    private static let lengths = [42, 54, 55, 128]

    /// What is timed: a key with the times of its rounds.
    private struct Subject {
        let name: String
        let bytes: [UInt8]
        var times: [Double] = []
        var hashes: [Double] = []
        var allocations: [Double] = []
    }

    static func measure(_ node: BenchmarkNode, tokens: [AccountFile.Token]) async throws {
        var subjects = [Subject(name: "tdc_ key", bytes: Array(tokens[0].characters.utf8))]
        for length in lengths {
            let bytes = random(length)
            try await importKey(bytes, "imported\(length)", at: node)
            subjects.append(Subject(name: "imported, \(length) bytes", bytes: bytes))
        }
        let presented = try subjects.map { try present($0.bytes) }
        await node.reserve(rounds * perRound, for: presented[...])
        while subjects[0].times.count < rounds {
            do {
                let round = try subjects.map { try time($0.bytes, at: node) }
                for (place, (time, allocations)) in round.enumerated() {
                    subjects[place].times.append(time)
                    subjects[place].allocations.append(allocations)
                    let hash = Stopwatch.nanosecondsOfHash(subjects[place].bytes, count: perRound)
                    subjects[place].hashes.append(hash)
                }
            } catch is ReservationEnded {
                await node.reserve(rounds * perRound, for: presented[...])
            }
        }
        report(subjects)
        try flood(node)
    }

    private static func report(_ subjects: [Subject]) {
        for subject in subjects {
            let ratio = Stopwatch.text(Stopwatch.ratio(subject.times, subjects[0].times))
            let more = Stopwatch.text(Stopwatch.median(zip(subject.times, subjects[0].times).map { $0 - $1 }))
            print(
                "\(subject.name): \(Stopwatch.text(Stopwatch.median(subject.times))) ns, \(ratio) of a tdc_ key's, \(more) ns "
                    + "more; one SHA-256 of it: \(Stopwatch.text(Stopwatch.median(subject.hashes))) ns; "
                    + "\(subject.allocations.min() ?? -1) allocations")
        }
    }

    private static func time(_ bytes: [UInt8], at node: BenchmarkNode) throws -> (time: Double, allocations: Double) {
        let before = keybearer_allocation_count()
        let time = try Stopwatch.nanoseconds(per: perRound) {
            try OneVerification.verify(node.node.verifier, bytes: bytes, count: perRound)
        }
        return (time, Double(keybearer_allocation_count() - before) / Double(perRound))
    }

    /// What invented tokens cost where keys were imported, and that they leave the store alone.
    private static func flood(_ node: BenchmarkNode) throws {
        let requests = node.node.verifier.storeRequests
        for length in lengths {
            let tokens = try (0..<10_000).map { _ in try present(random(length)) }
            let times = (0..<rounds).map { _ in
                Stopwatch.nanoseconds(per: tokens.count) { refuseAll(tokens, at: node) }
            }
            print("refusing an invented token of \(length) bytes: \(Stopwatch.text(Stopwatch.median(times))) ns")
        }
        print("requests to the store for them: \(node.node.verifier.storeRequests - requests)")
    }

    /// From no address: throttled ones are not looked at.
    @inline(never)
    private static func refuseAll(_ tokens: [PresentedToken], at node: BenchmarkNode) {
        for token in tokens {
            let verdict = node.node.verifier.cachedVerdict(
                for: token, scope: .anyWorkspace, from: .localSocket, now: node.clocks.steady(),
                wall: node.clocks.wall())
            guard case .unauthorized = verdict else { fatalError("an invented token was not refused: \(verdict)") }
        }
    }

    private static func importKey(_ bytes: [UInt8], _ name: String, at node: BenchmarkNode) async throws {
        var input = UserInput()
        (input.email, input.name) = ("\(name)@example.com", "Account")
        input.keyToImport = KeyToImport(String(decoding: bytes, as: UTF8.self))
        let account = try await node.services.writes.create(input, by: .commandLine)
        try await node.services.workspaces.setPlan(
            PlanID(rawValue: "pro"), of: account.workspaces[0].workspace.id, by: .commandLine)
    }

    private static func random(_ length: Int) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-".utf8)
        return AccountFile.random.bytes(length).map { alphabet[Int($0) % alphabet.count] }
    }

    private static func present(_ bytes: [UInt8]) throws -> PresentedToken {
        guard let token = bytes.withUnsafeBufferPointer(PresentedToken.init) else {
            throw VerificationBenchmark.Misuse()
        }
        return token
    }
}
