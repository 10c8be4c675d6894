/// The page that asks for e-mail and password: `GET /sign-in`, and the answer to a refused `POST /sign-in`.
///
/// The form sends `email`, `password` and, when given, `next`.
struct SignInPage: Page, Equatable {
    static let template = Template.signIn

    /// After signing out.
    static let signedOut = Notice(.success, "You are signed out.", query: "signedOut")
    /// Where the provider has vouched for somebody whom no account here knows.
    static let connectFirst = Notice(
        .information,
        "No account here is connected with that sign-in yet. Sign in to your account first; then you can connect it.",
        query: "connect")
    /// Where a page needs a session and there is none, or it has ended.
    static let signInNeeded = Notice(.information, "Sign in to continue.")
    /// Where the session had ended before a press could change anything.
    static let sessionOver = Notice(
        .information, "Your session has ended. Nothing was changed. Sign in to continue.", query: "ended")

    /// Where a password was reset.
    static let passwordReset = Notice(.success, "Password changed. Sign in with the new one.", query: "reset")

    /// What the person typed before; empty at first. The password is never given back.
    let email: String
    /// The path to go to afterwards; nil for the start page. Must already be checked to be a path of this server.
    let next: String?
    /// What was wrong with the attempt.
    let error: String?
    /// What happened before, such as signing out.
    let notice: Notice?
    /// Whether the page links to `/sign-up`.
    let isSignUpOpen: Bool
    /// Whether a forgotten password can be reset by mail.
    let canReset: Bool
    /// What people call the provider with which one can sign in too; nil for none.
    let provider: String?
    /// Where that begins.
    let providerPath: String
    /// Where an account is made.
    let signUpPath: String

    /// Puts the page together.
    init(
        email: String = "", next: String? = nil, problem: PasswordProblem? = nil, notice: Notice? = nil,
        isSignUpOpen: Bool, provider: String? = nil, canReset: Bool = false
    ) {
        self.canReset = canReset
        self.email = email
        self.next = next
        self.error = problem?.signInText
        self.notice = notice
        self.isSignUpOpen = isSignUpOpen
        self.provider = provider
        signUpPath = "/sign-up" + (next.map { "?next=\(DashboardResponder.escape($0))" } ?? "")
        // Whoever is told to sign in another way first does not get the same page again.
        providerPath = IdentityHandlers.path(to: next == Routes.linkIdentity ? "/" : next)
    }
}
