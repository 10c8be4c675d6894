import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``InvitationHandlers`` and the ``InvitationService``: every way that an invite link can lead, on an
/// ``InvitationPage``.
@Suite struct InvitationHandlersTests {
    /// A workspace of Ada's, who invites.
    private struct Stage {
        let fixture: ServerFixture
        let clock = TestClock()
        let ada: Account
        let workspace: WorkspaceID

        init(isSignUpOpen: Bool = true) async throws {
            let clock = self.clock
            fixture = try ServerFixture(clocks: clock.clocks) { $1.isSignUpOpen = isSignUpOpen }
            ada = try await fixture.account("ada@example.com").account
            workspace = ada.workspaces[0].workspace.id
        }

        func invite(_ email: String, as role: Role = .member) async throws -> String {
            try await fixture.services.invitations.invite(
                email, as: role, to: workspace, by: ada.user, authority: .commandLine
            ).code.characters
        }

        func browser(_ account: Account?) async throws -> PersonBrowser { try await PersonBrowser(fixture, account) }

        func roles(of user: UserID) async throws -> [Role] {
            try await fixture.services.accounts.account(user).workspaces
                .filter { $0.workspace.id == workspace }.map(\.role)
        }
    }

    @Test("Mixed case, an account that is there: looking changes nothing, joining works once, and twice is no error")
    func existingAccount() async throws {
        let stage = try await Stage()
        let ann = try await stage.fixture.account("ann@x.de").account
        let code = try await stage.invite("Ann@X.de", as: .admin)
        let browser = try await stage.browser(ann)
        for method in [HTTPRequest.Method.get, .head, .get] {
            let page = try await stage.fixture.respond(method, "/invitations?code=\(code)")
            #expect(page.status == 200 && page.headers[HeaderName.referrerPolicy] == "strict-origin")
        }
        #expect(try await stage.roles(of: ann.user.id).isEmpty)
        let page = try await browser.get("/invitations?code=\(code)").body
        #expect(page.contains("Join as ann@x.de") && page.contains("ada@example.com") && page.contains("as Admin"))
        let joined = try await browser.post("/invitations/accept", ["code": code])
        #expect(joined.headers[.location] == "/workspaces/\(stage.workspace)/team?joined=1")
        #expect(try await stage.roles(of: ann.user.id) == [.admin])
        let again = try await browser.post("/invitations/accept", ["code": code])
        #expect(again.headers[.location] == "/workspaces/\(stage.workspace)/team?already=1")
        #expect(try await browser.get("/invitations?code=\(code)").body.contains("You are already in"))
    }

    @Test("A new person makes an account on the way; a failed one burns nothing")
    func newAccount() async throws {
        let stage = try await Stage()
        let code = try await stage.invite("new@example.com")
        let nobody = try await stage.browser(nil)
        let page = try await nobody.get("/invitations?code=\(code)").body
        #expect(page.contains("/sign-up?next=/invitations%3Fcode%3D\(code)&amp;email=new%40example.com"))
        let form = try await nobody.get("/sign-up?next=/invitations%3Fcode%3D\(code)&email=new%40example.com").body
        #expect(form.contains(#"value="new@example.com""#) && form.contains(#"value="/invitations?code=\#(code)""#))
        let next = ["next": "/invitations?code=\(code)", "email": "new@example.com"]
        let failed = try await nobody.post("/sign-up", next.merging(["name": "New", "password": "x"]) { $1 })
        #expect(failed.status == 422 && failed.body.contains(code))
        let made = try await nobody.post(
            "/sign-up", next.merging(["name": "New", "password": "a long enough secret"]) { $1 })
        #expect(made.headers[.location] == "/invitations?code=\(code)")
        let account = try await stage.fixture.services.accounts.find("new@example.com")
        let joined = try await stage.browser(account).post("/invitations/accept", ["code": code])
        #expect(joined.headers[.location] == "/workspaces/\(stage.workspace)/team?joined=1")
    }

    @Test(
        "Whether the invited address has an account, or a disabled one, the page does not tell",
        arguments: [true, false])
    func noOracle(isSignUpOpen: Bool) async throws {
        let stage = try await Stage(isSignUpOpen: isSignUpOpen)
        let code = try await stage.invite("new@example.com")
        let nobody = try await stage.browser(nil)
        func read() async throws -> String {
            // A new nonce each time.
            try await nobody.get("/invitations?code=\(code)").body.replacing(/nonce="[^"]*"/, with: "")
        }
        let page = try await read()
        #expect(page.contains("/sign-in?next=/invitations%3Fcode%3D\(code)"))
        #expect(page.contains("Create an account") == isSignUpOpen)
        #expect(page.contains("ask the operator of this service for one") == !isSignUpOpen)
        let account = try await stage.fixture.account("new@example.com").account
        #expect(try await read() == page)
        try await stage.fixture.services.accounts.setStatus(.disabled, of: account.user.id, by: .commandLine)
        #expect(try await read() == page)
    }

    @Test("To dismiss somebody's request leaves the invitation as it is, which is somebody else's")
    func dismissed() async throws {
        let stage = try await Stage()
        let bob = try await stage.fixture.account("bob@example.com").account
        let code = try await stage.invite("ann@x.de")
        _ = try await stage.browser(bob).post("/invitations/ask", ["code": code])
        let owner = try await stage.browser(stage.ada)
        let team = "/workspaces/\(stage.workspace)/team"
        let page = try await owner.get(team).body
        #expect(page.contains("Dismiss<span class=\"visually-hidden\"> the request of bob@example.com"))
        let id = try #require(page.firstMatch(of: /invitations\/(inv_[0-9A-Za-z]+)\/withdraw/)).output.1
        let path = "/workspaces/\(stage.workspace)/invitations/\(id)/withdraw"
        #expect(try await owner.post(path, ["request": "1"]).headers[.location] == team + "?dismissed=1")
        #expect(try await !owner.get(team).body.contains("Asked for an invitation"))
        let ann = try await stage.fixture.account("ann@x.de").account
        _ = try await stage.browser(ann).post("/invitations/accept", ["code": code])
        #expect(try await stage.roles(of: ann.user.id) == [.member])
    }

    @Test("An invitation as Owner is the Owners': an Admin neither withdraws it nor puts another in its place")
    func ownersInvitation() async throws {
        let stage = try await Stage()
        let admin = try await stage.fixture.account("admin@example.com").account
        try await stage.fixture.services.workspaces.putMember(
            admin.user.id, in: stage.workspace, role: .admin, by: .commandLine)
        let code = try #require(InvitationCode(parsing: try await stage.invite("ann@x.de", as: .owner)))
        let found = try #require(try await stage.fixture.services.invitations.find(code))
        let browser = try await stage.browser(admin)
        let team = "/workspaces/\(stage.workspace)/team"
        #expect(try await !browser.get(team).body.contains("Withdraw"))
        let path = "/workspaces/\(stage.workspace)/invitations"
        let one = "\(path)/\(found.record.invitation.id)/withdraw"
        #expect(try await browser.post(one).status == 403)
        let instead = try await browser.post(path, ["email": "ann@x.de", "role": "member"])
        #expect(instead.status == 422 && instead.body.contains("An Owner has invited this address as Owner."))
        #expect(try await stage.fixture.services.invitations.find(code)?.end == nil)
        let owner = try await stage.browser(stage.ada)
        #expect(try await owner.get(team).body.contains("Withdraw"))
        #expect(try await owner.post(one).status == 303)
    }

    @Test("Somebody else who is signed in reads for whom it is, can sign out and come back, and can ask")
    func somebodyElse() async throws {
        let stage = try await Stage()
        let eve = try await stage.fixture.account("eve@example.com").account
        let code = try await stage.invite("ann@x.de", as: .owner)
        let browser = try await stage.browser(eve)
        let page = try await browser.get("/invitations?code=\(code)").body
        #expect(page.contains("ann@x.de") && page.contains("You are signed in as eve@example.com"))
        let refused = try await browser.post("/invitations/accept", ["code": code])
        #expect(refused.headers[.location] == "/invitations?code=\(code)")
        #expect(try await stage.roles(of: eve.user.id).isEmpty)
        #expect(try await browser.post("/invitations/ask", ["code": code]).body.contains("You asked for a new invite"))
        #expect(try await browser.post("/invitations/ask", ["code": code]).body.contains("a short time ago"))
        let team = try await stage.browser(stage.ada).get("/workspaces/\(stage.workspace)/team").body
        #expect(team.contains("Asked for an invitation") && team.contains("eve@example.com"))
        let again = try await stage.browser(stage.ada).post(
            "/workspaces/\(stage.workspace)/invitations", ["email": "eve@example.com", "role": "member"])
        #expect(again.status == 200 && !again.body.contains("Asked for an invitation"))
        let out = try await browser.post("/sign-out", ["next": "/invitations?code=\(code)"])
        #expect(out.headers[.location] == "/sign-in?signedOut=1&next=/invitations%3Fcode%3D\(code)")
    }

    @Test("Every dead end says why, who invited, and how to get a new one", arguments: InvitationEnd.allCases)
    func deadEnds(_ end: InvitationEnd) async throws {
        let stage = try await Stage()
        let services = stage.fixture.services
        let ann = try await stage.fixture.account("ann@x.de").account
        let other = try await stage.fixture.account("other@example.com").account
        let code = try await stage.invite("ann@x.de")
        let member = other.user.id
        if end != .workspaceGone {
            try await services.workspaces.putMember(member, in: stage.workspace, role: .owner, by: .commandLine)
        }
        let words: String
        switch end {
        case .used:
            let browser = try await stage.browser(ann)
            _ = try await browser.post("/invitations/accept", ["code": code])
            try await services.workspaces.removeMember(ann.user.id, from: stage.workspace, by: .commandLine)
            words = "This invitation was used"
        case .withdrawn:
            let invitation = try #require(try await services.invitations.list(of: stage.workspace).first).invitation
            try await services.invitations.withdraw(invitation.id, of: stage.workspace, by: .commandLine)
            words = "This invitation was withdrawn"
        case .expired:
            stage.clock.advance(by: Invitation.life)
            words = "This invitation has expired"
        case .workspaceGone:
            try await services.writes.delete(.id(stage.workspace), by: .commandLine)
            words = "This workspace is gone"
        case .inviterGone:
            try await services.workspaces.removeMember(stage.ada.user.id, from: stage.workspace, by: .commandLine)
            words = "is no member there any more"
        case .inviterMayNot:
            try await services.workspaces.putMember(
                stage.ada.user.id, in: stage.workspace, role: .member, by: .commandLine)
            words = "may not give this role any more"
        }
        let reader = try await stage.browser(ann)
        for browser in [reader, try await stage.browser(nil)] {
            let page = try await browser.get("/invitations?code=\(code)")
            #expect(page.status == 410 && page.body.contains(words), "\(end)")
            #expect(page.body.contains("Ada (ada@example.com)"))
            #expect(page.body.contains("Ask for a new invite") == (end != .workspaceGone))
        }
        #expect(try await reader.post("/invitations/accept", ["code": code]).status == 410)
        let asked = try await stage.browser(nil).post("/invitations/ask", ["code": code])
        #expect(asked.status == (end == .workspaceGone ? 404 : 200))
        #expect(try await stage.roles(of: ann.user.id).isEmpty)
    }

    @Test("The limit of 50 that wait is named")
    func limit() async throws {
        let stage = try await Stage()
        for number in 1...Invitation.mostPending { _ = try await stage.invite("guest\(number)@example.com") }
        let refused = try await stage.browser(stage.ada).post(
            "/workspaces/\(stage.workspace)/invitations", ["email": "more@example.com", "role": "member"])
        #expect(refused.status == 409 && refused.body.contains("At most 50 invitations"))
    }

    @Test("What nobody made here is not there")
    func unknown() async throws {
        let stage = try await Stage()
        let browser = try await stage.browser(stage.ada)
        for query in ["", "?code=", "?code=kbv_nothing", "?code=kbl_\(String(repeating: "a", count: 53))"] {
            #expect(try await browser.get("/invitations" + query).status == 404)
        }
        for path in ["/invitations/accept", "/invitations/ask"] {
            #expect(try await browser.post(path, ["code": "kbv_" + String(repeating: "a", count: 53)]).status == 404)
        }
    }

    @Test("The pages are whole, and names are written as text")
    func markup() throws {
        let hostile = RenderedPage.hostile
        let invitation = Invitation(
            id: InvitationID(rawValue: "inv_1"), workspaceID: WorkspaceID(rawValue: "ws_1"),
            email: EmailAddress(normalised: hostile), role: .admin, inviterID: UserID(rawValue: "usr_1"),
            createdAt: Samples.start, expiresAt: Samples.start)
        let inviter = InvitationRecord.Inviter(
            name: hostile, email: EmailAddress(normalised: hostile), isActive: true, role: .owner)
        let record = InvitationRecord(invitation, workspaceName: hostile, inviter: inviter)
        let vault = KeyVault(ring: try .generate(from: .system))
        let code = InvitationCode.mint(from: vault, random: .system).code
        let readers: [InvitationPage.Reader] =
            [true, false].flatMap { first in
                [true, false].flatMap { second in
                    [true, false].flatMap { third in
                        [
                            InvitationPage.Reader.nobody(isSignUpOpen: third),
                            .person(email: hostile, isMeant: first, isMember: second),
                        ]
                    }
                }
            }
        let pages =
            readers.map { InvitationPage(record, code: code, reader: $0) }
            + InvitationEnd.allCases.map { InvitationPage($0, record, code: code) }
            + [.unknown, .asked(isNew: true), .asked(isNew: false)]
        for page in pages {
            let rendered = try RenderedPage(page)
            #expect(rendered.problems == [])
            #expect(!rendered.html.contains(hostile))
        }
    }
}
