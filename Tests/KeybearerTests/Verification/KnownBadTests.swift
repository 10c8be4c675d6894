import TestSupport
import Testing

@testable import Keybearer

/// What a ``Verifier`` refuses without the store, also after ``DatabaseLost``.
@Suite struct KnownBadTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    @Test("A live key is not known to be bad, a replaced one and a forgery are, and without a lease nothing is")
    func knownBad() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        let forger = KeyVault(ring: try .generate(from: RandomSource.seeded(77)))
        let forgery = try forger.issue(prefix: .standard, random: fixture.random)
        func isKnownBad(_ key: SecretKey) -> Bool {
            node.verifier.isKnownBad(
                key.token, from: Samples.address, now: fixture.clock.clocks.steady())
        }
        #expect(!isKnownBad(key), "not read yet")
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        #expect(!isKnownBad(key))
        #expect(isKnownBad(forgery))
        _ = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(await fixture.verdict(key, at: node).isUnauthorized)
        #expect(isKnownBad(key))
        fixture.clock.advance(by: .seconds(3))
        #expect(!isKnownBad(key))
        #expect(!isKnownBad(forgery))
    }

    @Test("Without its database a request is not decided, immediately and for that reason", .timeLimit(.minutes(1)))
    func lostDatabase() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        node.fence.giveUp(DatabaseLost(reason: "database_replaced", message: "It was replaced."))
        // The clock stands still: a wait for the lease would never end.
        guard case .unavailable(let error) = await fixture.verdict(key, at: node) else {
            Issue.record("decided")
            return
        }
        #expect((error as? KeybearerError)?.cause is DatabaseLost)
    }
}
