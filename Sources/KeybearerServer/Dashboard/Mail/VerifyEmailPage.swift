import Keybearer

/// What a link in a mail leads to that verifies an address: `GET /verify-email?code=…`, and the answer to its form, which
/// sends `code`. The account's own address is verified in a browser that is signed in to the account.
struct VerifyEmailPage: Page, Equatable {
    static let template = Template.verifyEmail

    /// What the page says first.
    let title: String
    /// What it says below.
    let paragraphs: [String]
    /// What the button says; nil where there is none.
    let button: String?
    /// The link's code, for the form.
    let code: String?
    /// Where the form goes.
    let action: String
    /// Where the page leads.
    let links: [PageLink]

    private init(
        _ title: String, _ paragraphs: [String], button: String? = nil, code: String? = nil,
        action: String = Routes.verifyEmail, links: [PageLink]
    ) {
        self.title = title
        self.paragraphs = paragraphs
        self.button = button
        self.code = code
        self.action = action
        self.links = links
    }

    /// A link that can be used.
    ///
    /// - Parameter reader: who is signed in; nil for nobody.
    init(_ link: MailLink, of user: User, code: String, for reader: User?) {
        let close = "If you don’t know this account, close the page: nothing is changed."
        if link.purpose == .changeEmail {
            self.init(
                "Use this address?",
                ["The account of \(user.name) gets the address \(link.email) instead of \(user.email).", close],
                button: "Use \(link.email)", code: code, links: [])
        } else if reader?.id == user.id {
            self.init(
                "Verify your address", ["The address \(link.email) is that of the account of \(user.name).", close],
                button: "Verify \(link.email)", code: code, action: Routes.confirmEmail, links: [])
        } else if let reader {
            self.init(
                "Sign in to verify your address",
                [
                    "You are signed in as \(reader.email). Sign out, and open the link in the mail again to verify "
                        + "\(link.email).", close,
                ], links: [PageLink(path: "/account", title: "Go to your account")])
        } else {
            let next = DashboardResponder.escape("\(Routes.verifyEmail)?code=\(code)")
            self.init(
                "Sign in to verify your address",
                ["Sign in to the account with the address \(link.email). Then you can verify it.", close],
                links: [PageLink(path: "/sign-in?next=\(next)", title: "Sign in")])
        }
    }

    /// An address that is verified now, or was before.
    static func done(_ email: EmailAddress) -> VerifyEmailPage {
        VerifyEmailPage("Address verified", ["\(email) is verified."], links: [.dashboard])
    }

    /// A link that has expired, or that a newer wish has overtaken.
    static let ended = VerifyEmailPage(
        "This link no longer works",
        ["It has expired, or the address was changed meanwhile. Your account’s page sends you another one."],
        links: [PageLink(path: "/account", title: "Go to your account")])

    /// What nobody sent.
    static let unknown = VerifyEmailPage(
        "This link does not work",
        [
            "It is incomplete, or older than two days. Open it from the mail again, or have your account’s page send another."
        ],
        links: [PageLink(path: "/account", title: "Go to your account")])

    /// An address that somebody else has now.
    static let taken = VerifyEmailPage(
        "This address is taken",
        ["Another account has this address by now. Your account keeps the one that it has."],
        links: [PageLink(path: "/account", title: "Go to your account")])
}

/// A link of a page that leads on.
struct PageLink: Sendable, Equatable {
    /// A local path.
    let path: String
    let title: String

    static let dashboard = PageLink(path: "/", title: "Go to the dashboard")
}
