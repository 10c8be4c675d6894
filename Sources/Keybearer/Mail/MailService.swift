/// The outbox for the operator.
public final class MailService: Sendable {
    private let context: ServiceContext

    init(context: ServiceContext) {
        self.context = context
    }

    /// Whether mails are sent: without a mail program nothing is put into the outbox.
    package var isOn: Bool { context.settings.isMailOn }

    /// Adds a mail by itself.
    package func add(_ mail: NewMail) async throws { try await context.store.addMail(mail) }

    /// What is in the outbox, the newest first.
    package func list(limit: Int) async throws -> [OutgoingMail] { try await context.store.mails(limit: limit) }

    /// How many mails there are.
    package func counts() async throws -> MailCounts { try await context.store.mailCounts() }

    /// One of them.
    ///
    /// - Throws: `NOT_FOUND`.
    package func find(_ id: MailID) async throws -> OutgoingMail {
        guard let mail = try await context.store.mail(id) else { throw Self.noMail }
        return mail
    }

    /// Lets a mail be tried now that waits or was given up.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` for one that was sent.
    package func retry(_ id: MailID) async throws {
        let mail = try await find(id)
        guard try await context.store.retryMail(id, now: context.clocks.wall()) else {
            let isSent = mail.outcome == .sent
            throw KeybearerError(.conflict, isSent ? "This mail was sent." : "There is nothing to tell any more.")
        }
    }

    /// Removes a mail without sending it.
    ///
    /// - Throws: `NOT_FOUND`.
    package func drop(_ id: MailID) async throws {
        guard try await context.store.dropMail(id) else { throw Self.noMail }
    }

    private static let noMail = KeybearerError(.notFound, "There is no such mail in the outbox.")
}
