import Testing

@testable import KeybearerServer

/// The ``SignUpPage``, open and closed.
@Suite struct SignUpPageTests {
    @Test("At first it asks for a name, an address and a password")
    func empty() throws {
        let page = try RenderedPage(SignUpPage(form: SignUpForm()))
        #expect(page.problems == [])
        #expect(page.title == "Create an account · Keybearer")
        let form = try #require(page.form(to: "/sign-up"))
        #expect(form.method == "post")
        #expect(form.fields == ["name": "", "email": "", "password": ""])
        #expect(page.element(id: "password")?["autocomplete"] == "new-password")
        #expect(page.element(id: "password")?["minlength"] == "8")
        #expect(page.element(id: "password")?["aria-describedby"] == "password-hint")
        #expect(page.html.contains(#"<a href="/sign-in">"#))
    }

    @Test("Where sign-up is closed there is no form, and the page says whom to ask")
    func closed() throws {
        let page = try RenderedPage(SignUpPage.closed)
        #expect(page.problems == [])
        #expect(page.forms.isEmpty && page.elements("input").isEmpty)
        #expect(page.text.contains("Sign-up is closed New accounts are made by the operator of this service."))
    }

    @Test("Each field's problem stands beside the field; what was typed stays, but the password")
    func refused() throws {
        let fields = ["name": "No name.", "email": "No address.", "password": "Too short.", "other": "Ignored."]
        let page = try RenderedPage(
            SignUpPage(form: SignUpForm(name: "Ada", email: "ada@", fields: fields, error: "Too many attempts.")))
        #expect(page.problems == [])
        #expect(page.title == "Error: Create an account · Keybearer")
        for text in ["No name.", "No address.", "Too short.", "Too many attempts."] {
            #expect(page.text.contains(text))
        }
        #expect(!page.html.contains("Ignored."))
        #expect(page.form(to: "/sign-up")?.fields == ["name": "Ada", "email": "ada@", "password": ""])
        for id in ["name", "email", "password"] {
            let input = try #require(page.element(id: id))
            #expect(input["aria-invalid"] == "true")
            #expect(input["aria-describedby"]?.contains("\(id)-error") == true)
        }
        #expect(page.elements("input").filter { $0["autofocus"] != nil }.compactMap { $0["id"] } == ["name"])
    }

    @Test("What a person typed is written as text")
    func hostile() throws {
        let text = RenderedPage.hostile
        let page = try RenderedPage(
            SignUpPage(form: SignUpForm(name: text, email: text, fields: ["name": text], error: text)))
        #expect(page.problems == [])
        #expect(!page.html.contains(text))
        #expect(page.form(to: "/sign-up")?.fields == ["name": text, "email": text, "password": ""])
        #expect(page.text.contains(text))
    }
}
