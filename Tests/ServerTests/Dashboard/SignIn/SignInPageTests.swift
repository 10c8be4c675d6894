import Testing

@testable import KeybearerServer

/// The ``SignInPage`` and each ``PasswordProblem`` on it.
@Suite struct SignInPageTests {
    @Test("At first it asks for e-mail and password, and says nothing else")
    func empty() throws {
        let page = try RenderedPage(SignInPage(isSignUpOpen: true))
        #expect(page.problems == [])
        #expect(page.title == "Sign in · Keybearer")
        #expect(page.text == "Sign in E-mail Password Sign in New here? Create an account API reference")
        let form = try #require(page.form(to: "/sign-in"))
        #expect(form.method == "post")
        #expect(form.fields == ["email": "", "password": ""])
        #expect(form.types == ["email": "email", "password": "password"])
        #expect(page.element(id: "email")?["autofocus"] != nil)
        #expect(page.element(id: "password")?["autocomplete"] == "current-password")
    }

    @Test("Where sign-up is closed nothing leads to it")
    func closed() throws {
        let page = try RenderedPage(SignInPage(isSignUpOpen: false))
        #expect(page.problems == [])
        #expect(!page.html.contains("/sign-up"))
    }

    @Test(
        "A refusal keeps the address and the way, and never the password",
        arguments: [
            (PasswordProblem.wrongCredentials, "The e-mail or the password is not right."),
            (.tooManyAttempts(wait: .seconds(61)), "Too many attempts. Try again in 2 minutes."),
            (.other("The database is away."), "The database is away."),
        ])
    func refused(problem: PasswordProblem, sentence: String) throws {
        let page = try RenderedPage(
            SignInPage(email: "ada@example.com", next: "/account", problem: problem, isSignUpOpen: true))
        #expect(page.problems == [])
        #expect(page.title == "Error: Sign in · Keybearer")
        #expect(page.text.contains(sentence))
        #expect(page.element(id: "sign-in-error")?["role"] == "alert")
        #expect(
            page.form(to: "/sign-in")?.fields == ["email": "ada@example.com", "password": "", "next": "/account"])
        #expect(page.form(to: "/sign-in")?.types["next"] == "hidden")
        #expect(page.element(id: "password")?["autofocus"] != nil && page.element(id: "email")?["autofocus"] == nil)
    }

    @Test(
        "What happened before is said, and which name in the query asked for it",
        arguments: [
            (SignInPage.signedOut, "You are signed out.", "signedOut"),
            (SignInPage.signInNeeded, "Sign in to continue.", ""),
            (SignInPage.sessionOver, "Your session has ended. Nothing was changed. Sign in to continue.", "ended"),
        ])
    func notices(notice: Notice, sentence: String, query: String) throws {
        let page = try RenderedPage(SignInPage(notice: notice, isSignUpOpen: true))
        #expect(page.problems == [])
        #expect(page.text.contains(sentence))
        let element = page.elements("p").first { $0["data-notice"] != nil }
        #expect(element?["data-notice"] == query && element?["role"] == "status")
    }

    @Test("A provider has a button that leads on to the path in next")
    func provider() throws {
        let page = try RenderedPage(SignInPage(next: "/account", isSignUpOpen: true, provider: RenderedPage.hostile))
        #expect(page.problems == [])
        #expect(page.text.contains("Sign in with \(RenderedPage.hostile)") && !page.html.contains(RenderedPage.hostile))
        #expect(page.has("a", ["href": "/sign-in/oidc?next=/account"]))
        let connecting = try RenderedPage(
            SignInPage(
                next: "/sign-in/oidc/link", notice: SignInPage.connectFirst, isSignUpOpen: true, provider: "Example"))
        #expect(connecting.has("a", ["href": "/sign-in/oidc?next=/"]))
        #expect(connecting.form(to: "/sign-in")?.fields["next"] == "/sign-in/oidc/link")
    }

    @Test("What a person typed is written as text")
    func hostile() throws {
        let page = try RenderedPage(
            SignInPage(email: RenderedPage.hostile, next: RenderedPage.hostile, isSignUpOpen: true))
        #expect(page.problems == [])
        #expect(!page.html.contains(RenderedPage.hostile))
        #expect(page.form(to: "/sign-in")?.fields["email"] == RenderedPage.hostile)
        #expect(page.form(to: "/sign-in")?.fields["next"] == RenderedPage.hostile)
    }
}
