import KeybearerSQL
import KeybearerSQLite
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// ``Services`` over a real SQLite file, with clocks that the test holds.
struct NodeFixture {
    let directory: TemporaryDirectory
    let clock = TestClock()
    let store: SQLStore
    let ring: MasterKeyRing
    /// Stands for the file with the master keys.
    let ringFile: CurrentVault
    let random = RandomSource.seeded(21)

    init() throws {
        directory = try TemporaryDirectory()
        store = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
        ring = try MasterKeyRing.generate(from: RandomSource.seeded(20))
        ringFile = CurrentVault(KeyVault(ring: ring))
    }

    func services(_ role: Services.Role = .server, random: RandomSource = .system)
        -> Services
    {
        var settings = Services.Settings()
        settings.passwordCost = 10
        // By real time, and the machine may be busy.
        settings.patience = Verifier.Patience(near: .seconds(60), longest: .seconds(60), request: .seconds(60))
        let ringFile = ringFile
        return Services(
            store: store, ring: ringFile.current.ring, loadRing: { ringFile.current.ring }, settings: settings,
            role: role, clocks: clock.clocks,
            random: random, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// An account on the plan with the feature, and its key.
    func entitledAccount(_ services: Services, email: String = "ada@example.com") async throws -> (
        Account, SecretKey
    ) {
        let made = try await services.accounts.create(
            name: "Ada", email: email, password: Password("long enough secret"), by: .commandLine)
        try await services.workspaces.setPlan(
            PlanID(rawValue: "pro"), of: made.workspaces[0].workspace.id, by: .commandLine)
        let account = try await services.accounts.account(made.user.id)
        return (account, try await services.keys.reveal(made.user.id, by: .commandLine))
    }

    func cachedVerdict(_ key: SecretKey, at node: Node, scope: AccessScope = .anyWorkspace) -> Verdict {
        node.verifier.cachedVerdict(
            for: key.token, scope: scope, from: Samples.address, now: clock.clocks.steady(), wall: clock.clocks.wall())
    }

    /// How many of 1,600 requests are admitted, by 64 clients at the same time.
    func admittedOf1600(_ key: SecretKey, at node: Node) async -> Int {
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    var admitted = 0
                    for _ in 0..<25 where await verdict(key, at: node).isAdmitted { admitted += 1 }
                    return admitted
                }
            }
            return await group.reduce(0, +)
        }
    }

    func verdict(_ key: SecretKey, at node: Node, scope: AccessScope = .anyWorkspace) async -> Verdict {
        let verdict = cachedVerdict(key, at: node, scope: scope)
        guard case .needsStore = verdict else { return verdict }
        return await node.verifier.verdictFromStore(for: key.token, scope: scope, from: Samples.address)
    }
}

/// A fixture with a server's services on it.
struct NodeStage {
    let fixture: NodeFixture
    let services: Services
    let node: Node

    init() throws {
        fixture = try NodeFixture()
        services = fixture.services()
        node = try #require(services.node)
    }
}

/// Tests that call the parts of their stage by name.
protocol OnNodeStage {
    var stage: NodeStage { get }
}

extension OnNodeStage {
    var fixture: NodeFixture { stage.fixture }
    var services: Services { stage.services }
    var node: Node { stage.node }
}

extension Verdict {
    var isAdmitted: Bool { if case .admitted = self { true } else { false } }
    var isUnauthorized: Bool { if case .unauthorized = self { true } else { false } }
    var isNeedsStore: Bool { if case .needsStore = self { true } else { false } }
    var isUnavailable: Bool { if case .unavailable = self { true } else { false } }
    var isLocked: Bool { if case .featureLocked = self { true } else { false } }
    var isRateLimited: Bool { if case .rateLimited = self { true } else { false } }
    var isNotAMember: Bool { if case .notAMember = self { true } else { false } }
}

extension NodeFixture {
    /// Moves the clocks for as long as it is not cancelled, so that waits for leases end.
    func runClock() -> Task<Void, Never> {
        let clock = clock
        return Task {
            while !Task.isCancelled {
                clock.advance(by: .milliseconds(10))
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
    }
}
