import Foundation
import Keybearer
import TestSupport
import Testing

@testable import KeybearerServer

/// The ``AccountPage`` as it is written.
@Suite struct AccountPageTests {
    private func model(
        name: String = "Ada", email: String = "ada@example.com", notice: Notice? = nil, fields: [String: String] = [:],
        identities: [IdentityRow] = [], sessions: [SessionRow] = []
    ) -> AccountPage {
        AccountPage(
            shell: DashboardShell(email: email, workspaces: [], currentWorkspaceID: nil, section: .account),
            name: name, email: email, notice: notice, fields: fields, identities: identities, sessions: sessions)
    }

    private func identity(_ subject: String, provider: String = "Example", isOnlyWay: Bool = false) -> IdentityRow {
        IdentityRow(
            ConnectedIdentityService.Listed(
                connected: ConnectedIdentity(
                    identity: Identity(issuer: "https://login.example", subject: subject), connectedAt: Samples.start),
                provider: provider, isOnlyWay: isOnlyWay))
    }

    private func session(_ id: String, userAgent: String = "curl/8.5", isCurrent: Bool = false) -> SessionRow {
        SessionRow(
            id: id, startedAt: Samples.start, lastSeenAt: Samples.start.advanced(by: .seconds(90)),
            address: "192.0.2.7", userAgent: userAgent, isCurrent: isCurrent)
    }

    @Test("It shows name and address, and a form for a new password")
    func empty() throws {
        let page = try RenderedPage(model())
        #expect(page.problems == [])
        #expect(page.title == "Account & sessions · Keybearer")
        #expect(page.text.contains("Name Ada E-mail ada@example.com"))
        let form = try #require(page.form(to: "/account/password"))
        #expect(form.method == "post")
        #expect(form.fields == ["currentPassword": "", "newPassword": ""])
        #expect(form.types == ["currentPassword": "password", "newPassword": "password"])
        #expect(page.element(id: "newPassword")?["minlength"] == "8")
        #expect(page.has("a", ["href": "/account", "aria-current": "page"]))
        #expect(page.elements("input").allSatisfy { $0["autofocus"] == nil })
    }

    @Test("Each session has its browser, its place, its times and the form that ends it")
    func sessions() throws {
        let page = try RenderedPage(
            model(sessions: [session("ses_1", userAgent: "Firefox/130.0 Linux", isCurrent: true), session("ses_2")]))
        #expect(page.problems == [])
        #expect(page.text.contains("Firefox on Linux this one From 192.0.2.7, started 2026-01-01 00:00:00 UTC"))
        #expect(page.text.contains("last seen 2026-01-01 00:01:30 UTC"))
        #expect(page.elements("time").first?["datetime"] == "\(Samples.start)")
        for id in ["ses_1", "ses_2"] {
            let form = try #require(page.form(to: "/account/sessions/\(id)/end"))
            #expect(form.method == "post" && form.fields.isEmpty)
            #expect(form.buttons.hasPrefix("End session"))
        }
        #expect(page.html.components(separatedBy: "this one").count == 2)
    }

    @Test("Each identity has its provider, its subject, its time and the form that disconnects it, except the only way")
    func identities() throws {
        #expect(try !RenderedPage(model()).text.contains("Connected sign-ins"))
        let page = try RenderedPage(model(identities: [identity("ada"), identity("adele")]))
        #expect(page.problems == [])
        #expect(page.text.contains("Example As ada, connected 2026-01-01 00:00:00 UTC"))
        #expect(!page.text.contains("only way"))
        for subject in ["ada", "adele"] {
            let form = try #require(page.form(to: "/account/identities/\(identity(subject).id)/disconnect"))
            #expect(form.method == "post" && form.fields.isEmpty && form.buttons.hasPrefix("Disconnect"))
        }
        let only = try RenderedPage(model(identities: [identity("ada", isOnlyWay: true)]))
        #expect(only.problems == [] && only.form(to: "/account/identities/\(identity("ada").id)/disconnect") == nil)
        #expect(only.text.contains("This is your only way to sign in"))
    }

    @Test("A refused password is said beside its field")
    func refused() throws {
        let page = try RenderedPage(
            model(fields: ["currentPassword": "Not right.", "newPassword": "Too common.", "other": "Ignored."]))
        #expect(page.problems == [])
        #expect(page.title == "Error: Account & sessions · Keybearer")
        #expect(page.text.contains("Not right.") && page.text.contains("Too common."))
        #expect(!page.html.contains("Ignored."))
        #expect(page.element(id: "currentPassword")?["aria-describedby"] == "currentPassword-error")
        #expect(page.element(id: "newPassword")?["aria-describedby"] == "newPassword-hint newPassword-error")
        #expect(page.elements("input").filter { $0["autofocus"] != nil }.compactMap { $0["id"] } == ["currentPassword"])
    }

    @Test(
        "What happened before is said",
        arguments: [
            (AccountPage.passwordChanged, "Password changed.", "password"),
            (AccountPage.secondFactorOff, "Two-step sign-in is off.", "secondFactor"),
            (AccountPage.sessionEnded, "Session ended.", "session"),
            (AccountPage.identityDisconnected, "Disconnected.", "identity"),
        ])
    func notices(notice: Notice, sentence: String, query: String) throws {
        let page = try RenderedPage(model(notice: notice))
        #expect(page.problems == [])
        #expect(page.text.contains(sentence))
        #expect(page.has("p", ["data-notice": query, "role": "status"]))
    }

    @Test("Names, addresses and what browsers say of themselves are written as text")
    func hostile() throws {
        let text = RenderedPage.hostile
        let page = try RenderedPage(
            model(
                name: text, email: text, identities: [identity(text, provider: text)],
                sessions: [session("ses_1", userAgent: "<script>alert(1)</script>")]))
        #expect(page.problems == [])
        #expect(!page.html.contains(text) && !page.html.contains("<script>"))
        #expect(page.text.contains("Name \(text) E-mail \(text)"))
    }
}
