import Testing

@testable import KeybearerServer

/// The ``ConfirmPage`` that asks for the password again.
@Suite struct ConfirmPageTests {
    @Test("It says whose password it asks for and leads on to the path in next")
    func empty() throws {
        let page = try RenderedPage(ConfirmPage(email: "ada@example.com", next: "/account"))
        #expect(page.problems == [])
        #expect(page.title == "Confirm your password · Keybearer")
        let form = try #require(page.form(to: "/confirm"))
        #expect(form.method == "post")
        // The address is shown and not sent: it has no name.
        #expect(form.fields == ["next": "/account", "password": ""])
        #expect(page.element(id: "email")?["value"] == "ada@example.com")
        #expect(page.elements("p").allSatisfy { $0["role"] == nil })
    }

    @Test(
        "A refusal is said in words of its own",
        arguments: [
            (PasswordProblem.wrongCredentials, "That password is not right."),
            (.tooManyAttempts(wait: .seconds(1)), "Too many attempts. Try again in 1 second."),
            (.other("The database is away."), "The database is away."),
        ])
    func refused(problem: PasswordProblem, sentence: String) throws {
        let page = try RenderedPage(ConfirmPage(email: "ada@example.com", next: "/", problem: problem))
        #expect(page.problems == [])
        #expect(page.title == "Error: Confirm your password · Keybearer")
        #expect(page.text.contains(sentence))
        #expect(page.element(id: "password")?["aria-describedby"] == "confirm-error")
        #expect(page.element(id: "confirm-error")?["role"] == "alert")
    }

    @Test("An account without a password sees no field for one, and goes to the provider where it is connected")
    func withoutPassword() throws {
        let page = try RenderedPage(
            ConfirmPage(email: "ada@example.com", next: "/account?x=1", hasPassword: false, provider: "Example"))
        #expect(page.problems == [])
        #expect(page.form(to: "/confirm") == nil && !page.html.contains("type=\"password\""))
        #expect(page.text.contains("Continue with Example") && !page.text.contains("Go back to where you came from"))
        #expect(page.has("a", ["href": "/sign-in/oidc?confirm=1&next=/account%3Fx%3D1"]))
        let other = try RenderedPage(ConfirmPage(email: "ada@example.com", next: "/", hasPassword: false))
        #expect(other.text.contains("Go back to where you came from") && !other.html.contains("/sign-in/oidc"))
        let both = try RenderedPage(ConfirmPage(email: "ada@example.com", next: "/", provider: "Example"))
        #expect(both.form(to: "/confirm") != nil && both.text.contains("Continue with Example"))
    }

    @Test("Address and path are written as text")
    func hostile() throws {
        let page = try RenderedPage(ConfirmPage(email: RenderedPage.hostile, next: RenderedPage.hostile))
        #expect(page.problems == [])
        #expect(!page.html.contains(RenderedPage.hostile))
        #expect(page.form(to: "/confirm")?.fields["next"] == RenderedPage.hostile)
    }
}
