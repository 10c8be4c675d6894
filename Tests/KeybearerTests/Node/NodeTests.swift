import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// A ``Node`` that stops: what is unused is released, and last uses are written.
@Suite struct NodeTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    @Test("A stop releases what is unused and writes last uses; a crash loses no limit")
    func stop() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        for _ in 0..<3 { #expect(await fixture.verdict(key, at: node).isAdmitted) }
        await node.stop()
        #expect(try await fixture.store.nodes(behind: .max).isEmpty)
        let stored = try await services.accounts.account(account.user.id)
        #expect(stored.key.lastUse == LastUse(at: fixture.clock.clocks.wall(), address: Samples.address))
        let look = QuotaRequest.look(account.user.id)
        let window = try await fixture.store.reserve([look], now: fixture.clock.clocks.wall())
        #expect(window.first?.charged == 3)
    }
}
