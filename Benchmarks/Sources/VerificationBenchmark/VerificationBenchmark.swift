import CAllocationCount
import Crypto
import Foundation
import Keybearer
import KeybearerSQLite
import Logging

/// Times one verification in process, on a hit in memory, with budget and last use, beside one SHA-256 of the key.
///
/// Both are timed in turns in one run, and what counts is their ratio. Allocations are counted at malloc.
@main
struct VerificationBenchmark {
    static let rounds = 21
    static let perRound = 200_000

    static func main() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("keybearer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let store = try SQLiteStore.open(path: directory.appendingPathComponent("keybearer.db").path, role: .server)
        let ring = try MasterKeyRing.generate(from: .system)
        var settings = Deployment.Settings()
        settings.passwordCost = 10
        let deployment = Deployment(
            store: store, ring: ring, loadRing: { ring }, settings: settings, role: .server(prepare: { _ in [] }),
            logger: Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() })
        guard let gate = deployment.gate else { return }
        let key = try await makeKey(deployment)
        let running = Task { await gate.run() }
        try await measure(gate.verifier, key: key)
        running.cancel()
        await gate.stop()
    }

    /// An account whose hour does not end during the run, and its key.
    static func makeKey(_ deployment: Deployment) async throws -> SecretKey {
        let plan = Plan(
            id: PlanID(rawValue: "pro"), name: "Pro", features: [.apiWebhooks], hourlyLimit: 1_000_000_000, position: 1)
        try await deployment.workspaces.putPlan(plan, by: .commandLine)
        let account = try await deployment.accounts.create(
            name: "Ada", email: "ada@example.com", password: Password("a benchmark's secret"), by: .commandLine)
        for access in account.workspaces {
            try await deployment.workspaces.setPlan(plan.id, of: access.workspace.id, by: .commandLine)
        }
        return try await deployment.keys.reveal(account.user.id, by: .commandLine)
    }

    static func measure(_ verifier: Verifier, key: SecretKey) async throws {
        let bytes = Array(key.characters.utf8)
        guard let token = bytes.withUnsafeBufferPointer(PresentedToken.init) else { return }
        let address = IPAddress(v4: 0x7F00_0001)
        var verifications: [Double] = []
        var hashes: [Double] = []
        var allocations: [Double] = []
        for _ in 0..<rounds {
            try await warmUp(verifier, token: token, address: address)
            let before = keybearer_allocation_count()
            verifications.append(nanoseconds { verify(verifier, bytes: bytes, address: address) })
            allocations.append(Double(keybearer_allocation_count() - before) / Double(perRound))
            hashes.append(nanoseconds { hash(bytes) })
        }
        let verification = median(verifications)
        let hashing = median(hashes)
        let ratio = median(zip(verifications, hashes).map { $0 / $1 })
        print("one verification: \(text(verification)) ns; one SHA-256 of \(bytes.count) bytes: \(text(hashing)) ns")
        print("verification : SHA-256 = \(text(ratio)) (median of \(rounds) rounds)")
        print("allocations per verification: \(allocations.min() ?? -1) (least of \(rounds) rounds)")
    }

    /// Asks until the store has reserved more than a round needs: reservations double as they are used up.
    static func warmUp(_ verifier: Verifier, token: PresentedToken, address: IPAddress) async throws {
        var sinceStore = 0
        while sinceStore < perRound {
            let verdict = verifier.verify(
                token, scope: .anyWorkspace, from: address, now: Clocks.system.steady(), wall: Clocks.system.wall())
            if case .needsStore = verdict {
                _ = await verifier.resolve(token, scope: .anyWorkspace, from: address)
                sinceStore = 0
            }
            sinceStore += 1
        }
    }

    /// What a handler does: take the token's bytes, read the clocks, decide.
    @inline(never)
    static func verify(_ verifier: Verifier, bytes: [UInt8], address: IPAddress) {
        let clocks = Clocks.system
        bytes.withUnsafeBufferPointer { buffer in
            for _ in 0..<perRound {
                guard let token = PresentedToken(buffer) else { fatalError("the key has another length") }
                let verdict = verifier.verify(
                    token, scope: .anyWorkspace, from: address, now: clocks.steady(), wall: clocks.wall())
                if case .unauthorized = verdict { fatalError("the key was refused") }
            }
        }
    }

    @inline(never)
    static func hash(_ bytes: [UInt8]) {
        for _ in 0..<perRound { blackHole(SHA256.hash(data: bytes)) }
    }

    @inline(never)
    static func blackHole(_ value: SHA256.Digest) {}

    static func nanoseconds(_ body: () -> Void) -> Double {
        let duration = ContinuousClock().measure(body)
        return Double(duration.components.attoseconds) / 1e9 / Double(perRound)
            + Double(duration.components.seconds) * 1e9 / Double(perRound)
    }

    static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    static func text(_ value: Double) -> String { String(format: "%.2f", value) }
}
