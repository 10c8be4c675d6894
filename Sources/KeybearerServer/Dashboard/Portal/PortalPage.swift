import Keybearer

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
        /// What the link opens, in a few words.
        let opens: String
        /// Whether the page's script presses the button.
        let opensByItself: Bool
    }

    /// What a person calls a section.
    static func words(for section: PortalSection) -> String {
        switch section {
        case .apiKey: "your API key"
        case .webhooks: "your webhooks"
        }
    }

    /// Nil for a link that is over.
    let entry: Form?
    /// Where the product is, for a link or a session that is over; nil where that is not known.
    let back: String?
    /// What the page is about, in a few words.
    let title: String
    /// What to know of what is over; nil where the title says it.
    let text: String?

    /// What is over.
    enum End: Sendable {
        case link
        case session
        /// By the person's own press, in a frame.
        case signOut
    }

    /// The page with the button.
    init(entry: Form) {
        self.entry = entry
        back = nil
        title = "Sign in"
        text = nil
    }

    /// The page of what is over.
    ///
    /// - Parameter back: where the product is; nil where that is not known.
    init(end: End, back: String? = nil) {
        entry = nil
        self.back = back
        switch end {
        case .link:
            title = "This link has ended"
            text =
                "A link signs you in once, and only for a short time. This one was used, or its time is over. "
                + "Go back to where you came from and open the page from there again."
        case .session:
            title = "Your session has ended"
            text =
                back == nil
                ? "Nothing was changed. Load the page around this one again, or open it from where you came from."
                : "Nothing was changed."
        case .signOut:
            title = "You are signed out"
            text = nil
        }
    }
}
