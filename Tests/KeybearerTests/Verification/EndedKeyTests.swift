import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// ``EndedKey``, an ``UnwrittenSource``: attempts with a key that ended are counted in memory and written in the batch;
/// the store is asked once, by ``KeyReads``.
@Suite struct EndedKeyTests: OnNodeStage {
    let stage: NodeStage

    init() throws { stage = try NodeStage() }

    private func attempts(of account: Account) async throws -> [EndedKeyAttempts] {
        await node.usage.flush()
        return try await services.keys.history(of: account).attempts
    }

    @Test("Each attempt is counted, at the head too; one read finds whose key it was")
    func counted() async throws {
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        _ = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        await node.fence.step()
        let before = node.verifier.storeRequests
        for _ in 0..<50 { #expect(await fixture.verdict(old, at: node).isUnauthorized) }
        #expect(node.verifier.isKnownBad(old.token, from: IPAddress(v4: 7), now: fixture.clock.clocks.steady()))
        #expect(node.verifier.storeRequests == before + 1)
        let live = try await services.accounts.account(account.user.id)
        let found = try #require(try await attempts(of: live).first)
        #expect(found.count == 51 && found.address == IPAddress(v4: 7))
        #expect(found.endedAt == (try await fixture.store.pastKeys(of: account.user.id)).first?.endedAt)
        // What was written is not written again.
        #expect(await fixture.verdict(old, at: node).isUnauthorized)
        #expect(try await attempts(of: live).map(\.count) == [52])
        #expect(try await attempts(of: live).map(\.count) == [52])
    }

    @Test("A token that was never a key, and the key of a disabled account, are counted nowhere")
    func others() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        try await services.accounts.setStatus(.disabled, of: account.user.id, by: .commandLine)
        await node.fence.step()
        for _ in 0..<3 { #expect(await fixture.verdict(key, at: node).isUnauthorized) }
        #expect(try await attempts(of: account).isEmpty)
    }
}
