import Foundation
import HTTPTypes
import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``IdentityHandlers`` and the ``AttemptCookie``: the way of a browser to the provider and back.
@Suite struct IdentityHandlersTests {
    private let provider = FixedIdentityProvider()
    private let recorder = LogRecorder()

    private func fixture(_ clocks: Clocks = .system) throws -> ServerFixture {
        let recorder = recorder
        return try ServerFixture(
            clocks: clocks, identityProvider: provider, logger: Logger(label: "test") { _ in recorder })
    }

    /// A browser with its cookies.
    private struct Browser {
        let fixture: ServerFixture
        var cookies: [String: String] = [:]

        init(_ fixture: ServerFixture) {
            self.fixture = fixture
        }

        typealias Reply = (status: Int, headers: HTTPFields, body: String)

        mutating func get(
            _ path: String, _ method: HTTPRequest.Method = .get, site: String? = "same-origin"
        ) async throws -> Reply {
            try await send(method, path, site, "")
        }

        mutating func post(_ path: String, _ form: String = "a=b", site: String = "same-origin") async throws -> Reply {
            try await send(.post, path, site, form)
        }

        private mutating func send(
            _ method: HTTPRequest.Method, _ path: String, _ site: String?, _ form: String
        ) async throws -> Reply {
            var headers: HTTPFields = [:]
            if let site { headers[HeaderName.fetchSite] = site }
            if method == .post { headers[.contentType] = "application/x-www-form-urlencoded" }
            if !cookies.isEmpty {
                headers[.cookie] = cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")
            }
            let reply = try await fixture.respond(method, path, headers, body: form)
            for set in reply.headers[values: .setCookie] {
                let pair = set.prefix { $0 != ";" }.split(
                    separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let value = String(pair[1])
                cookies[String(pair[0])] = value.isEmpty ? nil : value
            }
            return reply
        }

        /// Begins, and returns the state that goes to the provider.
        mutating func begin(_ query: String = "") async throws -> String {
            let reply = try await get("/sign-in/oidc\(query)")
            let location = try #require(reply.headers[.location])
            return String(try #require(location.split(separator: "state=").last))
        }

        /// To the provider and back.
        mutating func signIn(_ query: String = "") async throws -> Reply {
            let state = try await begin(query)
            return try await get("/sign-in/oidc/callback?code=c0de&state=\(state)", site: "cross-site")
        }
    }

    @Test("To the provider and back: a session, at the path in next, and one cookie less; no referrer names the code")
    func wholeWay() async throws {
        let fixture = try fixture()
        let (account, _) = try await fixture.account("ada@example.com")
        var browser = Browser(fixture)
        let page = try await browser.get("/sign-in?next=/account")
        #expect(page.body.contains("Sign in with Example") && page.body.contains("/sign-in/oidc?next=/account"))
        let begun = try await browser.get("/sign-in/oidc?next=/account")
        #expect(begun.status == 303 && begun.headers[HeaderName.referrerPolicy] == "no-referrer")
        #expect(begun.headers[.location]?.hasPrefix("https://login.example/authorize?") == true)
        let cookie = try #require(begun.headers[.setCookie])
        for part in ["__Host-keybearer-sign-in=kbi_", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=600"] {
            #expect(cookie.contains(part), "\(part)")
        }
        let state = try #require(provider.requests.last?.state)
        let back = try await browser.get("/sign-in/oidc/callback?code=c0de&state=\(state)", site: "cross-site")
        #expect(back.status == 303 && back.headers[.location] == "/account")
        #expect(back.headers[HeaderName.referrerPolicy] == "no-referrer" && back.headers[.cacheControl] == "no-store")
        #expect(browser.cookies.keys.sorted() == ["__Host-keybearer"])
        #expect(provider.grants.last?.code == "c0de")
        #expect(provider.grants.last?.redirectURI == "https://yourapp.com/sign-in/oidc/callback")
        let shown = try await browser.get("/account")
        #expect(shown.status == 200 && shown.body.contains("ada@example.com"))
        #expect(try await fixture.services.sessions.list(of: account.user.id).count == 1)
        // The same address again, by whoever has seen it.
        for site in ["cross-site", "none"] {
            var other = Browser(fixture)
            let replay = try await other.get("/sign-in/oidc/callback?code=c0de&state=\(state)", site: site)
            #expect(replay.status == 400 && other.cookies.isEmpty && replay.body.contains("href=\"/sign-in\""))
            #expect(replay.headers[HeaderName.referrerPolicy] == "no-referrer" && !replay.body.contains("c0de"))
        }
        #expect(provider.grants.count == 1)
    }

    @Test("A page of another site signs nobody in without a press, and looking uses nothing up")
    func otherSites() async throws {
        let fixture = try fixture()
        _ = try await fixture.account("ada@example.com")
        var browser = Browser(fixture)
        let page = try await browser.get("/sign-in/oidc?next=/account", site: "cross-site")
        #expect(page.status == 200 && page.body.contains("Continue with Example") && browser.cookies.isEmpty)
        for site in ["same-origin", "same-site", "none", nil] {
            #expect(try await browser.get("/sign-in/oidc", site: site).status == 303)
        }
        #expect(try await browser.get("/sign-in/oidc", .head).status == 405)
        let state = try await browser.begin()
        #expect(try await browser.get("/sign-in/oidc/callback?code=c0de&state=\(state)", .head).status == 405)
        #expect(try await browser.get("/sign-in/oidc/callback?code=c0de&state=\(state)").status == 303)
        #expect(try await browser.post("/sign-in/oidc/link", site: "cross-site").status == 403)
    }

    @Test("It leads to a path of this server alone, and never to where a sign-in begins")
    func next() async throws {
        let fixture = try fixture()
        _ = try await fixture.account("ada@example.com")
        for (next, expected) in [
            ("/account", "/account"), ("//evil.example", "/"), ("https://evil.example", "/"), ("/%5Cevil.example", "/"),
            ("/sign-in/oidc", "/"), ("", "/"),
        ] {
            var browser = Browser(fixture)
            #expect(try await browser.signIn("?next=\(next)").headers[.location] == expected, "\(next)")
        }
    }

    @Test("What comes back wrong is refused, with a page that says what to do; the attempt in the cookie lives on")
    func refused() async throws {
        let fixture = try fixture()
        _ = try await fixture.account("ada@example.com")
        var browser = Browser(fixture)
        let state = try await browser.begin()
        var stranger = Browser(fixture)
        let foreign = try await stranger.begin()
        for query in [
            "", "?code=c0de", "?state=\(state)x&code=c0de", "?code=c0de&state=\(foreign)", "?code=c0de&state=",
            "?code=c0de&state=\(state)&iss=https://evil.example", "?%zz",
        ] {
            let reply = try await browser.get("/sign-in/oidc/callback\(query)", site: "cross-site")
            #expect(reply.status == 400 && reply.headers[.setCookie] == nil, "\(query)")
            #expect(reply.body.contains("begin again") || reply.body.contains("malformed"))
        }
        #expect(provider.grants.isEmpty)
        let good = try await browser.get(
            "/sign-in/oidc/callback?code=c0de&state=\(state)&iss=https://login.example", site: "cross-site")
        #expect(good.status == 303 && good.headers[.location] == "/")
    }

    @Test(
        "A no at the provider, a provider that is down, and one whose token is refused, each have a page; the log says why"
    )
    func failures() async throws {
        let fixture = try fixture()
        _ = try await fixture.account("ada@example.com")
        var browser = Browser(fixture)
        let state = try await browser.begin()
        let declined = try await browser.get(
            "/sign-in/oidc/callback?error=access_denied&error_description=%3Cb%3E&state=\(state)", site: "cross-site")
        #expect(declined.status == 403 && declined.body.contains("Example did not sign you in"))
        #expect(!declined.body.contains("access_denied") && browser.cookies.isEmpty)
        provider.says(.failure(.refused("the ID token has expired")))
        let refused = try await browser.signIn()
        #expect(refused.status == 401 && refused.body.contains("was not accepted") && !refused.body.contains("expired"))
        provider.says(.failure(.unreachable("the discovery document: connect timeout")))
        let down = try await browser.get("/sign-in/oidc")
        #expect(down.status == 503 && down.body.contains("Example cannot be reached"))
        #expect(try await browser.get("/sign-in").status == 200)
        #expect(recorder.lines.contains { $0.text.contains("the ID token has expired") })
        #expect(
            !recorder.lines.contains { $0.text.contains("c0de") || $0.text.contains(state) || $0.text.contains("kbi_") }
        )
    }

    @Test("A press on the account's page disconnects, except the only way to sign in, whose refusal is said there")
    func disconnect() async throws {
        let fixture = try fixture()
        _ = try await fixture.account("ada@example.com")
        var browser = Browser(fixture)
        #expect(try await browser.signIn("?next=/account").status == 303)
        let page = try await browser.get("/account").body
        let path = try #require(page.firstMatch(of: /\/account\/identities\/[0-9a-f]{32}\/disconnect/)).output
        #expect(try await browser.post(String(path), site: "cross-site").status == 403)
        let done = try await browser.post(String(path))
        #expect(done.status == 303 && done.headers[.location] == "/account?identity=disconnected")
        let after = try await browser.get("/account?identity=disconnected").body
        #expect(after.contains("Disconnected.") && !after.contains("/disconnect"))
        #expect(try await browser.post(String(path)).status == 404)
        // The account has a verified address, so that it is connected again; without a password it stays connected.
        let client = try await OperatorClient(fixture)
        let sent = #"{"email":"uma@example.com","name":"Uma","emailVerified":true}"#
        #expect(try await client.send(.put, "/users/ext:1", sent).status == 200)
        provider.says(.success(FixedIdentityProvider.claims("uma", email: "uma@example.com")))
        var uma = Browser(fixture)
        #expect(try await uma.signIn("?next=/account").status == 303)
        let only = try await uma.get("/account").body
        #expect(only.contains("This is your only way to sign in") && !only.contains("/disconnect"))
        let entry = ConnectedIdentity(
            identity: FixedIdentityProvider.claims("uma").identity, connectedAt: Samples.start)
        let refused = try await uma.post("/account/identities/\(entry.reference)/disconnect")
        #expect(refused.status == 409 && refused.body.contains("so it was not disconnected"))
        #expect(refused.body.contains(#"role="alert""#))
        #expect(try await browser.post("/account/identities/\(entry.reference)/disconnect").status == 404)
        #expect(try await uma.signIn("?next=/account").headers[.location] == "/account")
    }

    @Test("An account that nobody has proved is signed in to first; then a press connects it")
    func connect() async throws {
        let fixture = try fixture()
        let stranger = try await fixture.services.accounts.create(
            name: "Ada", email: "ada@example.com", password: Password("long enough secret"),
            by: Authority(.anyone, from: IPAddress(v4: 1)))
        var browser = Browser(fixture)
        let back = try await browser.signIn("?next=/account")
        #expect(back.headers[.location] == "/sign-in?connect=1&next=/sign-in/oidc/link")
        #expect(browser.cookies["__Host-keybearer"] == nil)
        let page = try await browser.get("/sign-in?connect=1&next=/sign-in/oidc/link")
        #expect(page.body.contains("No account here is connected with that sign-in yet"))
        #expect(try await browser.get("/sign-in/oidc/link").headers[.location] == "/sign-in?next=/sign-in/oidc/link")
        let signedIn = try await browser.post(
            "/sign-in", "email=ada%40example.com&password=long+enough+secret&next=/sign-in/oidc/link")
        #expect(signedIn.headers[.location] == "/sign-in/oidc/link")
        let question = try await browser.get("/sign-in/oidc/link")
        #expect(question.status == 200 && question.body.contains("Connect Example"))
        #expect(try await fixture.store.identities(of: stranger.user.id).isEmpty, "looking connects nothing")
        let linked = try await browser.post("/sign-in/oidc/link")
        #expect(linked.status == 303 && linked.headers[.location] == "/account")
        #expect(browser.cookies.keys.sorted() == ["__Host-keybearer"])
        #expect(try await fixture.store.identities(of: stranger.user.id).map(\.subject) == ["ada"])
        #expect(try await browser.post("/sign-in/oidc/link").status == 400)
        #expect(try await browser.get("/sign-in/oidc/link").headers[.location] == "/")
        var again = Browser(fixture)
        #expect(try await again.signIn().headers[.location] == "/")
        // Whoever is signed in already is asked immediately.
        provider.says(.success(FixedIdentityProvider.claims("second", email: nil)))
        #expect(try await again.signIn().headers[.location] == "/sign-in/oidc/link")
    }

    @Test(
        "Where the sign-in is old, a person without a password gives proof at the provider again, and sees no password form"
    )
    func confirm() async throws {
        let clock = TestClock()
        let fixture = try fixture(clock.clocks)
        let caller = OperatorCaller.commandLine
        var input = UserInput()
        (input.email, input.name) = ("ada@example.com", "Ada")
        let account = try await fixture.services.writes.create(input, by: caller)
        #expect(!account.user.hasPassword)
        var browser = Browser(fixture)
        _ = try await browser.signIn()
        clock.advance(by: .seconds(1_000))
        let old = browser.cookies["__Host-keybearer"]
        let page = try await browser.get("/confirm?next=/account")
        #expect(
            page.body.contains("/sign-in/oidc?confirm=1&amp;next=/account") && !page.body.contains("type=\"password\""))
        #expect(try await !browser.get("/account").body.contains("type=\"password\""))
        let back = try await browser.signIn("?confirm=1&next=/account")
        #expect(back.headers[.location] == "/account" && browser.cookies["__Host-keybearer"] != old)
        #expect(provider.requests.last?.asksAgain == true && provider.grants.last?.authenticatedAfter != nil)
        let sessions = try await fixture.services.sessions.list(of: account.user.id)
        #expect(sessions.count == 1 && sessions[0].authenticatedAt == clock.clocks.wall())
        // Without a session there is nothing to confirm: it is a sign-in.
        var other = Browser(fixture)
        _ = try await other.signIn("?confirm=1")
        #expect(provider.requests.last?.asksAgain == false)
    }

    @Test("Without a provider there is nothing at these addresses, and no page names them")
    func unconfigured() async throws {
        let fixture = try ServerFixture()
        for path in ["/sign-in/oidc", "/sign-in/oidc/callback?code=c0de&state=x"] {
            #expect(try await fixture.respond(.get, path).status == 404)
        }
        #expect(try await !fixture.respond(.get, "/sign-in").body.contains("oidc"))
    }
}
