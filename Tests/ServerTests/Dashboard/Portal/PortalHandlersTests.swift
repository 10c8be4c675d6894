import Foundation
import HTTPTypes
import Logging
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``PortalHandlers`` and ``PortalLinkHandlers``: links of the ``PortalLinkService``, from the product's request to the
/// page of the key.
@Suite struct PortalHandlersTests {
    static func fixture(
        clocks: Clocks = .system, logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) throws -> ServerFixture {
        let place = try AllowedReturnURL(parsing: "https://app.example/back")
        return try ServerFixture(clocks: clocks, logger: logger) { $1.portalReturnURLs = [place] }
    }

    static let back = #""returnUrl":"https://app.example/back?x=1#top""#
    static let expired = "https://app.example/back?x=1&reason=session_expired#top"

    @Test("Looking changes nothing; the button signs in once, for an hour; then the link leads back")
    func once() async throws {
        let recorder = LogRecorder()
        let fixture = try Self.fixture(logger: Logger(label: "test") { _ in recorder })
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let code = try await client.portalCode(account.user.id, Self.back)
        var browser = PortalBrowser(fixture)
        for method in [HTTPRequest.Method.get, .head, .get, .head] {
            let page = try await browser.get("/portal?code=\(code)", method)
            #expect(page.status == 200 && page.headers[.setCookie] == nil)
            #expect(
                page.headers[HeaderName.referrerPolicy] == "strict-origin" && page.headers[.cacheControl] == "no-store")
            #expect(page.body.contains("ada@example.com") == (method == .get) && !page.body.contains(key))
        }
        let opened = try await browser.open(code)
        let workspace = account.workspaces[0].workspace.id
        #expect(opened.status == 303 && opened.headers[.location] == "/workspaces/\(workspace)/api-webhooks")
        let cookie = opened.headers[.setCookie] ?? ""
        #expect(cookie.contains("Max-Age=3600") && cookie.contains("HttpOnly") && cookie.contains("Secure"))
        let page = try await browser.get("/workspaces/\(workspace)/api-webhooks")
        #expect(page.status == 200 && page.body.contains(#"href="https://app.example/back?x=1#top""#))
        let revealed = try await browser.post("/workspaces/\(workspace)/api-webhooks/reveal")
        #expect(revealed.body.contains(key), "a recent sign-in")
        for method in [HTTPRequest.Method.get, .post] {
            var other = PortalBrowser(fixture)
            let again = method == .get ? try await other.get("/portal?code=\(code)") : try await other.open(code)
            #expect(PortalBrowser.leads(again, to: Self.expired, after: method) && other.cookie == nil)
        }
        #expect(!recorder.lines.contains { $0.text.contains(code) || $0.text.contains(browser.cookie ?? "-") })
        let sessions = try await fixture.services.sessions.list(of: account.user.id)
        #expect(sessions.count == 1 && sessions[0].portal?.tokenID == client.token.id)
    }

    @Test("Codes that nobody made, cut, doubled or of another kind: a page that says so, and no cookie")
    func unknown() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let code = try await client.portalCode(account.user.id, Self.back)
        let foreign = PortalCode.mint(from: KeyVault(ring: try .generate(from: .system)), random: .system).code
        for text in [nil, "", "x", key, client.secret, foreign.characters, String(code.dropLast()), code + "0"] {
            var browser = PortalBrowser(fixture)
            let page = try await browser.get("/portal" + (text.map { "?code=\($0)" } ?? ""))
            let post = try await browser.post("/portal", text.map { ["code": $0] } ?? [:])
            for reply in [page, post] {
                #expect(reply.status == 410 && reply.headers[.setCookie] == nil, "\(text ?? "-")")
                #expect(reply.headers[HeaderName.referrerPolicy] == "strict-origin")
                #expect(text.map { $0.count < 8 || !reply.body.contains($0) } ?? true)
            }
        }
        let crossSite = try await fixture.respond(
            .post, "/portal", [HeaderName.fetchSite: "cross-site", .contentType: "application/x-www-form-urlencoded"],
            body: "code=\(code)")
        #expect(crossSite.status == 403)
        var browser = PortalBrowser(fixture)
        #expect(try await browser.open(code).status == 303, "it was not used up")
    }

    @Test("A link ends at its time, with its account and with its token; without a returnUrl a page says so")
    func ended() async throws {
        let clock = TestClock()
        let fixture = try Self.fixture(clocks: clock.clocks)
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        for (life, last) in [(#""expiresIn":1"#, 0), ("", 59), (#""expiresIn":900"#, 899)] as [(String, Int64)] {
            let code = try await client.portalCode(account.user.id, life)
            let browser = PortalBrowser(fixture)
            clock.advance(by: .seconds(last))
            let page = try await browser.get("/portal?code=\(code)")
            #expect(page.status == 200)
            #expect(page.body.contains("data-submits-itself>") == (last < 120), "mail scanners run scripts")
            clock.advance(by: .seconds(1))
            #expect(try await browser.get("/portal?code=\(code)").status == 410)
        }
        let code = try await client.portalCode(account.user.id, Self.back)
        try await client.send(.post, "/users/\(account.user.id)/disable")
        var browser = PortalBrowser(fixture)
        #expect(try await browser.get("/portal?code=\(code)").headers[.location] == Self.expired)
        #expect(PortalBrowser.leads(try await browser.open(code), to: Self.expired, after: .post))
        #expect(try await client.send(.post, "/portal-links", #"{"user":"\#(account.user.id)"}"#).status == 409)
        try await client.send(.post, "/users/\(account.user.id)/enable")
        try await fixture.services.operatorTokens.revoke(client.token.id, by: .commandLine)
        #expect(PortalBrowser.leads(try await browser.open(code), to: Self.expired, after: .post))
        #expect(browser.cookie == nil)
    }

    @Test("A link that was not used yet ends with whatever ends the account's sessions")
    func endsWithSessions() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        for (number, end) in ["/end-sessions", "/disable", "password", "adopt"].enumerated() {
            let account = try await fixture.services.accounts.create(
                name: "Ada", email: "ada\(number)@example.com", password: Password("long enough secret"),
                by: Authority(.anyone, from: IPAddress(v4: 1)))
            let code = try await client.portalCode(account.user.id, #""expiresIn":900"#)
            switch end {
            case "password":
                try await fixture.services.accounts.setPassword(
                    of: account.user, to: Password("another long secret"), by: .commandLine)
            case "adopt":
                let body = #"{"email":"\#(account.user.email)","name":"Ada","adopt":true}"#
                #expect(try await client.send(.put, "/users/ext:adopted", body).status == 200)
            default:
                #expect(try await client.send(.post, "/users/\(account.user.id)\(end)").status < 300)
                try await client.send(.post, "/users/\(account.user.id)/enable")
            }
            var browser = PortalBrowser(fixture)
            #expect(try await browser.get("/portal?code=\(code)").status == 410, "\(end)")
            #expect(try await browser.open(code).status == 410 && browser.cookie == nil, "\(end)")
        }
    }

    @Test("The page presses its button where nothing is lost: not over a session that a password started")
    func itself() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        let submits = { (browser: PortalBrowser) async throws in
            let code = try await client.portalCode(account.user.id, #""expiresIn":60"#)
            return try await browser.get("/portal?code=\(code)").body.contains("data-submits-itself>")
        }
        var browser = PortalBrowser(fixture)
        #expect(try await submits(browser))
        _ = try await browser.open(try await client.portalCode(account.user.id, #""expiresIn":60"#))
        #expect(try await submits(browser), "over another session of a link")
        browser.cookie = try await fixture.services.sessions.start(
            for: account, from: .localSocket, userAgent: ""
        ).token.characters
        #expect(try await !submits(browser))
    }

    @Test(
        "A link opens its own section and no other",
        arguments: [("api-key", "/api-webhooks", "/webhooks"), ("webhooks", "/webhooks", "/api-webhooks")])
    func sections(section: String, open: String, closed: String) async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com")
        let workspace = "/workspaces/\(account.workspaces[0].workspace.id)"
        let second = try await client.send(.post, "/workspaces", #"{"name":"Two","owner":"\#(account.user.id)"}"#).id
        var browser = PortalBrowser(fixture)
        let code = try await client.portalCode(account.user.id, #""section":"\#(section)""#)
        let entry = try await browser.get("/portal?code=\(code)")
        #expect(entry.body.contains(section == "webhooks" ? "your webhooks" : "your API key"))
        let opened = try await browser.open(code)
        #expect(opened.headers[.location]?.hasSuffix(workspace + open) == true)
        #expect(try await browser.get("/").headers[.location]?.hasSuffix(workspace + open) == true)
        let page = try await browser.get(workspace + open)
        #expect(page.status == 200 && page.body.contains(workspace + open) && !page.body.contains(workspace + closed))
        #expect(page.body.contains("/workspaces/\(second)\(open)"), "the other workspace's, in the switcher")
        #expect(try await browser.get(workspace + closed).status == 403)
    }

    @Test("What a request for a link may say, and what the answer is")
    func requests() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let user = try await client.user("42")
        let other = try await client.user("43")
        let workspaces = other.data["workspaces"] as? [[String: Any]]
        let foreign = workspaces?.first?["id"] as? String ?? ""
        func send(_ body: String, key: String? = nil) async throws -> OperatorClient.Reply {
            try await client.send(.post, "/portal-links", body, key: key)
        }
        let made = try await send(#"{"user":"ext:42","section":"api-key"}"#)
        #expect(made.status == 200 && made.id.hasPrefix("ptl_") && made.data.count == 3)
        #expect((made.data["url"] as? String)?.hasPrefix("https://yourapp.com/portal?code=kbl_") == true)
        let wrong: [(String, [String])] = [
            ("{}", ["user"]), (#"{"user":"42"}"#, ["user"]), (#"{"user":null}"#, ["user"]),
            (#"{"user":"ext:42","section":"billing"}"#, ["section"]),
            (#"{"user":"ext:42","expiresIn":0}"#, ["expiresIn"]),
            (#"{"user":"ext:42","expiresIn":901}"#, ["expiresIn"]),
            (#"{"user":"ext:42","expiresIn":"60"}"#, ["expiresIn"]),
            (#"{"user":"ext:42","expiresIn":null}"#, ["expiresIn"]),
            (#"{"user":"ext:42","expiresIn":1.5}"#, ["expiresIn"]),
            (#"{"user":"ext:42","workspace":"x"}"#, ["workspace"]),
            (#"{"user":"ext:42","returnURL":"x"}"#, ["returnURL"]),
            (#"{"user":"ext:42","returnUrl":"https://evil.example/back"}"#, ["returnUrl"]),
            (#"{"user":"ext:42","returnUrl":"https://app.example.evil/back"}"#, ["returnUrl"]),
            (#"{"user":"ext:42","returnUrl":"https://app.example/back/%2e%2e"}"#, ["returnUrl"]),
            (#"{"user":"ext:42","returnUrl":"/back"}"#, ["returnUrl"]),
            (#"{"user":"ext:42","returnUrl":""}"#, ["returnUrl"]),
        ]
        for (body, problems) in wrong {
            let refused = try await send(body)
            #expect(refused.status == 422 && refused.problems == problems, "\(body) \(refused.text)")
        }
        for body in [
            #"{"user":"ext:none"}"#, #"{"user":"ext:42","workspace":"ext:none"}"#,
            #"{"user":"ext:42","workspace":"\#(foreign)"}"#,
        ] { #expect(try await send(body).status == 404, "\(body)") }
        #expect(try await send(#"{"user":"ext:42"}"#, key: "one").status == 200)
        let again = try await send(#"{"user":"ext:42"}"#, key: "one")
        #expect(again.status == 409 && again.message.contains("ptl_") && !again.text.contains("kbl_"))
        #expect(try await send(#"{"user":"ext:43"}"#, key: "one").status == 422)
        let events = try await client.send(.get, "/audit?user=\(user.id)").list
        #expect(events.count { $0["action"] as? String == "portal_link.created" } == 2)
    }

    @Test("Another account's session is named, and ends only where the form names it")
    func otherAccount() async throws {
        let fixture = try Self.fixture()
        let client = try await OperatorClient(fixture)
        let (ada, _) = try await fixture.account("ada@example.com")
        let (eve, _) = try await fixture.account("eve@example.com")
        let session = try await fixture.services.sessions.start(for: eve, from: .localSocket, userAgent: "")
        var browser = PortalBrowser(fixture)
        browser.cookie = session.token.characters
        let code = try await client.portalCode(ada.user.id)
        let page = try await browser.get("/portal?code=\(code)")
        #expect(page.body.contains("ada@example.com") && page.body.contains("eve@example.com"))
        #expect(!page.body.contains("data-submits-itself>"))
        for replaces in [nil, "", ada.user.id.rawValue, "usr_x"] {
            var form = ["code": code]
            form["replaces"] = replaces
            let reply = try await browser.post("/portal", form)
            #expect(reply.status == 200 && reply.headers[.setCookie] == nil && reply.body.contains("eve@example.com"))
        }
        #expect(try await fixture.services.sessions.find(session.token) != nil)
        let opened = try await browser.post("/portal", ["code": code, "replaces": eve.user.id.rawValue])
        #expect(opened.status == 303 && browser.cookie != session.token.characters)
        #expect(try await fixture.services.sessions.find(session.token) == nil)
        // The same account: no question, and the old session ends with the new one.
        let old = try #require(SessionToken(parsing: browser.cookie ?? ""))
        let second = try await browser.open(try await client.portalCode(ada.user.id))
        #expect(second.status == 303)
        #expect(try await fixture.services.sessions.list(of: ada.user.id).count == 1)
        #expect(try await fixture.services.sessions.find(old) == nil)
    }
}
