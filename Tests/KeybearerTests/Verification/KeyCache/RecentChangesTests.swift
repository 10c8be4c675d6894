import TestSupport
import Testing

@testable import Keybearer

/// ``RecentChanges``: whether the last few changes may have touched an account.
@Suite struct RecentChangesTests {
    @Test("It knows the last few changes, and takes older ones for any")
    func recent() throws {
        let samples = Samples()
        let new = samples.newAccount()
        let plan = Plan(
            id: PlanID(rawValue: "pro"), name: "Pro", features: [.apiWebhooks], hourlyLimit: 10, position: 1)
        let workspace = Workspace(
            id: new.workspaceID, name: "One", planID: plan.id, createdAt: Samples.start)
        let account = Account(
            user: new.user, key: new.key,
            workspaces: [WorkspaceAccess(workspace: workspace, role: .owner, plan: plan)])
        let touching: [Change.Subject] = [.user(new.user.id), .workspace(new.workspaceID), .everything]
        for subject in touching {
            var changes = RecentChanges()
            for _ in 0..<300 { changes.append(.user(.random(from: samples.random))) }
            let before = changes.generation
            #expect(!changes.mayTouch(account, since: before))
            changes.append(subject)
            #expect(changes.mayTouch(account, since: before))
            #expect(!changes.mayTouch(account, since: before + 1))
            for _ in 1..<RecentChanges.capacity { changes.append(.workspace(.random(from: samples.random))) }
            #expect(changes.mayTouch(account, since: before))
            #expect(!changes.mayTouch(account, since: before + 1))
            changes.append(.user(.random(from: samples.random)))
            #expect(changes.mayTouch(account, since: before), "not known any more")
        }
    }
}
