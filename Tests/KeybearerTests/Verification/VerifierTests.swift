import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// A ``Verifier`` over a real store: what memory decides, what the store is read for, and the ``Verdict``.
@Suite struct VerifierTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    @Test("A cold key is read once; then memory decides alone")
    func coldThenWarm() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        #expect(fixture.cachedVerdict(key, at: node).isAdmitted)
    }

    @Test("Without a lease nothing is decided from memory, and resolving takes a new one")
    func leaseLost() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        fixture.clock.advance(by: .seconds(2))
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        #expect(fixture.cachedVerdict(key, at: node).isAdmitted)
    }

    @Test("A lease ends exactly when it says")
    func leaseEnd() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
        fixture.clock.advance(by: .nanoseconds(1_999_999_999))
        #expect(fixture.cachedVerdict(key, at: node).isAdmitted)
        fixture.clock.advance(by: .nanoseconds(1))
        #expect(fixture.cachedVerdict(key, at: node).isNeedsStore)
    }

    @Test("With the store gone, a key is never called invalid: unavailable")
    func storeGone() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        try fixture.store.close()
        #expect(await fixture.verdict(key, at: node).isUnavailable)
    }

    @Test("Forgeries are refused without the store")
    func forgeries() async throws {
        await node.fence.step()
        let other = KeyVault(ring: try .generate(from: RandomSource.seeded(99)))
        let forged = try other.issue(prefix: .standard, random: fixture.random)
        try fixture.store.close()
        #expect(await fixture.verdict(forged, at: node).isUnauthorized)
    }

    @Test("Rejected keys are cached as rejected: a replay does not reach the store")
    func tombstones() async throws {
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        _ = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(await fixture.verdict(old, at: node).isUnauthorized)
        #expect(fixture.cachedVerdict(old, at: node).isUnauthorized)
    }

    @Test("Regenerate, disable, enable, plan, membership: each holds when its call returns")
    func changes() async throws {
        await node.fence.step()
        let (account, old) = try await fixture.entitledAccount(services)
        let id = account.workspaces[0].workspace.id
        #expect(await fixture.verdict(old, at: node).isAdmitted)
        let (new, _) = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(await fixture.verdict(old, at: node).isUnauthorized)
        #expect(await fixture.verdict(new, at: node).isAdmitted)
        try await services.accounts.setStatus(.disabled, of: account.user.id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node).isUnauthorized)
        try await services.accounts.setStatus(.active, of: account.user.id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node).isAdmitted)
        try await services.workspaces.setPlan(PlanID(rawValue: "free"), of: id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node).isLocked)
        #expect(await fixture.verdict(new, at: node, scope: .accountOnly).isAdmitted)
        try await services.workspaces.setPlan(PlanID(rawValue: "pro"), of: id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node, scope: .workspace(id)).isAdmitted)
        let (other, _) = try await fixture.entitledAccount(services, email: "bob@example.com")
        #expect(await fixture.verdict(new, at: node, scope: .workspace(other.workspaces[0].workspace.id)).isNotAMember)
        try await services.workspaces.putMember(
            account.user.id, in: other.workspaces[0].workspace.id, role: .member, by: .commandLine)
        #expect(await fixture.verdict(new, at: node, scope: .workspace(other.workspaces[0].workspace.id)).isAdmitted)
        try await services.workspaces.removeMember(
            account.user.id, from: other.workspaces[0].workspace.id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node, scope: .workspace(other.workspaces[0].workspace.id)).isNotAMember)
        try await services.accounts.delete(account.user.id, by: .commandLine)
        #expect(await fixture.verdict(new, at: node).isUnauthorized)
    }

    @Test("1,000 pass, the next is refused; regenerating resets nothing; another process admits none")
    func rateLimitStatus() async throws {
        await node.fence.step()
        let (account, first) = try await fixture.entitledAccount(services)
        for _ in 0..<600 { #expect(await fixture.verdict(first, at: node).isAdmitted) }
        let (key, _) = try await services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        var admitted = 0
        for _ in 0..<500 where await fixture.verdict(key, at: node).isAdmitted { admitted += 1 }
        #expect(admitted == 400)
        guard case .rateLimited(_, let status) = await fixture.verdict(key, at: node) else {
            Issue.record("admitted")
            return
        }
        #expect(status.remaining == 0)
        #expect(status.resetsAfter > .seconds(3_600))
        let second = try #require(fixture.services().node)
        await second.fence.step()
        #expect(await fixture.verdict(key, at: second).isRateLimited)
    }

    @Test("64 at the same time admit exactly 1,000")
    func concurrentRateLimit() async throws {
        await node.fence.step()
        let (_, key) = try await fixture.entitledAccount(services)
        #expect(await fixture.admittedOf1600(key, at: node) == 1_000)
    }
}
