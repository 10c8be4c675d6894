import Testing

@testable import KeybearerServer

/// The ``ProviderPage`` before and behind the provider.
@Suite struct ProviderPageTests {
    @Test("Before: a link that begins, and another way")
    func begin() throws {
        let page = try RenderedPage(ProviderPage(name: "Example", path: "/sign-in/oidc?next=/account"))
        #expect(page.problems == [])
        #expect(page.title == "Sign in · Keybearer")
        #expect(page.forms.isEmpty && page.has("a", ["href": "/sign-in/oidc?next=/account"]))
        #expect(page.text.contains("Continue with Example") && page.has("a", ["href": "/sign-in"]))
    }

    @Test("Behind: who is connected with which account, and a form that sends nothing")
    func connect() throws {
        let page = try RenderedPage(
            ProviderPage(name: "Example", email: "ada@work.example", account: "ada@example.com"))
        #expect(page.problems == [])
        #expect(page.title == "Connect Example · Keybearer")
        #expect(page.text.contains("ada@example.com") && page.text.contains("ada@work.example"))
        let form = try #require(page.form(to: "/sign-in/oidc/link"))
        #expect(form.method == "post" && form.fields.isEmpty && form.buttons == "Connect Example")
        let nameless = try RenderedPage(ProviderPage(name: "Example", email: nil, account: "ada@example.com"))
        #expect(nameless.problems == [] && !nameless.text.contains("where you are"))
    }

    @Test("What others named is written as text")
    func hostile() throws {
        let hostile = RenderedPage.hostile
        for page in [
            try RenderedPage(ProviderPage(name: hostile, path: hostile)),
            try RenderedPage(ProviderPage(name: hostile, email: hostile, account: hostile)),
        ] {
            #expect(page.problems == [])
            #expect(!page.html.contains(hostile) && page.text.contains(hostile))
        }
    }
}
