/// The page behind a portal link: `GET /portal`. It changes nothing, so a mail scanner or a preview uses nothing up; its
/// button sends `POST /portal` with `code` and, where another account is signed in, `replaces`.
struct PortalPage: Page, Equatable {
    static let template = Template.portal

    /// What the button does.
    struct Form: Sendable, Equatable {
        /// Sent back by the form. It is in the page's address already.
        let code: String
        /// Who is signed in by it.
        let name: String
        let email: String
        /// Who is signed in now, where that is somebody else; their session ends.
        let otherEmail: String?
        /// The id of that account: a form that does not name whom it replaces replaces nobody.
        let replaces: String?
        /// Whether the page's script presses the button.
        let opensByItself: Bool
    }

    /// Nil for a link that is over.
    let entry: Form?
    /// Where the product is, for a link or a session that is over; nil where that is not known.
    var back: String?
    /// Whether what is over is the session that a link opened.
    var isSession = false
}
