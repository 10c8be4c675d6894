/// The page that asks a signed-in person for the password again: `GET /confirm`, and the answer to a refused
/// `POST /confirm`.
///
/// Showing or regenerating a key needs a password given recently, so that an unattended browser gives no key away.
/// The form sends `password`, `next` and, where the account has a second factor, `code`.
struct ConfirmPage: Page, Equatable {
    static let template = Template.confirm

    /// Whose password is asked for. It is shown and never sent.
    let email: String
    /// The path to go to afterwards. Must already be checked to be a path of this server that answers GET.
    let next: String
    /// What was wrong with the attempt.
    let error: String?
    /// Whether there is a password to give: an account without one signs in again at the product.
    let hasPassword: Bool
    /// Whether a code of the authenticator app is asked for too.
    let asksForCode: Bool
    /// What people call the provider at which the account can give proof; nil where it cannot.
    let provider: String?
    /// Where that begins.
    let providerPath: String
    /// Where the product is; nil where that is not known.
    let returnURL: String?

    /// Puts the page together.
    init(
        email: String, next: String, problem: PasswordProblem? = nil, hasPassword: Bool = true,
        asksForCode: Bool = false, provider: String? = nil, returnURL: String? = nil
    ) {
        self.provider = provider
        providerPath = IdentityHandlers.path(to: next, isConfirmation: true)
        self.hasPassword = hasPassword
        self.returnURL = returnURL
        self.email = email
        self.next = next
        self.asksForCode = asksForCode
        self.error = asksForCode ? problem?.confirmWithCodeText : problem?.confirmText
    }
}
