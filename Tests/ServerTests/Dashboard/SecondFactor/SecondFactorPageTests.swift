import Foundation
import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

@Suite struct SecondFactorPageTests {
    private static let shell = DashboardShell(
        email: "ada@example.com", workspaces: [], currentWorkspaceID: nil, section: .account)
    private static let app = OneTimePassword(secret: Array("12345678901234567890".utf8))

    @Test("Set-up shows the secret as a picture and as text, and a form that sends it back")
    func setup() throws {
        let setup = AppSetup(Self.app, issuer: "Keybearer", account: "ada@example.com")
        let page = try RenderedPage(SecondFactorPage(shell: Self.shell, setup: setup))
        #expect(page.problems == [])
        #expect(page.title == "Two-step sign-in · Keybearer")
        #expect(page.text.contains("Key: GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"))
        let code = try #require(QRCode(Self.app.uri(issuer: "Keybearer", account: "ada@example.com")))
        #expect(page.html.contains(" d=\"\(code.pathData)\""))
        let form = try #require(page.form(to: "/account/second-factor"))
        #expect(form.method == "post")
        #expect(form.fields == ["secret": Self.app.text, "code": ""])
        #expect(form.types["secret"] == "hidden")
        let refused = try RenderedPage(SecondFactorPage(shell: Self.shell, setup: setup, codeError: "Not right."))
        #expect(refused.problems == [] && refused.title.hasPrefix("Error: "))
        #expect(refused.element(id: "code")?["aria-describedby"] == "code-error")
    }

    @Test("Names that are too long for a picture leave the text")
    func longNames() throws {
        let setup = AppSetup(
            Self.app, issuer: String(repeating: "ü", count: 60), account: String(repeating: "w", count: 300))
        let page = try RenderedPage(SecondFactorPage(shell: Self.shell, setup: setup))
        #expect(page.problems == [])
        #expect(page.elements("path").allSatisfy { $0["class"] != "qr-modules" } && page.text.contains("Key: GEZD"))
    }

    @Test("Recovery codes are shown with what happened", arguments: [true, false])
    func codes(isNew: Bool) throws {
        let codes = (0..<10).map { _ in RecoveryCode.random(from: .seeded(UInt64.random(in: 0...999))) }
        let page = try RenderedPage(SecondFactorPage(shell: Self.shell, codes: codes, isNew: isNew))
        #expect(page.problems == [] && page.forms.count == 1)
        #expect(codes.allSatisfy { page.html.contains("<code>\($0.text)</code>") })
        #expect(page.text.contains("Your other sessions have ended.") == isNew)
        #expect(page.text.contains("The old ones no longer work.") == !isNew)
    }

    @Test(
        "It says how many recovery codes are left",
        arguments: [
            (0, "No recovery code is left."), (1, "One recovery code is left."), (9, "9 recovery codes are left."),
        ])
    func status(left: Int, sentence: String) throws {
        let status = SecondFactorStatus(SecondFactorService.Status(since: Samples.start, codesLeft: left))
        let page = try RenderedPage(SecondFactorPage(shell: Self.shell, status: status))
        #expect(page.problems == [])
        #expect(page.text.contains("Since 2026-01-01 00:00:00 UTC. \(sentence)"))
        #expect(page.form(to: "/account/second-factor/recovery-codes")?.fields == ["code": ""])
        #expect(page.has("button", ["formaction": "/account/second-factor/remove"]))
        let account = try RenderedPage(
            AccountPage(
                shell: Self.shell, name: "Ada", email: "ada@example.com", secondFactor: status, sessions: []))
        #expect(account.problems == [] && account.text.contains("On since 2026-01-01 00:00:00 UTC. \(sentence)"))
    }
}

/// The ``CodePage`` of a sign-in, and the ``ConfirmPage`` where a code is asked for.
@Suite struct CodePageTests {
    @Test("It asks for the code and leads on")
    func empty() throws {
        let page = try RenderedPage(CodePage(next: "/account"))
        #expect(page.problems == [] && page.title == "Enter your code · Keybearer")
        let form = try #require(page.form(to: "/sign-in/code"))
        #expect(form.method == "post" && form.fields == ["next": "/account", "code": ""])
        #expect(page.element(id: "code")?["autocomplete"] == "one-time-code")
    }

    @Test("A refusal is said")
    func refused() throws {
        let page = try RenderedPage(CodePage(problem: .wrongCredentials))
        #expect(page.problems == [] && page.title == "Error: Enter your code · Keybearer")
        #expect(page.text.contains("That code is not right, or it was used already."))
        #expect(page.element(id: "code")?["aria-describedby"] == "code-hint code-error")
    }

    @Test("A confirmation that asks for both does not say which one was wrong")
    func confirmation() throws {
        let page = try RenderedPage(
            ConfirmPage(email: "ada@example.com", next: "/", problem: .wrongCredentials, asksForCode: true))
        #expect(page.problems == [])
        #expect(page.form(to: "/confirm")?.fields == ["next": "/", "password": "", "code": ""])
        #expect(page.text.contains("The password or the code is not right."))
    }

    @Test("The path is written as text")
    func hostile() throws {
        let page = try RenderedPage(CodePage(next: RenderedPage.hostile))
        #expect(page.problems == [] && !page.html.contains(RenderedPage.hostile))
    }
}

/// The ``SecondFactorHandlers`` and ``CodeHandlers`` as a browser calls them, with the ``PendingSignInCookie``.
@Suite struct SecondFactorHandlersTests {
    /// It stands still: a code is of the step that a test means.
    private let clock = TestClock()
    private let fixture: ServerFixture
    private let account: Account
    private let session: SessionToken

    init() async throws {
        fixture = try ServerFixture(clocks: clock.clocks)
        account = try await fixture.account("ada@example.com").account
        session = try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "").token
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ form: [String: String] = [:], cookies: [String] = []
    ) async throws -> (status: Int, headers: HTTPFields, body: String) {
        var headers: HTTPFields = [
            .contentType: "application/x-www-form-urlencoded", HeaderName.fetchSite: "same-origin",
        ]
        headers[.cookie] = cookies.joined(separator: "; ")
        let body = form.map { "\($0.key)=\(DashboardResponder.escape($0.value))" }.joined(separator: "&")
        return try await fixture.respond(method, path, headers, body: method == .post ? body : "")
    }

    private var signedIn: [String] { ["\(SessionCookie.name)=\(session.characters)"] }

    /// The value of a cookie that a response sets.
    private func cookie(_ name: String, in headers: HTTPFields) -> String? {
        headers[values: .setCookie].first { $0.hasPrefix(name + "=") && !$0.contains("Max-Age=0") }
            .map { String($0.prefix { $0 != ";" }) }
    }

    /// Turns it on by the page's own forms.
    private func turnOn() async throws -> (app: OneTimePassword, codes: [String]) {
        let page = try await send(.get, "/account/second-factor", cookies: signedIn)
        let secret = try #require(page.body.firstMatch(of: /name="secret" value="([A-Z2-7]{32})"/)?.1)
        let app = try #require(OneTimePassword(parsing: secret))
        let refused = try await send(
            .post, "/account/second-factor", ["secret": app.text, "code": "000000"], cookies: signedIn)
        #expect(refused.status == 422 && refused.body.contains(app.text))
        let code = app.code(at: OneTimePassword.step(at: clock.clocks.wall()) - 1)
        let done = try await send(
            .post, "/account/second-factor", ["secret": app.text, "code": code], cookies: signedIn)
        #expect(done.status == 200 && done.headers[.cacheControl] == "no-store")
        return (app, done.body.matches(of: /<code>([a-z2-9-]{19})<\/code>/).map { String($0.1) })
    }

    @Test("A sign-in asks for the code on a second page, and the cookie of the first opens nothing else")
    func signIn() async throws {
        let (app, codes) = try await turnOn()
        #expect(codes.count == 10)
        let form = ["email": "ada@example.com", "password": "long enough secret", "next": "/account"]
        let first = try await send(.post, "/sign-in", form)
        #expect(first.status == 303 && first.headers[.location] == "/sign-in/code?next=/account")
        #expect(cookie(SessionCookie.name, in: first.headers) == nil)
        let name = PendingSignInCookie(beside: SessionCookie()).name
        let pending = try #require(cookie(name, in: first.headers))
        #expect(try await send(.get, "/sign-in/code", cookies: [pending]).status == 200)
        for path in ["/", "/account", "/account/second-factor"] {
            let value = pending.dropFirst(name.count + 1)
            for cookies in [[pending], ["\(SessionCookie.name)=\(value)"]] {
                let response = try await send(.get, path, cookies: cookies)
                #expect(response.status == 303 && response.headers[.location]?.hasPrefix("/sign-in") == true)
            }
        }
        let wrong = try await send(.post, "/sign-in/code", ["code": "000000"], cookies: [pending])
        #expect(wrong.status == 401 && wrong.body.contains("That code is not right"))
        let code = app.code(at: OneTimePassword.step(at: clock.clocks.wall()))
        let done = try await send(.post, "/sign-in/code", ["code": code, "next": "/account"], cookies: [pending])
        #expect(done.status == 303 && done.headers[.location] == "/account")
        let session = try #require(cookie(SessionCookie.name, in: done.headers))
        #expect(done.headers[values: .setCookie].contains { $0.hasPrefix(name + "=;") })
        #expect(try await send(.get, "/account", cookies: [session]).body.contains("10 recovery codes are left."))
        // It is over.
        let again = try await send(.post, "/sign-in/code", ["code": codes[0]], cookies: [pending])
        #expect(again.status == 303 && again.headers[.location] == "/sign-in")
    }

    @Test("Without a cookie, with a forged one and with another kind's, the sign-in begins again")
    func withoutCookie() async throws {
        let name = PendingSignInCookie(beside: SessionCookie()).name
        let forged = "\(name)=kbc_" + String(repeating: "A", count: 53)
        for cookies in [[], [forged], ["\(name)=\(session.characters)"]] {
            for method in [HTTPRequest.Method.get, .post] {
                let response = try await send(method, "/sign-in/code", ["code": "123456"], cookies: cookies)
                #expect(response.status == 303 && response.headers[.location] == "/sign-in")
            }
        }
    }

    @Test("New recovery codes, a confirmation with one, and turning off")
    func changes() async throws {
        let (_, codes) = try await turnOn()
        let refused = try await send(
            .post, "/account/second-factor/recovery-codes", ["code": "000000"], cookies: signedIn)
        #expect(refused.status == 422 && !refused.body.contains("<li><code>"))
        let made = try await send(
            .post, "/account/second-factor/recovery-codes", ["code": codes[0]], cookies: signedIn)
        let fresh = made.body.matches(of: /<code>([a-z2-9-]{19})<\/code>/).map { String($0.1) }
        #expect(made.status == 200 && fresh.count == 10 && Set(fresh).isDisjoint(with: codes))
        let page = try await send(.get, "/confirm?next=/account", cookies: signedIn)
        #expect(page.body.contains(#"name="code""#))
        let password = "long enough secret"
        #expect(try await send(.post, "/confirm", ["password": password], cookies: signedIn).status == 401)
        let confirmed = try await send(
            .post, "/confirm", ["password": password, "code": fresh[0], "next": "/account"], cookies: signedIn)
        let session = try #require(cookie(SessionCookie.name, in: confirmed.headers))
        let off = try await send(.post, "/account/second-factor/remove", ["code": fresh[1]], cookies: [session])
        #expect(off.status == 303 && off.headers[.location] == "/account?secondFactor=off")
        let form = ["email": "ada@example.com", "password": password]
        #expect(try await send(.post, "/sign-in", form).headers[.location] == "/")
    }

    @Test("An operator turns it off for a user, with the scope users:identity")
    func reset() async throws {
        _ = try await turnOn()
        let path = "/users/\(account.user.id)/second-factor/reset"
        let other = try await OperatorClient(fixture, [.writeUsers])
        #expect(try await other.send(.post, path).status == 403)
        let client = try await OperatorClient(fixture, [.writeIdentity])
        #expect(try await client.send(.post, path).status == 204)
        #expect(try await client.send(.post, path).status == 204)
        #expect(try await client.send(.post, "/users/ext:none/second-factor/reset").status == 404)
        let events = try await fixture.store.auditEvents(userID: account.user.id, limit: 1)
        #expect(events.first?.action == .secondFactorRemoved && events.first?.detail == "by the operator")
        #expect(try await fixture.services.secondFactors.status(of: account.user.id) == nil)
    }

    @Test("An account without a password has nothing to set up")
    func withoutPassword() async throws {
        var input = UserInput()
        (input.name, input.email) = ("Eve", "eve@example.com")
        let eve = try await fixture.services.writes.create(input, by: .commandLine)
        let link = try await fixture.services.sessions.start(
            for: eve, replacing: nil, action: .sessionStarted, by: .commandLine, userAgent: "")
        let cookies = ["\(SessionCookie.name)=\(link.token.characters)"]
        let page = try await send(.get, "/account/second-factor", cookies: cookies)
        #expect(page.status == 303 && page.headers[.location] == "/account")
        #expect(try await send(.get, "/account", cookies: cookies).body.contains("second-factor") == false)
    }
}
