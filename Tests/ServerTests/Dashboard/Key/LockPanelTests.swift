import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``LockPanel`` of a plan without the feature.
@Suite struct LockPanelTests {
    private static let path = "/workspaces/ws_1"

    private func render(_ panel: LockPanel) throws -> RenderedPage {
        let page = try RenderedPage(APIKeyPage(shell: .sample, workspaceID: "ws_1", content: .locked(panel)))
        #expect(page.problems == [])
        expectNoKey(in: page)
        return page
    }

    /// Nothing of a key, and nothing that shows or copies one.
    private func expectNoKey(in page: RenderedPage) {
        #expect(!page.html.contains("tdc_") && !page.html.contains("/reveal") && !page.html.contains("data-key-"))
        #expect(!page.html.contains("version") && !page.html.contains("idempotencyKey"))
        let under = page.elements("div").first { $0["class"] == "lock-under" }
        #expect(under?["inert"] != nil && under?["aria-hidden"] == "true")
        #expect(page.elements("textarea").allSatisfy { $0["disabled"] != nil })
        #expect(page.text.contains("Prefix — Generated — Last used —"))
        #expect(page.has("a", ["href": Self.path + "/api-webhooks/regenerate"]))
    }

    @Test("The model has no place for a key, its prefix, its version or its times")
    func noPlaceForAKey() {
        let panel = LockPanel(planName: "Free", upgrades: [])
        let fields = Mirror(reflecting: panel).children.compactMap(\.label)
        #expect(fields == ["planName", "isOwner", "upgrades", "hasUpgrades", "owners", "hasOwners"])
    }

    @Test("An Owner sees each plan with one way to it")
    func owner() throws {
        let billing = try BillingURL("https://billing.example/?plan=pro&from=keys")
        let page = try render(
            LockPanel(
                planName: "Free",
                upgrades: [
                    UpgradeOption(planName: "Pro", planID: "pro", canSwitchPlan: true, billingURL: billing),
                    UpgradeOption(planName: "Team", planID: "team", canSwitchPlan: false, billingURL: billing),
                    UpgradeOption(planName: "Custom", planID: "custom", canSwitchPlan: false, billingURL: nil),
                ]))
        #expect(page.text.contains("API & Webhooks is not part of the Free plan"))
        let form = try #require(page.form(to: Self.path + "/plan"))
        #expect(form.method == "post" && form.fields == ["planID": "pro"] && form.types == ["planID": "hidden"])
        #expect(form.buttons == "Switch to Pro")
        #expect(page.elements("a").filter { $0["href"] == billing.description }.count == 1)
        #expect(page.text.contains("Upgrade to Team"))
        #expect(page.text.contains("Custom includes it. The operator of this service moves the workspace: ask them."))
    }

    @Test("An Owner without a plan to go to reads so")
    func ownerWithoutUpgrades() throws {
        let page = try render(LockPanel(planName: "Free", upgrades: []))
        #expect(page.text.contains("No plan of this service includes it at present."))
        #expect(page.form(to: Self.path + "/plan") == nil)
    }

    @Test("A member reads whom to ask, and is offered no switch")
    func member() throws {
        let page = try render(
            LockPanel(planName: "Free", owners: [OwnerContact(name: "Ada", email: "ada@example.com")]))
        #expect(page.text.contains("Ask a workspace Owner to upgrade. Ada ada@example.com"))
        #expect(page.has("a", ["href": "mailto:ada@example.com"]))
        #expect(page.form(to: Self.path + "/plan") == nil)
        let alone = try render(LockPanel(planName: "Free", owners: []))
        #expect(alone.text.contains("Ask a workspace Owner to upgrade. Key leaked?"))
    }

    @Test("Names of plans and people are written as text")
    func hostile() throws {
        let text = RenderedPage.hostile
        let owner = try render(
            LockPanel(
                planName: text,
                upgrades: [UpgradeOption(planName: text, planID: text, canSwitchPlan: true, billingURL: nil)]))
        #expect(!owner.html.contains(text))
        #expect(owner.form(to: Self.path + "/plan")?.fields == ["planID": text])
        let member = try render(LockPanel(planName: text, owners: [OwnerContact(name: text, email: text)]))
        #expect(!member.html.contains(text))
        #expect(member.has("a", ["href": "mailto:\(text)"]))
    }
}
