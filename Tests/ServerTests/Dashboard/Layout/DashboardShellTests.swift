import Testing

@testable import Keybearer
@testable import KeybearerServer

extension DashboardShell {
    /// Ada, with one workspace on Pro.
    static let sample = DashboardShell(
        email: "ada@example.com", workspaces: [WorkspaceLink(id: "ws_1", name: "Ada’s workspace", planName: "Pro")],
        currentWorkspaceID: "ws_1", section: .apiWebhooks)
}

/// The ``DashboardShell`` that surrounds a ``Page`` which the ``PageRenderer`` writes.
@Suite struct DashboardShellTests {
    private func render(_ shell: DashboardShell) throws -> RenderedPage {
        let page = try RenderedPage(
            RegeneratePage(shell: shell, workspaceID: "ws_1", prefix: "tdc_6WYM", version: 1, idempotencyKey: "once"))
        #expect(page.problems == [])
        return page
    }

    private func link(_ number: Int, name: String? = nil) -> WorkspaceLink {
        WorkspaceLink(id: "ws_\(number)", name: name ?? "Number \(number)", planName: "Pro")
    }

    @Test("One workspace is named; several are a list in which the page's own is marked")
    func workspaces() throws {
        let one = try render(.sample)
        #expect(one.header.contains("Workspace: Ada’s workspace Pro"))
        #expect(one.header.contains("Add New Workspace") && one.has("a", ["href": "/workspaces/new"]))
        let portal = PortalAccess(
            tokenID: OperatorTokenID(rawValue: "opt_1"), section: .apiKey, workspaceID: nil, returnURL: nil)
        let named = try render(
            DashboardShell(
                email: "ada@example.com", workspaces: [link(1)], currentWorkspaceID: nil, section: .apiWebhooks,
                portal: portal))
        #expect(named.elements("details").isEmpty && !named.header.contains("Add New Workspace"))
        #expect(!named.header.contains("settings"))
        let several = try render(
            DashboardShell(
                email: "ada@example.com", workspaces: [link(1), link(2), link(3)], currentWorkspaceID: "ws_2",
                section: .apiWebhooks))
        let choices = "Number 2 Pro Number 1 Pro Number 2 Pro Number 3 Pro Add New Workspace"
        #expect(several.header.contains("Workspace: \(choices)"))
        let marked = several.elements("a").filter { $0["aria-current"] == "true" }
        #expect(marked.compactMap { $0["href"] } == ["/workspaces/ws_2/api-webhooks"])
    }

    @Test("Without a workspace, or with one that is not listed")
    func noWorkspace() throws {
        let none = DashboardShell(email: "a@example.com", workspaces: [], currentWorkspaceID: nil, section: .account)
        #expect(none.current == nil && none.choices.isEmpty)
        let page = try render(none)
        #expect(!page.header.contains("API & Webhooks") && page.header.contains("No workspace Add New Workspace"))
        let other = DashboardShell(
            email: "a@example.com", workspaces: [link(1), link(2)], currentWorkspaceID: "ws_9", section: .account)
        #expect(other.current?.id == "ws_1")
    }

    @Test("The menu marks the page; the way out is a form")
    func menu() throws {
        let page = try render(.sample)
        #expect(
            page.elements("a").filter { $0["aria-current"] == "page" }.compactMap { $0["href"] }
                == ["/workspaces/ws_1/api-webhooks"])
        #expect(page.header.contains("Signed in as ada@example.com"))
        #expect(page.form(to: "/sign-out")?.method == "post")
    }

    @Test("Names and addresses are written as text")
    func hostile() throws {
        let text = RenderedPage.hostile
        let page = try render(
            DashboardShell(
                email: text, workspaces: [link(1, name: text), link(2, name: text)], currentWorkspaceID: nil,
                section: .account))
        #expect(!page.html.contains(text))
        #expect(page.header.contains("Workspace: \(text) Pro"))
    }
}
