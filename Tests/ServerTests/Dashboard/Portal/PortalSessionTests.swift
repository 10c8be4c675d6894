import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The session that a ``PortalLink`` opens: confined, for an hour, and no longer than its token.
@Suite struct PortalSessionTests {
    private typealias Stage = PortalHandlersTests

    @Test(
        "Every session route outside the section is 403, and so is every other workspace",
        arguments: PortalSection.allCases)
    func confined(to opened: PortalSection) async throws {
        let fixture = try Stage.fixture()
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        let own = account.workspaces[0].workspace.id.rawValue
        let other = try await client.send(
            .post, "/workspaces", #"{"name":"Two","owner":"\#(account.user.id)","plan":"pro"}"#
        ).id
        var browser = PortalBrowser(fixture)
        _ = try await browser.open(
            try await client.portalCode(account.user.id, #""workspace":"\#(own)","section":"\#(opened.rawValue)""#))
        for route in try RouteWalkTests.routes(fixture) {
            guard case .session(_, let sections, _) = route.access, route.path != "/sign-out" else { continue }
            for workspace in [own, other] {
                let path = route.path.replacing("{workspaceID}", with: workspace)
                    .replacing("{sessionID}", with: SessionID.random(from: .system).rawValue)
                    .replacing("{webhookID}", with: WebhookEndpointID.random(from: .system).rawValue)
                var visitor = browser
                let reply =
                    route.method == .get ? try await visitor.get(path) : try await visitor.post(path, ["a": "b"])
                let isOpen = sections.contains(opened) && (workspace == own || !route.path.contains("{workspaceID}"))
                #expect((reply.status != 403) == isOpen, "\(route.method.rawValue) \(path) gave \(reply.status)")
                #expect(isOpen || !reply.body.contains("tdc_"))
                if !isOpen { #expect(visitor.cookie == browser.cookie, "it stays signed in") }
            }
        }
        #expect(try await browser.get("/nothing").status == 404)
        let page = try await browser.get("/workspaces/\(own)\(opened.path)")
        #expect(page.status == 200 && !page.body.contains(other), "the switcher has no other workspace")
        #expect(!page.body.contains(#"href="/account""#))
        #expect(try await browser.post("/sign-out").status == 303)
        #expect(try await fixture.services.sessions.list(of: account.user.id).isEmpty)
    }

    @Test("A link without a workspace opens all of the account's, and no one else's")
    func allWorkspaces() async throws {
        let fixture = try Stage.fixture()
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        let (eve, _) = try await fixture.account("eve@example.com")
        let two = try await client.send(.post, "/workspaces", #"{"name":"Two","owner":"\#(account.user.id)"}"#).id
        var browser = PortalBrowser(fixture)
        _ = try await browser.open(try await client.portalCode(account.user.id))
        #expect(try await browser.get("/workspaces/\(two)/api-webhooks").status == 200)
        let foreign = eve.workspaces[0].workspace.id
        #expect([403, 404].contains(try await browser.get("/workspaces/\(foreign)/api-webhooks").status))
    }

    @Test(
        "A locked page offers no switch of the plan, which such a session may not do", arguments: PortalSection.allCases
    )
    func locked(section: PortalSection) async throws {
        let fixture = try ServerFixture { $1.isPlanSwitchOpen = true }
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        let free = try await client.send(.post, "/workspaces", #"{"name":"Two","owner":"\#(account.user.id)"}"#).id
        var browser = PortalBrowser(fixture)
        _ = try await browser.open(
            try await client.portalCode(
                account.user.id, #""workspace":"\#(free)","section":"\#(section.rawValue)""#))
        let page = try await browser.get("/workspaces/\(free)\(section.path)")
        #expect(page.status == 200 && page.body.contains("moves the workspace"))
        #expect(!page.body.contains("Switch to") && !page.body.contains("/workspaces/\(free)/plan"))
    }

    @Test("It ends after an hour, is recent for 15 minutes, and then leads back to the product")
    func ends() async throws {
        let clock = TestClock()
        let fixture = try Stage.fixture(clocks: clock.clocks)
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let path = "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks"
        var browser = PortalBrowser(fixture)
        _ = try await browser.open(try await client.portalCode(account.user.id, Stage.back))
        clock.advance(by: .seconds(899))
        #expect(try await browser.post(path + "/reveal").body.contains(key))
        clock.advance(by: .seconds(1))
        let old = try await browser.post(path + "/reveal")
        #expect(!old.body.contains(key) && old.headers[.location]?.hasPrefix("/confirm") == true)
        let confirm = try await browser.get("/confirm?next=\(path)")
        #expect(confirm.status == 200 && !confirm.body.contains(#"type="password""#))
        #expect(confirm.body.contains("reason=session_expired"))
        #expect(try await browser.post("/confirm", ["password": "long enough secret"]).status == 403)
        clock.advance(by: .seconds(2_699))
        #expect(try await browser.get(path).status == 200)
        clock.advance(by: .seconds(1))
        let over = try await browser.get(path)
        #expect(over.status == 303 && over.headers[.location] == Stage.expired)
        #expect(over.headers[.setCookie]?.contains("Max-Age=0") == true)
        let script = try await fixture.respond(
            .get, path, [.cookie: "\(SessionCookie.name)=\(browser.cookie ?? "")", .accept: "application/json"])
        #expect(script.status == 401)
    }

    @Test("It ends with its operator token: when that is revoked, and when its time is over")
    func endsWithItsToken() async throws {
        let clock = TestClock()
        let fixture = try Stage.fixture(clocks: clock.clocks)
        let (account, _) = try await fixture.account("ada@example.com")
        let path = "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks"
        for isRevoked in [true, false] {
            let client = try await OperatorClient(fixture, [.portal], life: .seconds(120))
            var browser = PortalBrowser(fixture)
            _ = try await browser.open(try await client.portalCode(account.user.id, Stage.back))
            clock.advance(by: .seconds(60))
            #expect(try await browser.get(path).status == 200)
            if isRevoked {
                try await fixture.services.operatorTokens.revoke(client.token.id, by: .commandLine)
            } else {
                clock.advance(by: .seconds(60))
            }
            #expect(try await browser.get(path).headers[.location] == Stage.expired, "revoked: \(isRevoked)")
            let posted = try await browser.post(path + "/regenerate")
            #expect(PortalBrowser.leads(posted, to: Stage.expired, after: .post))
        }
    }

    @Test("An account without a password: no form asks for one")
    func withoutPassword() async throws {
        let fixture = try Stage.fixture()
        let client = try await OperatorClient(fixture)
        let user = UserID(rawValue: try await client.user("42").id)
        let account = try await fixture.services.accounts.account(user)
        // As an identity provider will start it: a session that no link confines.
        let session = try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "")
        var browser = PortalBrowser(fixture)
        browser.cookie = session.token.characters
        for path in ["/confirm", "/account"] {
            let page = try await browser.get(path)
            #expect(page.status == 200 && !page.body.contains(#"type="password""#), "\(path)")
        }
        for password in ["", "long enough secret"] {
            let refused = try await browser.post("/confirm", ["password": password])
            #expect(refused.status == 401 && !refused.body.contains(#"type="password""#))
            let form = ["currentPassword": password, "newPassword": "another long secret"]
            #expect((400..<500).contains(try await browser.post("/account/password", form).status))
        }
        #expect(try await fixture.services.accounts.account(user).user.hasPassword == false)
    }
}
