import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// A ``RevocationFence`` and other nodes: acknowledgements, and the ``PropagationWait`` for each ``Committed`` change.
@Suite struct RevocationFenceTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    @Test("Two nodes: a change at one holds at the other when the response arrives")
    func twoNodes() async throws {
        let second = try #require(fixture.services().node)
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        await second.fence.step()
        #expect(await fixture.verdict(old, at: second).isAdmitted)
        let follower = Task {
            while !Task.isCancelled {
                await second.fence.step()
                await Task.yield()
            }
        }
        _ = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(!fixture.cachedVerdict(old, at: second).isAdmitted)
        follower.cancel()
        await follower.value
    }

    @Test("A node that does not answer is waited for until its lease is over, once, and then registers again")
    func silentNode() async throws {
        let silent = try #require(fixture.services().node)
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        await silent.fence.step()
        #expect(await fixture.verdict(old, at: silent).isAdmitted)
        let start = fixture.clock.clocks.steady()
        let runner = fixture.runClock()
        let (new, _) = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        runner.cancel()
        await runner.value
        #expect(start.duration(to: fixture.clock.clocks.steady()) >= .seconds(2))
        #expect(!fixture.cachedVerdict(old, at: silent).isAdmitted)
        // Its row is gone: with the clock standing still, this would wait for ever if it were still waited for.
        _ = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(await fixture.verdict(old, at: silent).isUnauthorized)
        #expect(await fixture.verdict(new, at: silent).isUnauthorized)
    }

    @Test(
        "Changes from elsewhere are acknowledged immediately, those that this process waits for with the next renewal")
    func acknowledgements() async throws {
        await node.fence.step()
        let (account, _) = try await fixture.entitledAccount(services)
        let samples = Samples()
        func change() async throws -> ChangeLogPosition {
            await applied(
                try await fixture.store.setStatus(
                    .active, of: account.user.id, by: .commandLine, audit: samples.event(.userEnabled))
            ).position
        }
        func acknowledged() async throws -> Int64 {
            await node.fence.step()
            return try #require(await fixture.store.nodes().first).acknowledged
        }
        #expect(try await acknowledged() == 0)
        let foreign = try await change()
        #expect(try await acknowledged() == foreign.number)

        let own = try await change()
        await node.fence.waitUntilApplied(own)
        #expect(try await acknowledged() == foreign.number)
        fixture.clock.advance(by: .milliseconds(500))
        #expect(try await acknowledged() == own.number)

        await node.fence.waitUntilApplied(try await change())
        let behindOwn = try await change()
        #expect(try await acknowledged() == behindOwn.number)

        // Waited for only when it was acknowledged already: that must not count for the next.
        await node.fence.waitUntilApplied(behindOwn)
        let last = try await change()
        #expect(try await acknowledged() == last.number)
    }

    @Test("A change that the store has lost is not waited for for ever, and costs the lease")
    func lostChange() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        let clock = fixture.runClock()
        await node.fence.waitUntilApplied(ChangeLogPosition(number: 1_000, nonce: "lost in a failover"))
        clock.cancel()
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
    }

    @Test("A change under a number that was applied already, of a history that is gone, costs the lease")
    func numberUsedAgain() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        let newest = await applied(
            try await fixture.store.setStatus(
                .active, of: account.user.id, by: .commandLine, audit: Samples().event(.userEnabled))
        ).position
        await node.fence.waitUntilApplied(newest)
        let clock = fixture.runClock()
        await node.fence.waitUntilApplied(ChangeLogPosition(number: newest.number, nonce: "of another history"))
        clock.cancel()
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
    }
}
