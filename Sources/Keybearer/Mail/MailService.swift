import Logging

/// What mails say, and how they look.
package struct MailSettings: Sendable {
    /// Where they come from. Its name is the product's.
    package let sender: MailSender
    /// Where the dashboard is; nil where that is not known.
    package let dashboardURL: String?
    /// Where help is; nil where that is not known.
    package let supportURL: String?

    /// Puts the settings together.
    package init(sender: MailSender, dashboardURL: String?, supportURL: String?) {
        self.sender = sender
        self.dashboardURL = dashboardURL
        self.supportURL = supportURL
    }
}

/// Sends what is in the outbox, and shows it to the operator.
public final class MailService: Sendable {
    private let context: ServiceContext
    private let transport: (any MailTransport)?
    private let logger: Logger

    init(context: ServiceContext, transport: (any MailTransport)?, logger: Logger) {
        self.context = context
        self.transport = transport
        self.logger = logger
    }

    /// Sends the mails that are due, a few at a time. What fails is tried again later, by whichever node comes first.
    package func sendDue() async {
        guard let transport, let settings = context.settings.mail else { return }
        while !Task.isCancelled {
            let claim = context.random.bytes(16)
            let due = try? await context.store.claimMails(
                claim, limit: MailRules.mostAtOnce, now: context.clocks.wall())
            guard let due, !due.isEmpty else { return }
            for mail in due { await send(mail, claim, through: transport, settings) }
        }
    }

    private func send(
        _ mail: OutgoingMail, _ claim: [UInt8], through transport: any MailTransport, _ settings: MailSettings
    ) async {
        let text = MailText(mail, settings)
        let message = MailMessage(to: mail.recipient, subject: text.subject, body: text.body)
        var metadata: Logger.Metadata = ["mail": "\(mail.id)", "kind": "\(mail.kind.rawValue)"]
        do {
            guard let bytes = message.encoded(from: settings.sender, id: mail.id.rawValue, at: mail.at) else {
                throw MailFailure("the address cannot be written to")
            }
            try await transport.send(bytes)
            logger.info("A mail was handed over.", metadata: metadata)
            try? await context.store.removeSentMail(mail.id, claim: claim)
        } catch {
            let delay = MailRules.delay(after: mail.attempts + 1)
            metadata["attempts"] = "\(mail.attempts + 1)"
            // What the program said is in the outbox: it may name the person.
            logger.warning(
                delay == nil ? "A mail was given up." : "A mail was not handed over.", metadata: metadata)
            let problem = (error as? MailFailure)?.description ?? "\(error)"
            try? await context.store.postponeMail(
                mail.id, claim: claim, by: delay, problem: problem, now: context.clocks.wall())
        }
    }

    /// What is in the outbox, the oldest first.
    package func list(limit: Int) async throws -> [OutgoingMail] { try await context.store.mails(limit: limit) }

    /// Lets a mail be tried now, from its first attempt on.
    ///
    /// - Throws: `NOT_FOUND`.
    package func retry(_ id: MailID) async throws {
        guard try await context.store.retryMail(id, now: context.clocks.wall()) else { throw Self.noMail }
    }

    /// Removes a mail without sending it.
    ///
    /// - Throws: `NOT_FOUND`.
    package func drop(_ id: MailID) async throws {
        guard try await context.store.dropMail(id) else { throw Self.noMail }
    }

    private static let noMail = KeybearerError(.notFound, "There is no such mail in the outbox.")
}
