/// The page that asks for the code of the authenticator app, behind the password: `GET /sign-in/code`, and the answer to a
/// refused `POST /sign-in/code`.
///
/// The form sends `code` and, when given, `next`.
struct CodePage: Page, Equatable {
    static let template = Template.signInCode

    /// The path to go to afterwards; nil for the start page. Must already be checked to be a path of this server.
    let next: String?
    /// What was wrong with the attempt. The code itself is never given back.
    let error: String?

    /// Puts the page together.
    init(next: String? = nil, problem: PasswordProblem? = nil) {
        self.next = next
        error = problem?.codeText
    }
}
