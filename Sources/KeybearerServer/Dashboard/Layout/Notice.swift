/// One sentence at the top of a page that says what just happened or what is wrong.
struct Notice: Sendable, Equatable {
    /// How the notice is announced and coloured.
    enum Kind: String, Sendable {
        /// Something was done; announced politely.
        case success
        /// Something to know before going on; announced politely.
        case information
        /// Something failed; announced at once.
        case failure
    }

    /// The sentence. Shown as it is, so it must be safe for anyone.
    let text: String
    /// The kind's name, for the style sheet.
    let kind: String
    /// Whether the notice reports a failure.
    let isFailure: Bool

    /// Puts a notice together.
    init(_ kind: Kind, _ text: String) {
        self.text = text
        self.kind = kind.rawValue
        isFailure = kind == .failure
    }

    /// After a regenerate, `?regenerated=1`.
    static let keyRegenerated = Notice(.success, "Key regenerated. The old key no longer works.")
    /// After a change of the password.
    static let passwordChanged = Notice(.success, "Password changed.")
    /// After another session was ended.
    static let sessionEnded = Notice(.success, "Session ended.")
    /// After signing out.
    static let signedOut = Notice(.success, "You are signed out.")
    /// Where a page needs a session and there is none, or it has ended.
    static let signInNeeded = Notice(.information, "Sign in to continue.")
    /// Where the session had ended before a press could change anything, `?ended=1`.
    static let sessionOver = Notice(
        .information, "Your session has ended. Nothing was changed. Sign in to continue.")
    /// The store is out of reach.
    static let unavailable = Notice(
        .failure, "The service is not available for the moment. Nothing is lost; try again shortly.")

    /// After the workspace moved to another plan.
    static func planChanged(to planName: String) -> Notice {
        Notice(.success, "This workspace is now on the \(planName) plan.")
    }
}
