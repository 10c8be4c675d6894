import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``ServiceAccountsPage``, its ``ServiceAccountPageHandlers``, and the ``KeySubject`` of the pages of one, by
/// ``ServiceAccountService``.
@Suite struct ServiceAccountsPageTests {
    /// A workspace of Ada's with Bob as Admin and Eve as Member.
    private struct Stage {
        let fixture: ServerFixture
        let ada: Account
        let workspace: WorkspaceID
        let owner: PersonBrowser
        let bob: Account
        let admin: PersonBrowser
        let member: PersonBrowser
        let path: String

        init() async throws {
            fixture = try ServerFixture()
            ada = try await fixture.account("ada@example.com").account
            workspace = ada.workspaces[0].workspace.id
            bob = try await fixture.account("bob@example.com").account
            let eve = try await fixture.account("eve@example.com").account
            for (account, role) in [(bob, Role.admin), (eve, .member)] {
                try await fixture.services.workspaces.putMember(
                    account.user.id, in: workspace, role: role, by: .commandLine)
            }
            owner = try await PersonBrowser(fixture, ada)
            admin = try await PersonBrowser(fixture, bob)
            member = try await PersonBrowser(fixture, eve)
            path = "/workspaces/\(workspace)/service-accounts"
        }

        /// Makes one; returns the path of its page.
        func make(_ name: String) async throws -> String {
            let made = try await owner.post(path, ["name": name])
            return String(try #require(made.headers[.location]).prefix { $0 != "?" })
        }
    }

    @Test("Two presses make a key for testing: the empty list offers it, and leads to the page of the key")
    func suggested() async throws {
        let stage = try await Stage()
        let tab = try await stage.owner.get("/workspaces/\(stage.workspace)/api-webhooks").body
        #expect(tab.contains(#"href="\#(stage.path)">Service accounts"#))
        let empty = try await stage.owner.get(stage.path).body
        #expect(empty.contains("Add “Testing”") && empty.contains("Add “Production”") && empty.contains("0 of 10"))
        let made = try await stage.owner.post(stage.path, ["name": "Testing"])
        let location = try #require(made.headers[.location])
        #expect(made.status == 303 && location.hasPrefix(stage.path + "/usr_") && location.hasSuffix("?added=1"))
        let page = try await stage.owner.get(location).body
        #expect(page.contains("Service account added.") && page.contains("works in this workspace alone"))
        #expect(page.contains("data-key-panel") && page.contains("Nobody of this workspace has seen"))
        let list = try await stage.owner.get(stage.path).body
        #expect(list.contains("Add “Production”") && !list.contains("Add “Testing”") && list.contains("1 of 10"))
        _ = try await stage.make("CI")
        #expect(try await !stage.owner.get(stage.path).body.contains("Add “"))
    }

    @Test("A Member sees that they exist, and no more; a stranger sees nothing")
    func roles() async throws {
        let stage = try await Stage()
        let one = try await stage.make("Testing")
        let list = try await stage.member.get(stage.path)
        #expect(list.status == 200 && list.body.contains("Testing") && !list.body.contains(one))
        #expect(!list.body.contains("tdc_") && !list.body.contains("<form method=\"post\" action=\"\(stage.path)"))
        for path in ["", "/record", "/usage", "/usage.csv", "/regenerate"] {
            #expect(try await stage.member.get(one + path).status == 403)
            #expect(try await stage.admin.get(one + path).status == 200)
        }
        let stranger = try await PersonBrowser(
            stage.fixture, try await stage.fixture.account("stranger@example.com").account)
        #expect(try await stranger.get(stage.path).status == 404)
        #expect(try await stranger.get(one).status == 404)
    }

    @Test("The key's page shows, replaces, renames, disables, enables and deletes")
    func page() async throws {
        let stage = try await Stage()
        let one = try await stage.make("Testing")
        let shown = try await stage.admin.post(one + "/reveal")
        let key = try #require(shown.body.firstMatch(of: /tdc_[0-9A-Za-z]{38}/)).output
        func status() async throws -> Int {
            try await stage.fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"]).status
        }
        #expect(try await status() == 200)
        #expect(try await stage.owner.get(one).body.contains("Who has seen the current key"))
        #expect(try await stage.owner.post(one + "/rename", ["name": " QA "]).headers[.location] == one + "?renamed=1")
        let refused = try await stage.owner.post(one + "/rename", ["name": ""])
        #expect(refused.status == 422 && refused.body.contains("name-error") && refused.body.contains("<h1>QA"))
        #expect(try await stage.owner.post(one + "/disable").headers[.location] == one + "?disabled=1")
        #expect(try await status() == 401)
        #expect(try await stage.owner.get(one).body.contains("Enable: let the key pass again"))
        #expect(try await stage.owner.get(stage.path).body.contains("disabled"))
        #expect(try await stage.owner.post(one + "/enable").headers[.location] == one + "?enabled=1")
        #expect(try await status() == 200)
        let replaced = try await stage.owner.post(one + "/regenerate", ["version": "1", "idempotencyKey": "once"])
        #expect(replaced.headers[.location] == one + "?regenerated=1")
        #expect(try await status() == 401)
        #expect(try await stage.owner.post(one + "/regenerate", ["version": "1"]).status == 409)
        let activity = try await stage.owner.get("/workspaces/\(stage.workspace)/activity").body
        for sentence in ["showed the key of QA", "regenerated the key of QA", "disabled the account of QA"] {
            #expect(activity.contains(sentence), "\(sentence)")
        }
        #expect(try await stage.admin.post(one + "/delete").headers[.location] == stage.path + "?deleted=1")
        #expect(try await stage.owner.get(one).status == 404)
    }

    @Test(
        "What the operator has disabled, the workspace does not enable; what the workspace has, the operator can hold")
    func held() async throws {
        let stage = try await Stage()
        let one = try await stage.make("Testing")
        let operators = try await OperatorClient(stage.fixture)
        let id = try #require(one.split(separator: "/").last)
        func isDisabled() async throws -> Bool {
            try await operators.send(.get, "/users/\(id)").data["status"] as? String == "disabled"
        }
        #expect(try await stage.owner.post(one + "/disable").status == 303)
        #expect(try await operators.send(.post, "/users/\(id)/disable").status == 200)
        let refused = try await stage.owner.post(one + "/enable")
        #expect(refused.status == 403 && refused.body.contains("The operator of this service has disabled"))
        #expect(try await isDisabled())
        #expect(try await operators.send(.post, "/users/\(id)/enable").status == 200)
        #expect(try await stage.owner.post(one + "/disable").status == 303)
        #expect(try await stage.owner.post(one + "/enable").status == 303)
        #expect(try await !isDisabled())
    }

    @Test("A service account in the place of a deleted one goes on with its hour")
    func noSecondHour() async throws {
        let stage = try await Stage()
        var remaining: [Int] = []
        for _ in 0..<2 {
            let one = try await stage.make("Testing")
            let key = try #require(
                try await stage.owner.post(one + "/reveal").body.firstMatch(of: /tdc_[0-9A-Za-z]{38}/)
            ).output
            let header = try #require(HTTPField.Name("X-RateLimit-Remaining"))
            let response = try await stage.fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"])
            remaining.append(try #require(response.headers[header].flatMap { Int($0) }))
            #expect(try await stage.owner.post(one + "/delete").status == 303)
        }
        // What the server had reserved when it went counts as used.
        #expect(remaining[0] == 999 && remaining[1] <= 998)
    }

    @Test("On a plan without the feature the key is locked and not in the page, and can be regenerated")
    func locked() async throws {
        let stage = try await Stage()
        let one = try await stage.make("Testing")
        try await stage.fixture.services.workspaces.setPlan(
            PlanID(rawValue: "free"), of: stage.workspace, by: .commandLine)
        #expect(try await stage.owner.get(stage.path).body.contains("does not include the API"))
        let page = try await stage.owner.get(one).body
        #expect(page.contains("lock-over") && !page.contains("tdc_") && page.contains(one + "/regenerate"))
        #expect(try await stage.owner.post(one + "/reveal").status == 403)
        let question = try await stage.owner.get(one + "/regenerate").body
        #expect(question.contains("the service account <strong>Testing</strong>"))
        #expect(try await stage.owner.post(one + "/regenerate", ["version": "1"]).status == 303)
    }

    @Test("At ten there is no form, and an eleventh says why; a refused name stands in its field")
    func limit() async throws {
        let stage = try await Stage()
        let refused = try await stage.owner.post(stage.path, ["name": " "])
        #expect(refused.status == 422 && refused.body.contains("name-error"))
        for number in 1...10 { _ = try await stage.make("Number \(number)") }
        let full = try await stage.owner.get(stage.path).body
        #expect(full.contains("10 of 10") && full.contains("cannot have more"))
        let one = try await stage.owner.post(stage.path, ["name": "Eleven"])
        #expect(one.status == 409 && one.body.contains("at most 10 service accounts"))
    }

    @Test(
        "Who left with a key is named on the page and the team's, with one press to replace it",
        arguments: [true, false])
    func left(isRemoved: Bool) async throws {
        let stage = try await Stage()
        let (one, other) = (try await stage.make("Testing"), try await stage.make("Production"))
        #expect(try await stage.admin.post(one + "/reveal").status == 200)
        #expect(try await stage.owner.post(other + "/reveal").status == 200)
        let team = "/workspaces/\(stage.workspace)/team"
        for path in [team, stage.path] {
            #expect(try await !stage.owner.get(path).body.contains("Keys to replace"))
        }
        let gone =
            isRemoved
            ? try await stage.owner.post("/workspaces/\(stage.workspace)/members/\(stage.bob.user.id)/remove")
            : try await stage.admin.post("/workspaces/\(stage.workspace)/leave")
        #expect(gone.status == 303)
        #expect(try await !stage.member.get(team).body.contains("Keys to replace"))
        for path in [team + "?removed=1", stage.path] {
            let page = try await stage.owner.get(path).body
            #expect(page.contains("Keys to replace") && page.contains(one + "/regenerate"))
            #expect(page.contains("and has left") && !page.contains(other + "/regenerate"))
        }
        let page = try await stage.owner.get(team).body
        let form = try #require(
            page.firstMatch(of: /name="version" value="(\d+)"><input type="hidden" name="idempotencyKey" value="(\w+)"/)
        )
        let pressed = try await stage.owner.post(
            one + "/regenerate", ["version": String(form.1), "idempotencyKey": String(form.2)])
        #expect(pressed.headers[.location] == one + "?regenerated=1")
        for path in [team, stage.path] {
            #expect(try await !stage.owner.get(path).body.contains("Keys to replace"))
        }
    }

    @Test("It outlives who made it")
    func outlives() async throws {
        let stage = try await Stage()
        let made = try await stage.admin.post(stage.path, ["name": "Testing"])
        let one = String(try #require(made.headers[.location]).prefix { $0 != "?" })
        let shown = try await stage.owner.post(one + "/reveal").body
        let key = try #require(shown.firstMatch(of: /tdc_[0-9A-Za-z]{38}/)).output
        #expect(try await stage.admin.post("/workspaces/\(stage.workspace)/leave").status == 303)
        try await stage.fixture.services.accounts.delete(stage.bob.user.id, by: .commandLine)
        let status = try await stage.fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"]).status
        #expect(status == 200)
        #expect(try await stage.owner.get(one).status == 200)
    }

    @Test("A new workspace comes with a key of its own where that is asked for")
    func newWorkspace() async throws {
        let stage = try await Stage()
        let made = try await stage.owner.post("/workspaces", ["name": "Testing", "serviceAccount": "1"])
        let location = try #require(made.headers[.location])
        let match = try #require(
            location.firstMatch(of: /^\/workspaces\/(ws_\w+)\/service-accounts\/(usr_\w+)\?created=1$/))
        let id = WorkspaceID(rawValue: String(match.1))
        let accounts = try await stage.fixture.services.serviceAccounts.list(of: id)
        #expect(accounts.map(\.user.name) == ["Testing"] && accounts[0].user.id.rawValue == match.2)
        #expect(try await stage.owner.get(location).body.contains("Workspace added."))
        let refused = try await stage.owner.post("/workspaces", ["name": "T", "serviceAccount": "1"])
        #expect(refused.status == 422 && refused.body.contains(#"value="1" checked"#))
        let plain = try await stage.owner.post("/workspaces", ["name": "Production"])
        #expect(plain.headers[.location]?.hasSuffix("/api-webhooks?created=1") == true)
    }

    @Test("Names, of accounts and of people, are text in every place")
    func hostile() throws {
        let name = RenderedPage.hostile
        let now = Samples.start
        let account = Account(
            user: User(
                id: UserID(rawValue: "usr_1"), email: EmailAddress(normalised: "usr_1"), name: name, createdAt: now,
                serviceWorkspaceID: WorkspaceID(rawValue: "ws_1")),
            key: APIKey(id: KeyID(rawValue: "key_1"), version: 1, shownPrefix: "tdc_1", generatedAt: now),
            workspaces: [.sample])
        let view = ServiceKeyView(
            serviceAccount: account.user.id, name: name, viewer: UserID(rawValue: "usr_2"), viewerName: name,
            viewerRole: nil, at: now)
        let owner = WorkspaceAccess(
            workspace: WorkspaceAccess.sample.workspace, role: .owner, plan: WorkspaceAccess.sample.plan)
        let pages = [
            try RenderedPage(
                ServiceAccountsPage(
                    shell: .sample, access: owner, accounts: [account],
                    responsible: [account.user.id: ResponsiblePerson(id: UserID(rawValue: "usr_2"), name: name)],
                    seenKeys: SeenKeyRow.all([account], [view]) { "once" }, typedName: name, nameError: name)),
            try RenderedPage(
                APIKeyPage(
                    shell: .sample, workspaceID: "ws_1", keyPath: "/workspaces/ws_1/service-accounts/usr_1",
                    serviceAccount: ServiceAccountHeading(account.user, views: [view], responsible: name),
                    content: .unavailable(name))),
        ]
        for page in pages {
            #expect(page.problems == [])
            #expect(page.text.contains(name) && !page.html.contains(name))
        }
    }
}
