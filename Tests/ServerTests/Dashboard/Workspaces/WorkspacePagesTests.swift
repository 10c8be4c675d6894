import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``WorkspacePageHandlers`` with ``WorkspaceSettings``: ``NewWorkspacePage``, ``WorkspaceSettingsPage`` and
/// ``PlansPage``.
@Suite struct WorkspacePagesTests {
    @Test("A new workspace becomes the one that is shown; its name has 2 or more characters")
    func create() async throws {
        let fixture = try ServerFixture()
        let account = try await fixture.account("ada@example.com").account
        let browser = try await PersonBrowser(fixture, account)
        #expect(try await browser.get("/workspaces/new").body.contains("Add New Workspace"))
        for name in ["", " a ", String(repeating: "x", count: 201)] {
            let refused = try await browser.post("/workspaces", ["name": name])
            #expect(refused.status == 422 && refused.body.contains("name-error"))
        }
        let made = try await browser.post("/workspaces", ["name": "  Testing "])
        let found = try await fixture.services.accounts.account(account.user.id).workspaces
        #expect(found.map(\.workspace.name).sorted() == ["Ada’s workspace", "Testing"])
        let id = try #require(found.first { $0.workspace.name == "Testing" }).workspace.id
        #expect(made.status == 303 && made.headers[.location] == "/workspaces/\(id)/api-webhooks?created=1")
        #expect(found.allSatisfy { $0.role == .owner })
        let shown = try await browser.get("/workspaces/\(id)/api-webhooks?created=1")
        #expect(shown.body.contains("Workspace added. You are its Owner."))
    }

    @Test("The 51st workspace is refused, and the page names the limit")
    func limit() async throws {
        let fixture = try ServerFixture()
        let account = try await fixture.account("ada@example.com").account
        let browser = try await PersonBrowser(fixture, account)
        for number in 2...WorkspaceService.mostOwned {
            _ = try await fixture.services.workspaces.create(
                name: "Number \(number)", owner: account.user.id, by: .commandLine)
        }
        let refused = try await browser.post("/workspaces", ["name": "One more"])
        #expect(refused.status == 409 && refused.body.contains("at most 50 workspaces"))
        // The operator's own are not bounded.
        _ = try await fixture.services.workspaces.create(name: "More", owner: account.user.id, by: .commandLine)
    }

    @Test("Rename, default and delete")
    func settings() async throws {
        let fixture = try ServerFixture()
        let account = try await fixture.account("ada@example.com").account
        let browser = try await PersonBrowser(fixture, account)
        let first = account.workspaces[0].workspace.id
        let second = try await fixture.services.workspaces.create(
            name: "Testing", owner: account.user.id, by: .commandLine
        ).id
        let path = "/workspaces/\(second)"
        #expect(try await browser.post(path + "/rename", ["name": "x"]).status == 422)
        let renamed = try await browser.post(path + "/rename", ["name": "Staging"])
        #expect(renamed.headers[.location] == path + "/settings?renamed=1")
        #expect(try await browser.get("/").headers[.location] == "/workspaces/\(first)/api-webhooks")
        _ = try await browser.post(path + "/default")
        #expect(try await browser.get("/").headers[.location] == path + "/api-webhooks")
        let settings = try await browser.get(path + "/settings").body
        #expect(settings.contains("The dashboard begins with this workspace when"))
        let wrong = try await browser.post(path + "/delete", ["name": "Testing"])
        #expect(wrong.status == 422 && wrong.body.contains("This is not the workspace’s name."))
        let deleted = try await browser.post(path + "/delete", ["name": "Staging"])
        #expect(deleted.headers[.location] == "/account?workspace=deleted")
        #expect(try await browser.get(path + "/settings").status == 404)
        #expect(try await browser.get("/").headers[.location] == "/workspaces/\(first)/api-webhooks", "it is gone")
        _ = try await browser.post("/workspaces/\(first)/delete", ["name": "Ada’s workspace"])
        #expect(try await browser.get("/").headers[.location] == "/account")
        #expect(try await browser.get("/account").body.contains("Add New Workspace"))
    }

    @Test("The comparison says what a downgrade stops, and whom a member asks")
    func plans() async throws {
        let fixture = try ServerFixture { $1.isPlanSwitchOpen = true }
        let account = try await fixture.account("ada@example.com").account
        let member = try await fixture.account("bob@example.com").account
        let id = account.workspaces[0].workspace.id
        try await fixture.services.workspaces.putMember(member.user.id, in: id, role: .member, by: .commandLine)
        let owner = try await PersonBrowser(fixture, account).get("/workspaces/\(id)/plans").body
        #expect(owner.contains("A change to Free stops every request with a key in this workspace, immediately."))
        #expect(owner.contains("Switch to Free") && !owner.contains("Switch to Pro"))
        let other = try await PersonBrowser(fixture, member).get("/workspaces/\(id)/plans").body
        #expect(!other.contains("Switch to") && other.contains("mailto:ada@example.com"))
    }

    @Test("The pages are whole, and names are written as text")
    func markup() throws {
        let hostile = RenderedPage.hostile
        let plans = Plan.defaultCatalogue
        for role in Role.allCases {
            let access = WorkspaceAccess(
                workspace: Workspace(
                    id: WorkspaceID(rawValue: "ws_1"), name: hostile, planID: plans[1].id, createdAt: Samples.start),
                role: role, plan: plans[1])
            let contact = OwnerContact(name: hostile, email: hostile)
            let pages = [
                try RenderedPage(NewWorkspacePage(shell: .sample, name: hostile, nameError: hostile)),
                try RenderedPage(
                    WorkspaceSettingsPage(shell: .sample, access: access, isDefault: false, memberCount: 3)),
                try RenderedPage(
                    WorkspaceSettingsPage(
                        shell: .sample, access: access, isDefault: true, memberCount: 1, problem: .delete(hostile))),
                try RenderedPage(
                    PlansPage(
                        shell: .sample, access: access, plans: plans, isSwitchOpen: false, owners: [contact])),
            ]
            for page in pages {
                #expect(page.problems == [])
                #expect(!page.html.contains(hostile))
            }
            #expect((pages[1].form(to: "/workspaces/ws_1/delete") != nil) == (role == .owner))
            #expect((pages[1].form(to: "/workspaces/ws_1/rename") != nil) == (role != .member))
        }
    }
}
