/// The page for people who forgot their password: `GET /forgot-password`, and the answer to its form, which sends `email`.
struct ForgotPasswordPage: Page, Equatable {
    static let template = Template.forgotPassword

    /// What the person typed before.
    let email: String
    /// What is wrong with it.
    let error: String?
    /// Whether the form was taken. That is the same whether there is an account or not.
    let isSent: Bool

    /// Puts the page together.
    init(email: String = "", error: String? = nil, isSent: Bool = false) {
        self.email = email
        self.error = error
        self.isSent = isSent
    }
}
