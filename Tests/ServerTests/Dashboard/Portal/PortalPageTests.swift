import Keybearer
import Testing

@testable import KeybearerServer

/// The ``PortalPage`` behind a portal link.
@Suite struct PortalPageTests {
    private static func form(other: Bool = false, opensByItself: Bool = false) -> PortalPage.Form {
        PortalPage.Form(
            code: "kbl_a1", name: "Ada", email: "ada@example.com", otherEmail: other ? "eve@example.com" : nil,
            replaces: other ? "usr_eve" : nil, opens: PortalPage.words(for: .apiKey), opensByItself: opensByItself)
    }

    @Test("It names whom it signs in; the button sends the code")
    func usable() throws {
        let page = try RenderedPage(PortalPage(entry: Self.form()))
        #expect(page.problems == [] && page.title.hasPrefix("Sign in"))
        #expect(page.text.contains("Continue to your API key"))
        #expect(page.text.contains("You will be signed in as Ada, ada@example.com."))
        let form = try #require(page.form(to: "/portal"))
        #expect(form.method == "post" && form.fields == ["code": "kbl_a1"])
        #expect(form.types["code"] == "hidden" && form.buttons == "Continue as ada@example.com")
        #expect(page.forms.count == 1 && !page.has("form", ["data-submits-itself": ""]))
        #expect(!page.html.contains("type=\"password\""))
    }

    @Test("A young link's page presses its button itself; one that would sign another account out never does")
    func byItself() throws {
        #expect(
            try RenderedPage(PortalPage(entry: Self.form(opensByItself: true))).has("form", ["data-submits-itself": ""])
        )
        let page = try RenderedPage(PortalPage(entry: Self.form(other: true)))
        #expect(page.problems == [] && !page.has("form", ["data-submits-itself": ""]))
        let form = try #require(page.form(to: "/portal"))
        #expect(form.fields == ["code": "kbl_a1", "replaces": "usr_eve"])
        #expect(form.buttons == "Sign out eve@example.com and continue as ada@example.com")
        #expect(page.text.contains("This browser is signed in as eve@example.com. That session ends"))
    }

    @Test("A link that is over says what to do, and has no button")
    func ended() throws {
        let page = try RenderedPage(PortalPage(end: .link))
        #expect(page.problems == [] && page.title.hasPrefix("This link has ended"))
        #expect(page.forms.isEmpty && page.text.contains("Go back to where you came from"))
    }

    @Test("The way back leads the whole window there, out of a frame too")
    func back() throws {
        for end in [PortalPage.End.link, .session, .signOut] {
            let page = try RenderedPage(PortalPage(end: end, back: "https://app.example/back"))
            #expect(page.problems == [] && page.forms.isEmpty)
            #expect(page.has("a", ["href": "https://app.example/back", "target": "_top"]))
        }
        #expect(try RenderedPage(PortalPage(end: .session)).text.contains("Load the page around this one again"))
        #expect(try !RenderedPage(PortalPage(end: .signOut)).has("a", ["target": "_top"]))
    }

    @Test("Names and addresses are text, whatever is in them")
    func hostile() throws {
        let text = RenderedPage.hostile
        let page = try RenderedPage(
            PortalPage(
                entry: PortalPage.Form(
                    code: text, name: text, email: text, otherEmail: text, replaces: text, opens: text,
                    opensByItself: false)))
        #expect(page.problems == [] && page.form(to: "/portal")?.fields == ["code": text, "replaces": text])
        #expect(page.text.contains(text))
    }
}
