/// Why a form that asks for a password was refused.
enum PasswordProblem: Sendable, Equatable {
    /// The e-mail or the password is wrong. Which one is never said, so the form confirms nobody's account.
    case wrongCredentials
    /// Too many attempts; how long to wait.
    case tooManyAttempts(wait: Duration)
    /// Anything else, in words that are safe for anyone.
    case other(String)

    /// The sentence for the sign-in page.
    var signInText: String { text(wrong: "The e-mail or the password is not right.") }

    /// The sentence where the account is known already.
    var confirmText: String { text(wrong: "That password is not right.") }

    /// The sentence where a password and a code are asked for together. Which one is wrong is not said.
    var confirmWithCodeText: String { text(wrong: "The password or the code is not right.") }

    /// The sentence behind the password.
    var codeText: String { text(wrong: "That code is not right, or it was used already. Wait for the next one.") }

    private func text(wrong: String) -> String {
        switch self {
        case .wrongCredentials: wrong
        case .tooManyAttempts(let wait): "Too many attempts. Try again in \(PageDuration.words(wait))."
        case .other(let message): message
        }
    }
}
