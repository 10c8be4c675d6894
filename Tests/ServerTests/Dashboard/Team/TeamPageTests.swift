import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``TeamPage`` and its ``TeamPageHandlers``: members, roles (``WorkspaceMembers``) and invitations.
@Suite struct TeamPageTests {
    @Test("An Owner changes roles and removes members; the last Owner stays, and reads what to do")
    func members() async throws {
        let fixture = try ServerFixture()
        let owner = try await fixture.account("ada@example.com").account
        let other = try await fixture.account("bob@example.com").account
        let id = owner.workspaces[0].workspace.id
        try await fixture.services.workspaces.putMember(other.user.id, in: id, role: .member, by: .commandLine)
        let browser = try await PersonBrowser(fixture, owner)
        let path = "/workspaces/\(id)"
        let page = try await browser.get(path + "/team").body
        #expect(page.contains("2 members") && page.contains("You are its last Owner, so you cannot leave."))
        #expect(try await browser.post(path + "/leave").status == 409)
        #expect(try await browser.post(path + "/members/\(owner.user.id)/role", ["role": "member"]).status == 409)
        #expect(try await browser.post(path + "/members/\(other.user.id)/role", ["role": "king"]).status == 422)
        #expect(try await browser.post(path + "/members/usr_none/role", ["role": "admin"]).status == 404)
        let changed = try await browser.post(path + "/members/\(other.user.id)/role", ["role": "owner"])
        #expect(changed.headers[.location] == path + "/team?role=changed")
        let left = try await browser.post(path + "/leave")
        #expect(left.headers[.location] == "/account?left=1")
        #expect(try await browser.get(path + "/team").status == 404)
        let second = try await PersonBrowser(fixture, other)
        #expect(try await second.get(path + "/team").body.contains("1 member"))
    }

    @Test("A list of many has pages and a search")
    func many() async throws {
        let fixture = try ServerFixture()
        let owner = try await fixture.account("ada@example.com").account
        let id = owner.workspaces[0].workspace.id
        for number in 1...30 {
            let member = try await fixture.account("member\(number)@example.com", isEntitled: false).account
            try await fixture.services.workspaces.putMember(member.user.id, in: id, role: .member, by: .commandLine)
        }
        let browser = try await PersonBrowser(fixture, owner)
        let path = "/workspaces/\(id)/team"
        let first = try await browser.get(path).body
        #expect(first.contains("31 members") && first.contains("Page 1 of 2") && first.contains("page=2"))
        #expect(first.utf8.count < 60_000)
        let second = try await browser.get(path + "?page=2").body
        #expect(second.contains("Page 2 of 2") && second.contains("member30@example.com"))
        let found = try await browser.get(path + "?q=MEMBER7%40").body
        #expect(found.contains("1 member found") && found.contains("member7@example.com"))
        #expect(!found.contains("member8@example.com"))
        #expect(try await browser.get(path + "?q=nobody&page=99999999999999999999").body.contains("Nobody matches."))
    }

    @Test("An invitation shows its link once; a member's address and an Admin's Owner are refused")
    func invite() async throws {
        let fixture = try ServerFixture()
        let owner = try await fixture.account("ada@example.com").account
        let admin = try await fixture.account("bob@example.com").account
        let id = owner.workspaces[0].workspace.id
        try await fixture.services.workspaces.putMember(admin.user.id, in: id, role: .admin, by: .commandLine)
        let browser = try await PersonBrowser(fixture, admin)
        let path = "/workspaces/\(id)"
        for email in ["", "no address", "ada@example.com", "Bob@Example.com"] {
            let refused = try await browser.post(path + "/invitations", ["email": email, "role": "member"])
            #expect(refused.status == 422 && refused.body.contains("email-error"), "\(email)")
        }
        let owners = try await browser.post(path + "/invitations", ["email": "x@example.com", "role": "owner"])
        #expect(owners.status == 403)
        let made = try await browser.post(path + "/invitations", ["email": "Eve@Example.com", "role": "admin"])
        #expect(made.status == 200 && made.body.contains("/invitations?code=kbv_"))
        let later = try await browser.get(path + "/team").body
        #expect(later.contains("eve@example.com") && !later.contains("kbv_") && !later.contains(#"value="owner""#))
        let invitation = try #require(try await fixture.services.invitations.list(of: id).first).invitation
        let withdrawn = try await browser.post(path + "/invitations/\(invitation.id)/withdraw")
        #expect(withdrawn.headers[.location] == path + "/team?withdrawn=1")
        #expect(try await browser.post(path + "/invitations/inv_none/withdraw").status == 404)
        #expect(try await fixture.services.invitations.list(of: id).isEmpty)
    }

    @Test("A member sees the members and nothing to press but the way out")
    func member() async throws {
        let fixture = try ServerFixture()
        let owner = try await fixture.account("ada@example.com").account
        let other = try await fixture.account("bob@example.com").account
        let id = owner.workspaces[0].workspace.id
        try await fixture.services.workspaces.putMember(other.user.id, in: id, role: .member, by: .commandLine)
        _ = try await fixture.services.invitations.invite(
            "eve@example.com", as: .member, to: id, by: owner.user, authority: .commandLine)
        let page = try await PersonBrowser(fixture, other).get("/workspaces/\(id)/team").body
        #expect(page.contains("ada@example.com") && !page.contains("eve@example.com"))
        #expect(!page.contains("Invite somebody") && !page.contains("/role") && page.contains("Yes, leave"))
    }

    @Test("The page is whole, and names are written as text")
    func markup() throws {
        let hostile = RenderedPage.hostile
        let plan = Plan.defaultCatalogue[1]
        let user = User(
            id: UserID(rawValue: "usr_2"), email: EmailAddress(normalised: hostile), name: hostile,
            createdAt: Samples.start)
        let invitation = Invitation(
            id: InvitationID(rawValue: "inv_1"), workspaceID: WorkspaceID(rawValue: "ws_1"),
            email: EmailAddress(normalised: hostile), role: .admin, inviterID: user.id, createdAt: Samples.start,
            expiresAt: Samples.start.advanced(by: Invitation.life),
            request: InvitationRequest(at: Samples.start, email: EmailAddress(normalised: hostile)))
        let inviter = InvitationRecord.Inviter(name: hostile, email: user.email, isActive: true, role: .owner)
        for role in Role.allCases {
            let access = WorkspaceAccess(
                workspace: Workspace(
                    id: WorkspaceID(rawValue: "ws_1"), name: hostile, planID: plan.id, createdAt: Samples.start),
                role: role, plan: plan)
            let page = try RenderedPage(
                TeamPage(
                    shell: .sample, access: access, reader: UserID(rawValue: "usr_1"),
                    members: TeamPage.Members(page: [(user, .admin)], total: 26, number: 2, search: hostile),
                    invitations: [InvitationRecord(invitation, workspaceName: hostile, inviter: inviter)],
                    now: Samples.start, ownerCount: 1, link: TeamPage.Link(email: hostile, url: hostile),
                    typed: TeamPage.Typed(email: hostile, problem: hostile)))
            #expect(page.problems == [])
            #expect(!page.html.contains(hostile))
            #expect(page.has("form", ["action": "/workspaces/ws_1/members/usr_2/role"]) == (role != .member))
        }
    }
}
