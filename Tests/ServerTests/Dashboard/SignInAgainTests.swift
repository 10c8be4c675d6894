import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``SignInHandlers`` end the session that a new ``SessionCookie`` replaces.
@Suite struct SignInAgainTests {
    private static let password = "long enough secret"

    /// A browser: it keeps the cookie that it is given.
    private struct Visitor {
        let fixture: ServerFixture
        var cookie: String?

        /// - Returns: the status.
        mutating func send(_ path: String, _ form: [String: String]) async throws -> Int {
            var headers: HTTPFields = [
                HeaderName.fetchSite: "same-origin", .contentType: "application/x-www-form-urlencoded",
            ]
            if let cookie { headers[.cookie] = "\(SessionCookie.name)=\(cookie)" }
            let body = form.map { "\($0.key)=\(DashboardResponder.escape($0.value))" }.joined(separator: "&")
            let response = try await fixture.respond(.post, path, headers, body: body)
            if let set = response.headers[.setCookie]?.split(separator: ";").first?.split(separator: "=").last {
                cookie = String(set)
            }
            return response.status
        }

        mutating func signIn(_ email: String, password: String = SignInAgainTests.password) async throws -> Int {
            try await send("/sign-in", ["email": email, "password": password])
        }
    }

    private static func isSignedIn(_ cookie: String?, _ fixture: ServerFixture) async throws -> Bool {
        let headers: HTTPFields = [.cookie: "\(SessionCookie.name)=\(cookie ?? "")"]
        return try await fixture.respond(.get, "/account", headers).status == 200
    }

    private static func withFixture(_ engine: WalkEngine, _ body: (ServerFixture) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        let fixture = try ServerFixture(store: try engine.database(in: directory)())
        try await body(fixture)
        try fixture.store.close()
    }

    @Test("By the same person or another, in the same browser", arguments: WalkEngine.allCases)
    func replaced(engine: WalkEngine) async throws {
        try await Self.withFixture(engine) { fixture in
            let ada = try await fixture.account("ada@example.com").account.user.id
            _ = try await fixture.account("eve@example.com")
            var (browser, phone) = (Visitor(fixture: fixture), Visitor(fixture: fixture))
            #expect(try await phone.signIn("ada@example.com") == 303)
            var before: String?
            for email in ["ada@example.com", "ada@example.com", "eve@example.com", "ada@example.com"] {
                #expect(try await browser.signIn(email) == 303)
                #expect(try await Self.isSignedIn(browser.cookie, fixture))
                if let before { #expect(try await !Self.isSignedIn(before, fixture)) }
                before = browser.cookie
            }
            // A session of hers on another device stays.
            #expect(try await Self.isSignedIn(phone.cookie, fixture))
            let events = try await fixture.services.accounts.auditEvents(of: ada, limit: 100)
            #expect(events.count { $0.action == .sessionEnded } == 2)
            #expect(try await fixture.services.sessions.list(of: ada).count == 2)
            // A new account takes the browser over as well.
            let form = ["name": "New", "email": "new@example.com", "password": "another long secret"]
            #expect(try await browser.send("/sign-up", form) == 303)
            #expect(try await Self.isSignedIn(browser.cookie, fixture))
            #expect(try await !Self.isSignedIn(before, fixture))
        }
    }

    @Test(
        "Cookies that are forged, ended or nothing change nothing, nor do sign-ins that fail",
        arguments: WalkEngine.allCases)
    func notReplaced(engine: WalkEngine) async throws {
        try await Self.withFixture(engine) { fixture in
            let ada = try await fixture.account("ada@example.com").account.user.id
            var browser = Visitor(fixture: fixture)
            #expect(try await browser.signIn("ada@example.com") == 303)
            let live = try #require(browser.cookie)
            #expect(try await browser.signIn("ada@example.com", password: "wrong") == 401)
            #expect(try await browser.signIn("nobody@example.com") == 401)
            #expect(try await Self.isSignedIn(live, fixture))

            let id = try #require(try await fixture.services.sessions.list(of: ada).first?.id)
            var ended = Visitor(fixture: fixture)
            #expect(try await ended.signIn("ada@example.com") == 303)
            #expect(try await ended.send("/sign-out", ["from": "page"]) == 303)
            let forged = String(live.reversed())
            for cookie in [ended.cookie, forged, "x", ""] {
                var other = Visitor(fixture: fixture, cookie: cookie)
                #expect(try await other.signIn("ada@example.com") == 303)
                #expect(try await Self.isSignedIn(other.cookie, fixture))
                #expect(try await fixture.services.sessions.list(of: ada).contains { $0.id == id })
            }
            let events = try await fixture.services.accounts.auditEvents(of: ada, limit: 100)
            #expect(events.count { $0.action == .sessionEnded } == 1, "the sign-out alone")
        }
    }

    @Test("An address that no account can have counts for the network, and sign-ups say how long to wait")
    func throttled() async throws {
        let fixture = try ServerFixture(clocks: TestClock().clocks)
        var browser = Visitor(fixture: fixture)
        for _ in 0..<20 { #expect(try await browser.signIn("no address") == 401) }
        #expect(try await browser.signIn("no address") == 429)
        let form = ["name": "New", "email": "new@example.com", "password": "another long secret"]
        #expect(try await browser.send("/sign-up", form) == 429)
    }
}
