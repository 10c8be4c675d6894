import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// ``LimitWrites``: a ``LimitOverride`` of accounts and workspaces, a ``PlanEnd``, what happens at a ``DueEnd``, and
/// fresh hours on two nodes.
@Suite struct LimitWritesTests: OnNodeStage {
    let stage: NodeStage

    init() throws {
        stage = try NodeStage()
    }

    private static let pro = PlanID(rawValue: "pro")
    private static let free = PlanID(rawValue: "free")

    /// How many of 1,300 requests pass.
    private func admitted(_ key: SecretKey, at nodes: [Node], scope: AccessScope = .anyWorkspace) async -> Int {
        var admitted = 0
        for number in 0..<1_300 {
            if await fixture.verdict(key, at: nodes[number % nodes.count], scope: scope).isAdmitted { admitted += 1 }
        }
        return admitted
    }

    private func limit(_ key: SecretKey, scope: AccessScope = .anyWorkspace) async -> Int? {
        switch await fixture.verdict(key, at: node, scope: scope) {
        case .admitted(_, let status), .rateLimited(_, let status): status.limit
        default: nil
        }
    }

    @Test("An account's override goes before a workspace's, and that before the plan's")
    func order() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        let workspace = Reference.id(account.workspaces[0].workspace.id)
        let scope = AccessScope.workspace(account.workspaces[0].workspace.id)
        func expectLimit(_ expected: Int) async {
            #expect(await limit(key) == expected)
            #expect(await limit(key, scope: scope) == expected)
        }
        await expectLimit(1_000)
        try await services.writes.setLimit(LimitOverride(hourlyLimit: 5_000), of: workspace, by: .commandLine)
        await expectLimit(5_000)
        try await services.writes.setLimit(LimitOverride(hourlyLimit: 20), of: account.user.id, by: .commandLine)
        await expectLimit(20)
        #expect(await admitted(key, at: [node]) < 20)
        try await services.writes.setLimit(nil, of: account.user.id, by: .commandLine)
        await expectLimit(5_000)
        try await services.writes.setLimit(nil, of: workspace, by: .commandLine)
        await expectLimit(1_000)
    }

    @Test("A limit of 0 lets nothing pass and asks no store, whatever was used; null is the plan's again")
    func zero() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        for _ in 0..<3 { #expect(await fixture.verdict(key, at: node).isAdmitted) }
        try await services.writes.setLimit(LimitOverride(hourlyLimit: 0), of: account.user.id, by: .commandLine)
        #expect(await fixture.verdict(key, at: node).isRateLimited)
        let before = node.verifier.storeRequests
        for _ in 0..<20 {
            guard case .rateLimited(_, let status) = fixture.cachedVerdict(key, at: node) else {
                Issue.record("passed")
                return
            }
            #expect(status.limit == 0 && status.remaining == 0 && status.resetsAfter == .seconds(3_600))
            #expect(status.secondsUntilReset(from: fixture.clock.clocks.wall()) > 3_600)
        }
        #expect(node.verifier.storeRequests == before)
        // Whoever may end the key may still do so.
        #expect(await fixture.verdict(key, at: node, scope: .keyAlone).isAdmitted)
        try await services.writes.setLimit(nil, of: account.user.id, by: .commandLine)
        #expect(await fixture.verdict(key, at: node).isAdmitted)
    }

    @Test("What cannot hold is refused, and changes nothing")
    func refused() async throws {
        let (account, _) = try await fixture.entitledAccount(services)
        let (user, workspace) = (account.user.id, Reference.id(account.workspaces[0].workspace.id))
        let (past, future) = (fixture.clock.clocks.wall(), fixture.clock.clocks.wall().advanced(by: .seconds(60)))
        for limit in [
            LimitOverride(hourlyLimit: -1), LimitOverride(hourlyLimit: 1_000_000_001),
            LimitOverride(hourlyLimit: 5, endsAt: past),
        ] {
            await #expect(throws: KeybearerError.self) {
                try await services.writes.setLimit(limit, of: user, by: .commandLine)
            }
            await #expect(throws: KeybearerError.self) {
                try await services.writes.setLimit(limit, of: workspace, by: .commandLine)
            }
        }
        for (plan, end, next) in [
            (Self.pro, past, Self.free), (Self.pro, future, Self.pro), (Self.free, future, nil),
            (Self.pro, nil, Self.free), (Self.pro, future, PlanID(rawValue: "none")),
        ] as [(PlanID, Timestamp?, PlanID?)] {
            await #expect(throws: KeybearerError.self) {
                try await services.writes.move(workspace, to: plan, endsAt: end, next: next, by: .commandLine)
            }
        }
        let after = try await services.accounts.account(user)
        #expect(after.user == account.user && after.workspaces == account.workspaces)
    }

    @Test("Overrides and plans end by themselves, once, as changes with an audit row")
    func ends() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        let id = account.workspaces[0].workspace.id
        let end = fixture.clock.clocks.wall().advanced(by: .seconds(60))
        let override = LimitOverride(hourlyLimit: 7, endsAt: end)
        try await services.writes.setLimit(override, of: account.user.id, by: .commandLine)
        try await services.writes.setLimit(LimitOverride(hourlyLimit: 8, endsAt: end), of: .id(id), by: .commandLine)
        try await services.writes.move(.id(id), to: Self.pro, endsAt: end, by: .commandLine)
        #expect(try await services.accounts.account(account.user.id).user.limit == override)
        await #expect(throws: KeybearerError.self) {
            try await services.workspaces.deletePlan(Self.free, by: .commandLine)
        }
        #expect(await limit(key) == 7)
        await node.endWhatIsDue()
        #expect(await limit(key) == 7)
        fixture.clock.advance(by: .seconds(60))
        let other = fixture.services()
        let second = try #require(other.node)
        await second.fence.step()
        let clock = fixture.runClock()
        await withTaskGroup(of: Void.self) { group in
            for node in [node, second] { group.addTask { await node.endWhatIsDue() } }
        }
        clock.cancel()
        #expect(await fixture.verdict(key, at: node).isLocked)
        let after = try await services.accounts.account(account.user.id)
        #expect(after.user.limit == nil && after.workspaces[0].workspace.limit == nil)
        #expect(after.workspaces[0].workspace.planEnd == nil && after.workspaces[0].plan.id == Self.free)
        let events = try await fixture.store.auditEvents(userID: nil, limit: 100).filter { $0.actor == .system }
        #expect(
            Set(events.map(\.action)) == [.userLimitChanged, .workspaceLimitChanged, .planChanged] && events.count == 3)
        #expect(try await fixture.store.dueEnds(now: fixture.clock.clocks.wall(), limit: 10).isEmpty)
    }

    @Test("A plan that is set again for good has no end any more")
    func planForGood() async throws {
        let (account, _) = try await fixture.entitledAccount(services)
        let id = account.workspaces[0].workspace.id
        let end = fixture.clock.clocks.wall().advanced(by: .seconds(60))
        try await services.writes.move(.id(id), to: Self.pro, endsAt: end, by: .commandLine)
        try await services.writes.move(.id(id), to: Self.pro, by: .commandLine)
        try await services.writes.move(.id(id), to: Self.pro, endsAt: end, by: .commandLine)
        try await services.workspaces.setPlan(Self.pro, of: id, by: .commandLine)
        #expect(try await fixture.store.dueEnds(now: end, limit: 10).isEmpty)
    }

    @Test("A fresh hour on two nodes: exactly the limit passes after it, whatever they had reserved")
    func freshHour() async throws {
        let second = try #require(fixture.services().node)
        await node.fence.step()
        await second.fence.step()
        let clock = fixture.runClock()
        defer { clock.cancel() }
        let steps = Task {
            while !Task.isCancelled {
                await node.fence.step()
                await second.fence.step()
                await node.batcher.releaseReclaimed()
                await second.batcher.releaseReclaimed()
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
        defer { steps.cancel() }
        let (account, key) = try await fixture.entitledAccount(services)
        for _ in 0..<40 {
            for node in [node, second] { #expect(await fixture.verdict(key, at: node).isAdmitted) }
        }
        let use = try #require(await fixture.verdict(key, at: second).account?.lastUse)
        try await services.writes.resetWindow(of: account.user.id, by: .commandLine)
        // Both hold reservations of the hour before, which are worth nothing now.
        #expect(await admitted(key, at: [node, second]) == 1_000)
        let window = try await fixture.store.reserve([.look(account.user.id)], now: fixture.clock.clocks.wall())
        #expect(window.first?.charged == 1_000)
        // The last use is not forgotten with the hour.
        try await services.writes.resetWindow(of: account.user.id, by: .commandLine)
        let seen = try #require(await fixture.verdict(key, at: second).account?.lastUse)
        #expect(seen.at >= use.at)
        let events = try await fixture.store.auditEvents(userID: account.user.id, limit: 100)
        #expect(events.filter { $0.action == .windowReset }.count == 2)
    }

    @Test("What was used of a shared reservation before a fresh hour does not count in it")
    func sharedReservation() async throws {
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        await node.batcher.maintainSharedReservation()
        for _ in 0..<3 { #expect(await fixture.verdict(key, at: node).isAdmitted) }
        try await services.writes.resetWindow(of: account.user.id, by: .commandLine)
        fixture.clock.advance(by: .milliseconds(1_500))
        await node.fence.step()
        await node.batcher.maintainSharedReservation()
        guard case .admitted(_, let status) = await fixture.verdict(key, at: node) else {
            Issue.record("refused")
            return
        }
        #expect(status.remaining == 999)
    }

    @Test("A node that lost its lease keeps no reservation: a fresh hour may have begun without it")
    func lostLease() async throws {
        let second = fixture.services()
        let other = try #require(second.node)
        await node.fence.step()
        let (account, key) = try await fixture.entitledAccount(services)
        for _ in 0..<15 { #expect(await fixture.verdict(key, at: node).isAdmitted) }
        fixture.clock.advance(by: .seconds(3))
        await other.fence.step()
        let clock = fixture.runClock()
        try await second.writes.resetWindow(of: account.user.id, by: .commandLine)
        clock.cancel()
        #expect(await admitted(key, at: [node]) == 1_000)
    }
}

extension Verdict {
    fileprivate var account: CachedAccount? { if case .admitted(let account, _) = self { account } else { nil } }
}
