/// What the link leads to that resets a password: `GET /reset-password?code=…`, and the answer to its refused form.
///
/// The form sends `code`, `password` and, where the account has two-step sign-in, `otp`.
struct ResetPasswordPage: Page, Equatable {
    static let template = Template.resetPassword

    /// The link's code, for the form; nil where the link cannot be used.
    let code: String?
    /// Whose password it is.
    let email: String
    /// Whether the form asks for a code of the authenticator app.
    let asksForCode: Bool
    /// Whether the key is replaced too: nobody has shown before that the address is theirs.
    let isTakeover: Bool
    /// What is wrong with the new password.
    let passwordError: String?
    /// What is wrong with the code of the app.
    let codeError: String?
    /// Whether the form was refused.
    let hasErrors: Bool

    /// A link that can be used.
    ///
    /// - Parameter fields: sentences by field name: `password`, `code`.
    init(code: String, email: String, asksForCode: Bool, isTakeover: Bool = false, fields: [String: String] = [:]) {
        self.code = code
        self.email = email
        self.asksForCode = asksForCode
        self.isTakeover = isTakeover
        passwordError = fields["password"]
        codeError = fields["code"]
        hasErrors = passwordError != nil || codeError != nil
    }

    /// One that cannot.
    static let ended = ResetPasswordPage()

    private init() {
        code = nil
        email = ""
        asksForCode = false
        isTakeover = false
        passwordError = nil
        codeError = nil
        hasErrors = false
    }
}
