package import Keybearer
import Mustache

/// Writes the text of mails: each from its template, `mail-….mustache`, whose first line is the subject.
///
/// Templates of mails are plain text. What people and clients choose, such as names, is one short line without anything
/// that programs show as a link, so that nobody sends advertisements through it.
package struct MailTemplates: MailComposer {
    private let library: MustacheLibrary
    private let product: String
    private let publicURL: String
    private let supportURL: String?

    /// Parses the templates.
    ///
    /// - Throws: the parser's error where one is malformed.
    package init(brand: Brand, publicURL: PublicURL) throws {
        var library = MustacheLibrary()
        for template in Template.all where template.isOfMail {
            try library.register(template.text, named: template.name)
        }
        self.library = library
        product = MailFacts.line(brand.productName.description)
        self.publicURL = publicURL.description
        supportURL = brand.supportURL?.description
    }

    package func compose(_ content: MailContent) -> MailText {
        let facts = MailFacts(content, product: product, publicURL: publicURL, supportURL: supportURL)
        let text = library.render(facts, withTemplate: "mail-\(content.kind.rawValue)") ?? ""
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: true)
        let body = parts.dropFirst().first.map(String.init) ?? ""
        return MailText(
            subject: product + (parts.first.map { ": \($0)" } ?? ""), body: String(body.drop { $0 == "\n" }))
    }
}

/// What templates of mails can say.
struct MailFacts: Sendable {
    /// What the product is called.
    let product: String
    /// Where the mail goes.
    let email: String
    /// When it happened, such as `2026-01-31 09:05 UTC`.
    let time: String
    /// From where; nil where it came from no client.
    let address: String?
    /// With which browser; nil where that is not known.
    let device: String?
    /// The link; nil where there is none.
    let link: String?
    /// How long it works, such as `1 hour`.
    let life: String
    /// Where the account's page is, and the dashboard.
    let account: String
    let dashboard: String
    /// To what somebody invites, who that is, and what the person becomes.
    let workspace: String?
    let inviter: String?
    let inviterEmail: String?
    let role: String?
    /// What else there is to say.
    let detail: String?
    /// What a notice of a webhook tells.
    let webhook: WebhookFacts?
    /// Where help is.
    let supportURL: String?

    init(_ content: MailContent, product: String, publicURL: String, supportURL: String?) {
        let mail = content.mail
        self.product = product
        email = content.recipient.rawValue
        let time = mail.at.description
        self.time = "\(time.prefix(10)) \(time.dropFirst(11).prefix(5)) UTC"
        address = mail.address?.displayName
        device = mail.userAgent.map { Self.line(BrowserName.describe($0)) }
        link = content.code.map { publicURL + Self.path(of: content.kind) + "?code=" + $0 }
        life = Self.words(content.linkLife)
        account = publicURL + "/account"
        dashboard = publicURL + "/"
        workspace = content.invitation?.workspaceName.map { Self.line($0) }
        inviter = content.invitation?.inviter.map { Self.line($0.name) }
        inviterEmail = content.invitation?.inviter?.email.rawValue
        role = content.invitation?.invitation.role.rawValue
        webhook = WebhookFacts(mail, publicURL: publicURL)
        detail = webhook == nil ? mail.detail.map { Self.line($0) } : nil
        self.supportURL = supportURL
    }

    /// A webhook and the attempt behind which its notice was sent.
    struct WebhookFacts: Sendable {
        let name: String
        let event: String
        let message: String
        let attempt: String
        let outcome: String
        /// Where the delivery is shown.
        let delivery: String

        init?(_ mail: OutgoingMail, publicURL: String) {
            guard mail.kind.topic == .webhooks, let detail = mail.detail else { return nil }
            let parts = detail.split(separator: "\n", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 6 else { return nil }
            name = MailFacts.line(parts[5])
            // Ids, numbers and names of events hold nothing that makes a link.
            (event, message, attempt, outcome) = (parts[3], parts[1], parts[2], parts[4])
            delivery = "\(publicURL)/workspaces/\(parts[0])/deliveries/\(parts[1])"
        }
    }

    private static func path(of kind: MailKind) -> String {
        switch kind {
        case .resetPassword: Routes.resetPassword
        case .invitation: "/invitations"
        default: Routes.verifyEmail
        }
    }

    /// `24 hours`, `7 days`.
    private static func words(_ life: Duration) -> String {
        let count = (life.components.seconds + 1_800) / 3_600
        switch count {
        case ..<2: return "1 hour"
        case 49...: return "\(count / 24) days"
        default: return "\(count) hours"
        }
    }

    /// A text that somebody chose, as a part of one line: at most 60 characters, none of which orders anything or makes a
    /// link of what stands around it.
    static func line(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
                line.append(" ")
            default:
                switch scalar {
                case "/", "\\", ":", "@", "<", ">": line.append(" ")
                // Looks the same, and is part of no host name.
                case ".": line.append("\u{2024}")
                default: line.unicodeScalars.append(scalar)
                }
            }
        }
        let words = line.split(separator: " ").joined(separator: " ")
        return words.count <= 60 ? words : words.prefix(59) + "…"
    }
}
