/// The page on which a person makes an account: `GET /sign-up`, and the answer to a refused `POST /sign-up`.
///
/// The form sends `name`, `email` and `password`.
struct SignUpPage: Page, Equatable {
    static let template = Template.signUp

    /// The form; nil where sign-up is closed.
    let form: SignUpForm?

    /// The page with a form.
    init(form: SignUpForm) {
        self.form = form
    }

    private init() {
        form = nil
    }

    /// The page that says that the operator closed sign-up.
    static let closed = SignUpPage()
}

/// The fields of the sign-up form and what was wrong with each.
struct SignUpForm: Sendable, Equatable {
    /// The path to go to afterwards; nil for the start page. Must already be checked to be a path of this server.
    let next: String?
    /// What the person typed as a name.
    let name: String
    /// What the person typed as an e-mail address.
    let email: String
    /// What is wrong with the name.
    let nameError: String?
    /// What is wrong with the e-mail address.
    let emailError: String?
    /// What is wrong with the password. The password itself is never given back.
    let passwordError: String?
    /// What is wrong with the attempt as a whole.
    let error: String?
    /// Whether anything is wrong.
    let hasErrors: Bool

    /// Puts the form together.
    ///
    /// - Parameters:
    ///   - fields: Sentences by field name: `name`, `email`, `password`. Others are ignored.
    ///   - error: A sentence for the attempt as a whole, such as "too many attempts".
    init(
        name: String = "", email: String = "", next: String? = nil, fields: [String: String] = [:],
        error: String? = nil
    ) {
        self.next = next
        self.name = name
        self.email = email
        nameError = fields["name"]
        emailError = fields["email"]
        passwordError = fields["password"]
        self.error = error
        hasErrors = error != nil || nameError != nil || emailError != nil || passwordError != nil
    }
}
