import Foundation
import HTTPTypes
import Logging
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Who is told what by mail: sign-ins and reveals on new devices (``DeviceCookie``), changes by whoever makes them,
/// invitations; what of it is exported (``MailRecordJSON``); and how ``MailDispatcher`` and ``MailService`` treat a mail that is not taken.
@Suite struct MailNoticeTests {
    let fixture: ServerFixture
    private let recorder = MailRecorder()
    private let logs = LogRecorder()

    init() throws {
        let logs = logs
        fixture = try ServerFixture(mails: recorder, logger: .init(label: "test") { _ in logs })
    }

    /// A browser that keeps its cookies.
    private final class Browser {
        let fixture: ServerFixture
        private let userAgent: String
        private var cookies: [String: String] = [:]

        init(_ fixture: ServerFixture, userAgent: String = "Mozilla/5.0 (X11; Linux) Firefox/140.0") {
            (self.fixture, self.userAgent) = (fixture, userAgent)
        }

        func post(_ path: String, _ form: [String: String] = [:]) async throws -> Int {
            var headers: HTTPFields = [
                HeaderName.fetchSite: "same-origin", .contentType: "application/x-www-form-urlencoded",
                .userAgent: userAgent, .cookie: cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; "),
            ]
            if cookies.isEmpty { headers[.cookie] = nil }
            let body = form.map { "\($0.key)=\(DashboardResponder.escape($0.value))" }.joined(separator: "&")
            let reply = try await fixture.respond(.post, path, headers, body: body)
            for cookie in reply.headers[values: .setCookie] {
                let pair = cookie.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1).map(String.init)
                cookies[pair[0]] = pair.count == 2 ? pair[1] : nil
            }
            return reply.status
        }

        func signIn(_ email: String = "ada@example.com") async throws {
            #expect(try await post("/sign-in", ["email": email, "password": "long enough secret"]) == 303)
        }

        /// Ends the session, and keeps what else there is.
        func forgetSession() { cookies[SessionCookie.name] = nil }

        /// As somebody does who deletes all cookies.
        func forgetAll() { cookies = [:] }

        /// Only the session's cookie, as somebody has it who took it.
        func stolen() -> Browser {
            let other = Browser(fixture, userAgent: "curl/8")
            other.cookies[SessionCookie.name] = cookies[SessionCookie.name]
            return other
        }
    }

    private func subjects() async throws -> [String] {
        try await fixture.sentMails().map { String($0.subject.dropFirst("Keybearer: ".count)) }
    }

    private static let newSignIn = "New sign-in to your account"
    private static let shown = "Your API key was shown on a new device"

    @Test("A sign-in on a new device is told of, the next one there is not")
    func signIns() async throws {
        _ = try await fixture.account("ada@example.com")
        let browser = Browser(fixture)
        try await browser.signIn()
        #expect(try await subjects() == [Self.newSignIn])
        browser.forgetSession()
        try await browser.signIn()
        #expect(try await subjects() == [])
        browser.forgetAll()
        try await browser.signIn()
        #expect(try await subjects() == [Self.newSignIn], "whoever deletes the cookie is new")
        _ = try await browser.post("/sign-in", ["email": "ada@example.com", "password": "wrong"])
        #expect(try await subjects() == [], "nobody came in")
    }

    @Test("Mails and devices are exported with the rest of a person's data: ``MailRecordJSON``")
    func export() async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        try await Browser(fixture).signIn()
        #expect(try await subjects() == [Self.newSignIn])
        let exported = try await OperatorClient(fixture).send(.get, "/users/\(account.user.id)/export")
        let mails = try #require(exported.data["mails"] as? [[String: Any]])
        #expect(mails.map { $0["kind"] as? String } == ["new-sign-in"] && mails[0]["state"] as? String == "sent")
        let devices = try #require(exported.data["devices"] as? [[String: Any]])
        #expect(devices.count == 1 && devices[0]["revealedAt"] is NSNull)
    }

    @Test("The mail names browser and address")
    func facts() async throws {
        _ = try await fixture.account("ada@example.com")
        try await Browser(fixture).signIn()
        let mail = try #require(try await fixture.sentMails().first)
        #expect(mail.body.contains("Browser: Firefox on Linux\n") && mail.body.contains("From: 127.0.0.1\n"))
    }

    @Test("The key's first reveal on a device is told of, also with a session that was taken")
    func reveals() async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        let path = "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks/reveal"
        let browser = Browser(fixture)
        try await browser.signIn()
        _ = try await subjects()
        #expect(try await browser.post(path) == 200)
        #expect(try await subjects() == [Self.shown])
        #expect(try await browser.post(path) == 200)
        #expect(try await subjects() == [])
        #expect(try await browser.stolen().post(path) == 200)
        #expect(try await subjects() == [Self.shown])
    }

    @Test("A key that the server tries is shown to nobody; a service account's is told of to whoever looked")
    func trialsAndServiceKeys() async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        let workspace = account.workspaces[0].workspace.id
        let service = try await fixture.services.writes.createServiceAccount(
            name: "Build server", in: .id(workspace), by: .commandLine)
        let browser = Browser(fixture)
        try await browser.signIn()
        _ = try await subjects()
        let other = browser.stolen()
        #expect(try await other.post("/workspaces/\(workspace)/api-webhooks/try") == 200)
        #expect(try await subjects() == [])
        #expect(try await other.post("/workspaces/\(workspace)/service-accounts/\(service.user.id)/reveal") == 200)
        let mails = try await fixture.sentMails()
        #expect(mails.map(\.to) == ["ada@example.com"])
        #expect(mails.first?.subject == "Keybearer: The API key of a service account was shown on a new device")
        #expect(mails.first?.body.contains("the service account Build server") == true)
        _ = try await fixture.services.keys.regenerate(service.user.id, idempotencyKey: nil, by: .commandLine)
        // A service account has no address: the Owners of its workspace read of it.
        let about = try await fixture.sentMails()
        #expect(about.map(\.to) == ["ada@example.com"])
        #expect(about.first?.subject == "Keybearer: The API key of a service account was regenerated")
        #expect(about.first?.body.contains("the service account Build server at Keybearer was regenerated") == true)
        for _ in 0..<2 {
            let warning = NewMail(.near, of: service.user.id, at: Clocks.system.wall())
            try await fixture.services.mails.add(try #require(warning))
        }
        #expect(try await subjects() == ["80 % of the hourly limit of a service account is used"])
    }

    @Test("Nothing is sent in the name of somebody whose own address is not verified")
    func unverifiedInviter() async throws {
        let stranger = try await fixture.services.signIn.signUp(
            name: "The Boss", email: "boss@example.com", password: Password("long enough secret"),
            from: IPAddress(v4: 9), userAgent: ""
        ).signedIn.account
        _ = try await subjects()
        let browser = try await PersonBrowser(fixture, stranger)
        let page = try await browser.post(
            "/workspaces/\(stranger.workspaces[0].workspace.id)/invitations",
            ["email": "grace@example.com", "role": "member"])
        #expect(page.status == 200 && page.body.contains("/invitations?code="), "the link for copying stays")
        #expect(!page.body.contains("on its way to them"))
        #expect(try await subjects() == [])
    }

    @Test("Whoever makes a change, its holder is told: key, password, two-step sign-in")
    func changes() async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        let id = account.user.id
        _ = try await fixture.services.keys.regenerate(id, idempotencyKey: nil, by: .commandLine)
        #expect(try await subjects() == ["Your API key was regenerated"])
        try await fixture.services.accounts.setPassword(
            of: account.user, to: Password("long enough secret"), by: .commandLine)
        #expect(try await subjects() == ["Your password was changed"])
    }

    @Test("An invitation is mailed with a link of its own, and the page shows another for copying")
    func invitation() async throws {
        let (owner, _) = try await fixture.account("ada@example.com")
        let browser = try await PersonBrowser(fixture, owner)
        let workspace = owner.workspaces[0].workspace.id
        let page = try await browser.post(
            "/workspaces/\(workspace)/invitations", ["email": "grace@example.com", "role": "member"])
        #expect(page.status == 200 && page.body.contains("A mail with a link is on its way to them"))
        let mail = try #require(try await fixture.sentMails().first { $0.to == "grace@example.com" })
        let code = try #require(mail.code)
        #expect(!page.body.contains(code))
        let (guest, _) = try await fixture.account("grace@example.com")
        let reader = try await PersonBrowser(fixture, guest)
        #expect(try await reader.get(try #require(mail.link)).status == 200)
        #expect(try await reader.post("/invitations/accept", ["code": code]).status == 303)
        #expect(try await fixture.services.workspaces.members(of: workspace).count == 2)
    }

    @Test("An invitation that was withdrawn before its mail went out is not mailed")
    func withdrawn() async throws {
        let (owner, _) = try await fixture.account("ada@example.com")
        let workspace = owner.workspaces[0].workspace.id
        let authority = Authority(.commandLine)
        let invitation = try await fixture.services.invitations.invite(
            "grace@example.com", as: .member, to: workspace, by: owner.user, authority: authority
        ).invitation
        try await fixture.services.invitations.withdraw(invitation.id, of: workspace, by: authority)
        #expect(try await subjects() == [])
        #expect(try await fixture.services.mails.list(limit: 10).map(\.outcome) == [.void])
    }

    @Test("A mail that is not taken waits, and goes out once; one that never can is given up, and its log names nobody")
    func failures() async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        recorder.fail(with: MailFailure("451 try later ada@example.com"))
        _ = try await fixture.services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(try await subjects() == [])
        let mail = try #require(try await fixture.services.mails.list(limit: 10).first)
        #expect(mail.attempts == 1 && mail.outcome == nil && mail.problem == "451 try later <address>")
        #expect(try await subjects() == [], "not before its time")
        recorder.fail(with: nil)
        try await fixture.services.mails.retry(mail.id)
        #expect(try await subjects() == ["Your API key was regenerated"])
        #expect(try await subjects() == [])
        await #expect { try await fixture.services.mails.retry(mail.id) } throws: {
            ($0 as? KeybearerError)?.code == .conflict
        }
        recorder.fail(with: MailFailure("never", isFinal: true))
        _ = try await fixture.services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        #expect(try await subjects() == [])
        #expect(try await fixture.services.mails.counts().ended == [.sent: 1, .givenUp: 1])
        let lines = logs.lines.map(\.text)
        #expect(lines.contains { $0.contains("451 try later <address>") })
        #expect(!lines.contains { $0.contains("ada@example.com") })
        let givenUp = try #require(
            try await fixture.services.mails.list(limit: 10).first { $0.outcome == .givenUp })
        try await fixture.services.mails.drop(givenUp.id)
        await #expect { try await fixture.services.mails.drop(givenUp.id) } throws: {
            ($0 as? KeybearerError)?.code == .notFound
        }
    }
}
