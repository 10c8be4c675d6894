import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Every action of the dashboard (``WorkspaceRoutes``, ``ServiceAccountRoutes``, ``WorkspaceGuard``) and of the API, for every
/// role, in a person's own workspace and in a foreign one, straight from the table of ``Permissions``.
@Suite struct PermissionWalkTests {
    /// People who are signed in, and what the routes name besides the workspace.
    private struct Stage {
        let fixture: ServerFixture
        let keeper: Account
        let target: Account
        let people: [(role: Role?, account: Account, key: String, cookie: String)]

        init() async throws {
            fixture = try ServerFixture { $1.isPlanSwitchOpen = true }
            keeper = try await fixture.account("keeper@example.com").account
            target = try await fixture.account("target@example.com").account
            var people: [(role: Role?, account: Account, key: String, cookie: String)] = []
            for role in Role.allCases.map({ Optional($0) }) + [nil] {
                let (account, key) = try await fixture.account("\(role?.rawValue ?? "stranger")@example.com")
                let session = try await fixture.services.sessions.start(
                    for: account, from: IPAddress(v4: 1), userAgent: "test")
                people.append((role, account, key, session.token.characters))
            }
            self.people = people
        }

        /// A workspace of its own for one request, so that no request finds what another one did.
        func workspace(with role: Role?, _ user: UserID, on plan: String) async throws -> WorkspaceID {
            let workspaces = fixture.services.workspaces
            let id = try await workspaces.create(name: "Walked", owner: keeper.user.id, by: .commandLine).id
            try await workspaces.setPlan(PlanID(rawValue: plan), of: id, by: .commandLine)
            try await workspaces.putMember(target.user.id, in: id, role: .member, by: .commandLine)
            if let role { try await workspaces.putMember(user, in: id, role: role, by: .commandLine) }
            return id
        }

        /// A service account of a workspace.
        func serviceAccount(of workspace: WorkspaceID) async throws -> UserID {
            try await fixture.services.writes.createServiceAccount(
                name: "Testing", in: .id(workspace), by: .commandLine
            ).user.id
        }

        /// What a route answers somebody: its status, and the code of the error.
        func respond(
            _ route: Route, _ workspace: WorkspaceID, of serviceAccount: UserID? = nil, as cookie: String
        ) async throws -> (status: Int, code: String?) {
            let userID = route.path.contains("/service-accounts/") ? serviceAccount : nil
            let path = route.path.replacing("{workspaceID}", with: workspace.rawValue)
                .replacing("{userID}", with: (userID ?? target.user.id).rawValue)
                .replacing("{invitationID}", with: "inv_none").replacing("{webhookID}", with: "whe_none")
                .replacing("{messageID}", with: "evt_none")
            let reply = try await fixture.respond(
                route.method, path,
                [
                    .cookie: "\(SessionCookie.name)=\(cookie)", HeaderName.fetchSite: "same-origin",
                    .contentType: "application/x-www-form-urlencoded", .accept: "application/json",
                ], body: route.method == .post ? "planID=pro&role=member&name=Renamed" : "")
            return (reply.status, try? object(reply.body)["error"] as? String)
        }
    }

    private static func action(of route: Route) -> Action? {
        if case .session(_, _, let action) = route.access { action } else { nil }
    }

    @Test("Every page and form of a workspace names its action")
    func named() throws {
        let routes = try ServerFixture().server().makeRoutes()
        let ofWorkspaces = routes.filter { route in
            if case .session = route.access { route.path.contains("{workspaceID}") } else { false }
        }
        #expect(ofWorkspaces.count > 10 && ofWorkspaces.allSatisfy { Self.action(of: $0) != nil })
        #expect(Set(ofWorkspaces.compactMap(Self.action)) == Set(Action.allCases).subtracting(Self.byStoreAlone))
    }

    /// Decided by what a form names, not by its path: the tests of the store have them.
    private static let byStoreAlone: Set<Action> = [.manageOwners]

    @Test("In the dashboard", arguments: Role.allCases.map { Optional($0) } + [nil])
    func dashboard(role: Role?) async throws {
        let stage = try await Stage()
        let people = stage.people.filter { $0.role == role }
        #expect(people.count == 1)
        for route in try stage.fixture.server().makeRoutes() {
            guard let action = Self.action(of: route) else { continue }
            let rule = Permissions.rule(of: action)
            for person in people {
                let who: Comment =
                    "\(route.method.rawValue) \(route.path) as \(person.role?.rawValue ?? "a stranger")"
                for plan in rule.needsFeature ? ["pro", "free"] : ["pro"] {
                    let workspace = try await stage.workspace(with: person.role, person.account.user.id, on: plan)
                    let service = try await stage.serviceAccount(of: workspace)
                    let (status, code) = try await stage.respond(route, workspace, of: service, as: person.cookie)
                    if let role = person.role {
                        let isAllowed = rule.roles.contains(role)
                        let isLocked = rule.needsFeature && plan == "free"
                        let expected = isAllowed ? (isLocked ? "FEATURE_LOCKED" : nil) : "FORBIDDEN"
                        if let expected {
                            #expect(status == 403 && code == expected, who)
                        } else {
                            #expect(status != 403 && status < 500 && status != 401, who)
                            #expect(status != 404 || !route.path.contains("/service-accounts/"), who)
                        }
                    } else {
                        #expect(status == 404 && code == "NOT_FOUND", who)
                    }
                }
                try await expectForeignServiceAccountsAbsent(route, rule, person, stage)
                let none = try await stage.respond(route, WorkspaceID(rawValue: "ws_none"), as: person.cookie)
                #expect(none.status == 404 && none.code == "NOT_FOUND", who)
            }
        }
    }

    /// The same form for a service account of another workspace, for a member's id, and for nobody's: `NOT_FOUND`.
    private func expectForeignServiceAccountsAbsent(
        _ route: Route, _ rule: Permissions.Rule,
        _ person: (role: Role?, account: Account, key: String, cookie: String), _ stage: Stage
    ) async throws {
        guard route.path.contains("/service-accounts/"), let role = person.role, rule.roles.contains(role) else {
            return
        }
        let own = try await stage.workspace(with: role, person.account.user.id, on: "pro")
        let foreign = try await stage.workspace(with: nil, person.account.user.id, on: "pro")
        let absent = [
            try await stage.serviceAccount(of: foreign), stage.target.user.id, UserID(rawValue: "usr_none"),
        ]
        for id in absent {
            let (status, code) = try await stage.respond(route, own, of: id, as: person.cookie)
            #expect(status == 404 && code == "NOT_FOUND", "\(route.path) of \(id) as \(role.rawValue)")
        }
    }

    @Test("In the API: a key passes for every role, and a foreign workspace is not there")
    func api() async throws {
        let stage = try await Stage()
        for person in stage.people {
            let workspace = try await stage.workspace(with: person.role, person.account.user.id, on: "pro")
            for id in [workspace.rawValue, "ws_none"] {
                let isOwn = person.role != nil && id != "ws_none"
                let calls: [(String, String?)] = [
                    ("/api/v1/workspaces/\(id)", nil), ("/api/v1/me", id), ("/api/v1/usage", id), ("/api/v1/key", id),
                ]
                for (path, header) in calls {
                    var headers: HTTPFields = [.authorization: "Bearer \(person.key)"]
                    if let header { headers[HeaderName.workspaceID] = header }
                    let status = try await stage.fixture.respond(.get, path, headers).status
                    #expect(status == (isOwn ? 200 : 404), "\(path) as \(person.role?.rawValue ?? "a stranger")")
                }
            }
        }
    }
}
