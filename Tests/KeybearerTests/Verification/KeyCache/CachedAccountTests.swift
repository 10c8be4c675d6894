import TestSupport
import Testing

@testable import Keybearer

/// What each ``AccessScope`` comes to for a ``CachedAccount``.
@Suite struct CachedAccountTests {
    /// A workspace's plan: whether it includes the API, and its hourly limit.
    struct PlanOf: Sendable {
        let includesAPI: Bool
        let limit: Int

        static func free(_ limit: Int) -> PlanOf { PlanOf(includesAPI: false, limit: limit) }
        static func pro(_ limit: Int) -> PlanOf { PlanOf(includesAPI: true, limit: limit) }
    }

    /// The workspaces of an account, the scope of a request, and what it comes to.
    struct Row: Sendable {
        let plans: [PlanOf]
        let scope: Scope
        let expected: String

        init(_ plans: [PlanOf], _ scope: Scope, _ expected: String) {
            self.plans = plans
            self.scope = scope
            self.expected = expected
        }
    }

    /// A scope that names its workspace by its place.
    enum Scope: Sendable {
        case anyWorkspace, accountOnly, keyAlone, otherWorkspace
        case workspace(Int)
    }

    private static let free: [PlanOf] = [.free(200), .free(300)]
    private static let mixed: [PlanOf] = [.free(900), .pro(400), .pro(500)]

    private static let rows = [
        // Without a workspace the default catalogue's limit is shown.
        Row([], .anyWorkspace, "locked(limit: 1000)"),
        Row([], .otherWorkspace, "notAMember(limit: 1000)"),
        Row([], .accountOnly, "entitled(limit: 1000)"),
        Row([], .keyAlone, "uncounted(limit: 1000)"),
        // Without the feature, the largest limit of all workspaces.
        Row(free, .anyWorkspace, "locked(limit: 300)"),
        Row(free, .workspace(0), "locked(limit: 200)"),
        Row(free, .otherWorkspace, "notAMember(limit: 300)"),
        Row(free, .accountOnly, "entitled(limit: 300)"),
        Row(free, .keyAlone, "uncounted(limit: 300)"),
        // With it, the largest limit of the workspaces that have the feature, or that of the workspace named.
        Row(mixed, .anyWorkspace, "entitled(limit: 500)"),
        Row(mixed, .workspace(0), "locked(limit: 900)"),
        Row(mixed, .workspace(1), "entitled(limit: 400)"),
        Row(mixed, .workspace(2), "entitled(limit: 500)"),
        Row(mixed, .otherWorkspace, "notAMember(limit: 500)"),
        Row(mixed, .accountOnly, "entitled(limit: 500)"),
        Row(mixed, .keyAlone, "uncounted(limit: 500)"),
    ]

    private let samples = Samples(seed: 32)

    private func access(_ plan: PlanOf, position: Int) -> WorkspaceAccess {
        let plan = Plan(
            id: PlanID(rawValue: "plan\(position)"), name: "Plan", features: plan.includesAPI ? [.apiWebhooks] : [],
            hourlyLimit: plan.limit, position: position)
        let workspace = Workspace(
            id: .random(from: samples.random), name: "One", planID: plan.id, createdAt: Samples.start)
        return WorkspaceAccess(workspace: workspace, role: .owner, plan: plan)
    }

    @Test("A scope is entitled, uncounted, locked or not a member, with the limit that goes with it")
    func entitlement() throws {
        let text = Array("tdc_".utf8) + samples.random.base62(count: 38)
        let token = try #require(text.withUnsafeBufferPointer { PresentedToken($0) })
        for row in Self.rows {
            let made = samples.newAccount()
            let workspaces = row.plans.enumerated().map { access($0.element, position: $0.offset) }
            let account = CachedAccount(
                account: Account(user: made.user, key: made.key, workspaces: workspaces), token: token,
                accountState: AccountState(userID: made.user.id))
            let scope: AccessScope =
                switch row.scope {
                case .anyWorkspace: .anyWorkspace
                case .accountOnly: .accountOnly
                case .keyAlone: .keyAlone
                case .otherWorkspace: .workspace(.random(from: samples.random))
                case .workspace(let index): .workspace(workspaces[index].workspace.id)
                }
            #expect("\(account.entitlement(to: scope))" == row.expected, "\(row)")
        }
    }

    @Test("A key that is limited to networks is nothing elsewhere, but can be ended from anywhere")
    func networks() throws {
        let text = Array("tdc_".utf8) + samples.random.base62(count: 38)
        let token = try #require(text.withUnsafeBufferPointer { PresentedToken($0) })
        let made = samples.newAccount()
        let limited = User(
            id: made.user.id, email: made.user.email, name: made.user.name, createdAt: Samples.start,
            allowedNetworks: try AllowedNetworks(parsing: ["192.0.2.0/24"]))
        let account = CachedAccount(
            account: Account(user: limited, key: made.key, workspaces: [access(.pro(400), position: 0)]), token: token,
            accountState: AccountState(userID: limited.id))
        let elsewhere = [IPAddress(v4: 1), .localSocket, .unknown]
        for scope in [AccessScope.anyWorkspace, .accountOnly, .workspace(.random(from: samples.random))] {
            for address in elsewhere {
                #expect("\(account.entitlement(to: scope, from: address))" == "notFromThere(limit: 400)")
            }
        }
        #expect("\(account.entitlement(to: .anyWorkspace, from: Samples.address))" == "entitled(limit: 400)")
        for address in elsewhere {
            #expect("\(account.entitlement(to: .keyAlone, from: address))" == "uncounted(limit: 400)")
        }
    }
}
