import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerSQL
@testable import KeybearerServer

/// ``MailLinkHandlers`` with ``EmailService`` and ``PasswordResetService``, ``MailLinks`` and ``MailDispatcher`` behind them
/// (``MailRoutes``): every way that a link in a mail can go, with its page (``VerifyEmailPage``, ``ForgotPasswordPage``,
/// ``ResetPasswordPage``).
@Suite struct MailLinkHandlersTests {
    let fixture: ServerFixture
    private let recorder = MailRecorder()

    init() throws {
        fixture = try ServerFixture(mails: recorder)
    }

    /// Somebody who signed up, and the mail that came of it.
    private func signUp(_ email: String = "ada@example.com") async throws -> (account: Account, mail: ReceivedMail) {
        let signedIn = try await fixture.services.signIn.signUp(
            name: "Ada", email: email, password: Password("long enough secret"), from: IPAddress(v4: 9),
            userAgent: "Browser/1.0"
        ).signedIn
        return (signedIn.account, try #require(try await fixture.sentMails().first { $0.to == email }))
    }

    private func user(_ account: Account) async throws -> User {
        try await fixture.services.accounts.account(account.user.id).user
    }

    private var nobody: PersonBrowser {
        get async throws { try await PersonBrowser(fixture, nil) }
    }

    @Test("A sign-up is followed by a mail; looking at its link changes nothing, the button verifies, once and for all")
    func verification() async throws {
        let (account, mail) = try await signUp()
        #expect(mail.subject == "Keybearer: Verify your e-mail address")
        let link = try #require(mail.link)
        #expect(link.hasPrefix("/verify-email?code=kbm_"))
        let browser = try await PersonBrowser(fixture, account)
        for _ in 0..<3 {
            let page = try await browser.get(link)
            #expect(page.status == 200 && page.body.contains("Verify ada@example.com"))
            #expect(page.headers[HeaderName.referrerPolicy] == "strict-origin")
            #expect(try await fixture.respond(.head, link).status == 200)
            #expect(try await !user(account).isEmailVerified)
        }
        let code = try #require(mail.code)
        let done = try await browser.post(Routes.confirmEmail, ["code": code])
        #expect(done.status == 200 && done.body.contains("ada@example.com is verified"))
        #expect(try await user(account).isEmailVerified)
        let again = try await browser.post(Routes.confirmEmail, ["code": code])
        #expect(again.status == 200 && again.body.contains("ada@example.com is verified"), "a double press")
        #expect(try await browser.get(link).status == 200)
        #expect(try await fixture.sentMails().isEmpty)
        let events = try await fixture.services.accounts.auditEvents(of: account.user.id, limit: 10)
        #expect(events.filter { $0.action == .emailVerified }.count == 1)
    }

    @Test("Whoever has the mail and not the account verifies nothing: a stranger may have signed up with the address")
    func verificationBySomebodyElse() async throws {
        let (account, mail) = try await signUp()
        let (link, code) = (try #require(mail.link), try #require(mail.code))
        let other = try await PersonBrowser(fixture, try await fixture.account("eve@example.com").account)
        for (browser, way) in [(try await nobody, "/sign-in?next="), (other, "You are signed in as eve@example.com")] {
            let page = try await browser.get(link)
            #expect(page.status == 200 && page.body.contains("Sign in to verify") && page.body.contains(way))
            #expect(!page.body.contains("<form method=\"post\" action=\"\(Routes.confirmEmail)\""))
            _ = try await browser.post("/verify-email", ["code": code])
            #expect(try await browser.post(Routes.confirmEmail, ["code": code]).status != 200)
        }
        #expect(try await !user(account).isEmailVerified)
    }

    @Test("A reset shows whose the address is: it takes an account with one that was not verified from whoever made it")
    func resetOfUnverified() async throws {
        let (account, _) = try await signUp()
        let stranger = try await PersonBrowser(fixture, account)
        let key = try await fixture.services.keys.reveal(account.user.id, by: .commandLine).characters
        #expect(try await stranger.post("/account/email", ["email": "evil@example.com"]).status == 303)
        let wish = try #require(try await fixture.sentMails().first?.code)
        _ = try await nobody.post("/forgot-password", ["email": "ada@example.com"])
        let mail = try #require(try await fixture.sentMails().first)
        #expect(try await nobody.get(try #require(mail.link)).body.contains("the API key is replaced"))
        let form = ["code": try #require(mail.code), "password": "another long secret"]
        #expect(try await nobody.post("/reset-password", form).status == 303)
        #expect(try await user(account).isEmailVerified)
        #expect(try await stranger.get("/account").status == 303)
        let headers: HTTPFields = [.authorization: "Bearer \(key)"]
        #expect(try await fixture.respond(.get, "/api/v1/me", headers).status == 401)
        #expect(try await nobody.post("/verify-email", ["code": wish]).status == 410)
        #expect(try await user(account).email.rawValue == "ada@example.com")
    }

    @Test(
        "No reset by mail to an address that the operator gave an account without a word for it, nor to one with others"
    )
    func noResetByMail() async throws {
        let operators = try await OperatorClient(fixture, [.readUsers, .writeUsers])
        let (moved, _) = try await fixture.account("ada@example.com")
        #expect(
            try await operators.send(.patch, "/users/\(moved.user.id)", #"{"email":"evil@example.com"}"#).status == 200)
        let (squatted, _) = try await signUp("squatted@example.com")
        let friend = try await fixture.account("friend@example.com").account
        try await fixture.services.workspaces.putMember(
            friend.user.id, in: squatted.workspaces[0].workspace.id, role: .owner, by: .commandLine)
        _ = try await fixture.sentMails()
        for email in ["evil@example.com", "squatted@example.com"] {
            #expect(try await nobody.post("/forgot-password", ["email": email]).status == 200)
        }
        #expect(try await fixture.sentMails().isEmpty)
        // By its word it is the person's.
        try await OperatorClient(fixture).send(
            .patch, "/users/\(moved.user.id)", #"{"emailVerified":true,"adopt":true}"#)
        #expect(try await user(moved).isEmailVerified)
    }

    @Test("Whoever asks for somebody else's links uses up their own share of them")
    func shareOfLinks() async throws {
        _ = try await fixture.account("ada@example.com")
        let thief = IPAddress(v4: 0xC633_6407)
        for _ in 0..<10 { try await fixture.services.passwordResets.request("ada@example.com", from: thief) }
        #expect(try await fixture.sentMails().count == 5)
        try await fixture.services.passwordResets.request("ada@example.com", from: .localSocket)
        #expect(try await fixture.sentMails().count == 1)
    }

    @Test(
        "Whatever takes an account back ends the wish for another address",
        arguments: ["password", "sessions", "address"])
    func takenBack(_ what: String) async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        let thief = try await PersonBrowser(fixture, account)
        #expect(try await thief.post("/account/email", ["email": "evil@example.com"]).status == 303)
        let code = try #require(try await fixture.sentMails().first?.code)
        let operators = try await OperatorClient(fixture)
        switch what {
        case "password":
            try await fixture.services.accounts.setPassword(
                of: account.user, to: Password("another long secret"), by: .commandLine)
        case "sessions": try await operators.send(.post, "/users/\(account.user.id)/end-sessions")
        default: try await operators.send(.patch, "/users/\(account.user.id)", #"{"email":"new@example.com"}"#)
        }
        #expect(try await nobody.get("/verify-email?code=\(code)").status == 410)
        #expect(try await nobody.post("/verify-email", ["code": code]).status == 410)
        #expect(try await user(account).email.rawValue != "evil@example.com")
    }

    @Test("What is no link of ours, one that expired, and one of a disabled account each have their page")
    func deadEnds() async throws {
        let clock = TestClock()
        let fixture = try ServerFixture(clocks: clock.clocks, mails: recorder)
        let browser = try await PersonBrowser(fixture, nil)
        for code in [
            "", "kbm_", "kbm_" + String(repeating: "a", count: 53), "tdc_" + String(repeating: "a", count: 38),
        ] {
            let page = try await browser.get("/verify-email?code=\(code)")
            #expect(page.status == 404 && page.body.contains("This link does not work"))
            #expect(try await browser.post("/verify-email", ["code": code]).status == 404)
            #expect(try await browser.get("/reset-password?code=\(code)").status == 410)
            #expect(try await browser.post("/reset-password", ["code": code, "password": "x"]).status == 410)
        }
        let account = try await fixture.services.signIn.signUp(
            name: "Ada", email: "ada@example.com", password: Password("long enough secret"), from: IPAddress(v4: 9),
            userAgent: ""
        ).signedIn.account
        let mail = try #require(try await fixture.sentMails().first)
        let (link, code) = (try #require(mail.link), try #require(mail.code))
        try await fixture.services.accounts.setStatus(.disabled, of: account.user.id, by: .commandLine)
        #expect(try await browser.get(link).status == 410)
        try await fixture.services.accounts.setStatus(.active, of: account.user.id, by: .commandLine)
        clock.advance(by: .seconds(24 * 3_600 - 60))
        #expect(try await browser.get(link).status == 200)
        clock.advance(by: .seconds(120))
        let expired = try await browser.get(link)
        #expect(expired.status == 410 && expired.body.contains("This link no longer works"))
        let holder = try await PersonBrowser(fixture, account)
        #expect(try await holder.post(Routes.confirmEmail, ["code": code]).status == 410)
        #expect(try await !fixture.services.accounts.account(account.user.id).user.isEmailVerified)
    }

    @Test("The account's page says whether the address is verified, and sends another mail a few times a day")
    func anotherMail() async throws {
        let (account, _) = try await signUp()
        let browser = try await PersonBrowser(fixture, account)
        #expect(try await browser.get("/account").body.contains("Verify your address"))
        for _ in 0..<8 {
            let sent = try await browser.post("/account/email/verify")
            #expect(sent.status == 303 && sent.headers[.location] == "/account?verification=sent")
        }
        let mails = try await fixture.sentMails()
        #expect(mails.count == MailKind.mostForRequester)
        _ = try await browser.post(Routes.confirmEmail, ["code": try #require(mails.last?.code)])
        let page = try await browser.get("/account").body
        #expect(!page.contains("Verify your address") && page.contains(">verified<"))
        #expect(try await browser.post("/account/email/verify").headers[.location] == "/account")
    }

    @Test("A new address works when its link was used; the old one is told, and signs nobody in any more")
    func changeOfAddress() async throws {
        let (account, verification) = try await signUp()
        let browser = try await PersonBrowser(fixture, account)
        _ = try await browser.post(Routes.confirmEmail, ["code": try #require(verification.code)])
        for refused in ["", "nonsense", "ada@example.com"] {
            let page = try await browser.post("/account/email", ["email": refused])
            #expect(page.status == 422 && page.body.contains("email-error"), "\(refused)")
        }
        let asked = try await browser.post("/account/email", ["email": "New@Example.com"])
        #expect(asked.status == 303 && asked.headers[.location] == "/account?email=asked")
        #expect(try await browser.get("/account").body.contains("new@example.com"))
        #expect(try await user(account).email.rawValue == "ada@example.com")
        let mail = try #require(try await fixture.sentMails().first)
        #expect(mail.to == "new@example.com" && mail.subject.hasSuffix("Verify your new e-mail address"))
        let page = try await nobody.get(try #require(mail.link))
        #expect(page.body.contains("Use new@example.com"))
        let done = try await nobody.post("/verify-email", ["code": try #require(mail.code)])
        #expect(done.status == 200)
        let changed = try await user(account)
        #expect(changed.email.rawValue == "new@example.com" && changed.isEmailVerified)
        let told = try #require(try await fixture.sentMails().first)
        #expect(told.to == "ada@example.com" && told.subject.hasSuffix("Your e-mail address was changed"))
        #expect(!told.body.contains("new@example.com"), "who reads the old address may be a stranger by now")
    }

    @Test("A link to a new address is dead once another one is wanted, and where somebody else has it by now")
    func overtakenAddress() async throws {
        let (account, _) = try await signUp()
        let browser = try await PersonBrowser(fixture, account)
        _ = try await browser.post("/account/email", ["email": "one@example.com"])
        let one = try #require(try await fixture.sentMails().first)
        _ = try await browser.post("/account/email", ["email": "two@example.com"])
        let two = try #require(try await fixture.sentMails().first)
        #expect(try await nobody.get(try #require(one.link)).status == 410)
        #expect(try await nobody.post("/verify-email", ["code": try #require(one.code)]).status == 410)
        _ = try await fixture.account("two@example.com")
        let taken = try await nobody.post("/verify-email", ["code": try #require(two.code)])
        #expect(taken.status == 409 && taken.body.contains("This address is taken"))
        #expect(try await user(account).email.rawValue == "ada@example.com")
    }

    @Test("A forgotten password is reset by a link, and the answer is the same for an address that nobody has")
    func reset() async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        let signedIn = try await PersonBrowser(fixture, account)
        #expect(try await signedIn.get("/account").status == 200)
        let known = try await nobody.post("/forgot-password", ["email": "ADA@example.com"])
        let unknown = try await nobody.post("/forgot-password", ["email": "eve@example.com"])
        #expect(known.status == 200 && unknown.status == 200)
        func plain(_ reply: PersonBrowser.Reply, _ email: String) -> String {
            reply.body.replacing(/nonce="[^"]*"/, with: "").replacing(/data-now="[^"]*"/, with: "")
                .replacingOccurrences(of: email, with: "…").replacing(/\d{4}-\d\d-\d\dT[0-9:.]*Z/, with: "")
        }
        #expect(plain(known, "ADA@example.com") == plain(unknown, "eve@example.com"))
        let mails = try await fixture.sentMails()
        #expect(mails.map(\.to) == ["ada@example.com"])
        let mail = try #require(mails.first)
        let (link, code) = (try #require(mail.link), try #require(mail.code))
        for _ in 0..<2 { #expect(try await nobody.get(link).body.contains("Choose a new password")) }
        let short = try await nobody.post("/reset-password", ["code": code, "password": "short"])
        #expect(short.status == 422 && short.body.contains("password-error") && !short.body.contains("value=\"short\""))
        let done = try await nobody.post("/reset-password", ["code": code, "password": "another long secret"])
        #expect(done.status == 303 && done.headers[.location] == "/sign-in?reset=1")
        #expect(try await signedIn.get("/account").status == 303, "other sessions have ended")
        #expect(try await nobody.get(link).status == 410)
        #expect(
            try await nobody.post("/reset-password", ["code": code, "password": "a third long secret"]).status == 410)
        _ = try await fixture.services.signIn.withPassword(
            email: "ada@example.com", password: Password("another long secret"), from: IPAddress(v4: 7), userAgent: "")
        #expect(try await fixture.sentMails().map(\.subject) == ["Keybearer: Your password was changed"])
        let actions = try await fixture.services.accounts.auditEvents(of: account.user.id, limit: 20).map(\.action)
        #expect(actions.contains(.passwordReset) && actions.contains(.passwordResetSent))
    }

    @Test("Of two links the first that is used ends the other; a changed password ends both")
    func twoLinks() async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        for _ in 0..<3 { _ = try await nobody.post("/forgot-password", ["email": "ada@example.com"]) }
        let codes = try await fixture.sentMails().compactMap(\.code)
        #expect(Set(codes).count == 3)
        let done = try await nobody.post("/reset-password", ["code": codes[0], "password": "another long secret"])
        #expect(done.status == 303)
        #expect(try await nobody.get("/reset-password?code=\(codes[1])").status == 410)
        try await fixture.services.accounts.setPassword(
            of: account.user, to: Password("an operator’s secret"), by: .commandLine)
        #expect(
            try await nobody.post("/reset-password", ["code": codes[2], "password": "another long secret"]).status
                == 410)
    }

    @Test("A link works for an hour from when it was sent")
    func expiry() async throws {
        let clock = TestClock()
        let fixture = try ServerFixture(clocks: clock.clocks, mails: recorder)
        let nobody = try await PersonBrowser(fixture, nil)
        _ = try await fixture.account("ada@example.com")
        _ = try await nobody.post("/forgot-password", ["email": "ada@example.com"])
        // The mail program was out of reach for a while.
        recorder.fail(with: MailFailure("no route"))
        #expect(try await fixture.sentMails().isEmpty)
        recorder.fail(with: nil)
        clock.advance(by: .seconds(1_800))
        let link = try #require(try await fixture.sentMails().first?.link)
        clock.advance(by: .seconds(3_540))
        #expect(try await nobody.get(link).status == 200)
        clock.advance(by: .seconds(120))
        #expect(try await nobody.get(link).status == 410)
    }

    @Test("Accounts without a password and disabled ones get no link that resets a password")
    func whoGetsNone() async throws {
        let (disabled, _) = try await fixture.account("disabled@example.com")
        try await fixture.services.accounts.setStatus(.disabled, of: disabled.user.id, by: .commandLine)
        _ = try await signUp("unverified@example.com")
        let new = try fixture.services.accounts.makeAccount(
            name: "Ada", email: EmailAddress(normalised: "passwordless@example.com"), isEmailVerified: true)
        _ = try await fixture.store.createAccount(
            new, by: .commandLine,
            audit: AuditEvent(
                id: .random(from: fixture.random), at: new.user.createdAt, actor: .commandLine, action: .userCreated))
        for name in ["disabled", "unverified", "passwordless"] {
            #expect(try await nobody.post("/forgot-password", ["email": "\(name)@example.com"]).status == 200)
        }
        let mails = try await fixture.sentMails()
        #expect(mails.map(\.to) == ["unverified@example.com"], "a takeover: see resetOfUnverified()")
        let outcomes = try await fixture.services.mails.list(limit: 10).map(\.outcome)
        #expect(outcomes.filter { $0 == .void }.count == 2)
    }

    @Test("With two-step sign-in a reset asks for the code too, and the link ends after a few wrong ones")
    func secondFactor() async throws {
        let (account, _) = try await fixture.account("ada@example.com")
        let session = try await fixture.services.sessions.start(
            for: account, from: IPAddress(v4: 1), userAgent: "Browser/1.0"
        ).signedIn
        let app = fixture.services.secondFactors.makeSecret()
        let recovery = try await fixture.services.secondFactors.turnOn(
            app, code: app.code(at: OneTimePassword.step(at: Clocks.system.wall())), for: session,
            from: IPAddress(v4: 1))
        _ = try await nobody.post("/forgot-password", ["email": "ada@example.com"])
        let mails = try await fixture.sentMails()
        #expect(mails.map(\.subject).contains("Keybearer: Two-step sign-in was turned on"))
        let code = try #require(mails.compactMap(\.code).first)
        #expect(try await nobody.get("/reset-password?code=\(code)").body.contains("id=\"otp\""))
        for wrong in ["", "000000x", "nonsense"] {
            let refused = try await nobody.post(
                "/reset-password", ["code": code, "password": "another long secret", "otp": wrong])
            #expect(refused.status == 422 && refused.body.contains("otp-error"))
        }
        let done = try await nobody.post(
            "/reset-password", ["code": code, "password": "another long secret", "otp": recovery[0].text])
        #expect(done.status == 303)
        // Never around it: the password alone signs nobody in.
        let step = try await fixture.services.signIn.begin(
            email: "ada@example.com", password: Password("another long secret"), from: IPAddress(v4: 7), userAgent: "")
        guard case .codeNeeded = step else {
            Issue.record("no code was asked for")
            return
        }
    }

    @Test("Where no mails are sent there are no such pages, and nothing is put into the outbox")
    func withoutMail() async throws {
        let fixture = try ServerFixture()
        let nobody = try await PersonBrowser(fixture, nil)
        #expect(try await nobody.get("/forgot-password").status == 404)
        #expect(try await nobody.post("/forgot-password", ["email": "ada@example.com"]).status == 404)
        #expect(try await !nobody.get("/sign-in").body.contains("/forgot-password"))
        let (account, _) = try await fixture.account("ada@example.com")
        let browser = try await PersonBrowser(fixture, account)
        #expect(try await browser.post("/account/email", ["email": "new@example.com"]).status == 404)
        #expect(try await browser.post("/account/email/verify").status == 404)
        let page = try await browser.get("/account").body
        #expect(!page.contains("Change the address") && !page.contains("verified"))
        try await fixture.services.accounts.setPassword(
            of: account.user, to: Password("another long secret"), by: .commandLine)
        #expect(try await fixture.services.mails.list(limit: 10).isEmpty)
        let signUp = try await nobody.post(
            "/sign-up", ["name": "Eve", "email": "eve@example.com", "password": "long enough secret"])
        #expect(signUp.headers[values: .setCookie].count == 1, "no cookie tells devices apart")
    }
}
