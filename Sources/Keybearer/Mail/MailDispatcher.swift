import Logging

/// Sends what is in the outbox. Every node does; the claims see to it that one mail is one node's at a time.
final class MailDispatcher: Sendable {
    /// How often the outbox is looked at.
    static let interval: Duration = .seconds(1)

    private let context: ServiceContext
    private let delivery: MailDelivery?
    private let links: MailLinks
    private let logger: Logger

    /// - Parameter delivery: nil leaves everything in the outbox.
    init(context: ServiceContext, delivery: MailDelivery?, logger: Logger) {
        self.context = context
        self.delivery = delivery
        links = MailLinks(context: context)
        self.logger = logger
    }

    /// Sends the mails that are due. What fails is tried again later, by whichever node comes first.
    func sendDue() async {
        guard let delivery else { return }
        while !Task.isCancelled {
            let claim = context.random.bytes(16)
            let due = try? await context.store.claimMails(
                claim, limit: MailRules.mostAtOnce, now: context.clocks.wall())
            guard let due, !due.isEmpty else { return }
            await withTaskGroup(of: Void.self) { group in
                for (index, mail) in due.enumerated() {
                    if index >= MailRules.mostConcurrently { await group.next() }
                    // What is claimed and not sent is another node's when the claim runs out.
                    if Task.isCancelled { break }
                    group.addTask { await self.send(mail, claim, by: delivery) }
                }
            }
        }
    }

    private func send(_ mail: OutgoingMail, _ claim: [UInt8], by delivery: MailDelivery) async {
        do {
            guard let content = try await links.content(of: mail, claim) else {
                return await end(mail, claim, .void)
            }
            let message = MailMessage(to: content.recipient, delivery.composer.compose(content))
            let now = context.clocks.wall()
            try await delivery.transport.send(
                try message.encoded(from: delivery.sender, id: mail.id.rawValue, at: now))
            await end(mail, claim, .sent)
        } catch {
            await fail(mail, claim, error as? MailFailure ?? MailFailure("Keybearer could not prepare it."))
        }
    }

    /// A store that is out of reach leaves the mail claimed; it is tried again when the claim has run out.
    private func end(
        _ mail: OutgoingMail, _ claim: [UInt8], _ outcome: OutgoingMail.Outcome, problem: String? = nil
    ) async {
        let isOurs = try? await context.store.endMail(
            mail.id, claim: claim, outcome, problem: problem, now: context.clocks.wall())
        context.metrics.recordMail(MailTry(outcome))
        log(mail, isOurs == true ? .info : .warning, outcome.rawValue, problem)
    }

    private func fail(_ mail: OutgoingMail, _ claim: [UInt8], _ failure: MailFailure) async {
        let age = max(.zero, mail.at.duration(to: context.clocks.wall()))
        let delay = MailRules.delay(after: mail.attempts + 1, age: age, life: mail.kind.life)
        guard let delay, !failure.isFinal else {
            return await end(mail, claim, .givenUp, problem: failure.description)
        }
        context.metrics.recordMail(.failed)
        try? await context.store.postponeMail(
            mail.id, claim: claim, by: delay, problem: failure.description, now: context.clocks.wall())
        log(mail, .warning, "failed", failure.description)
    }

    /// Says how a mail fared, without whom it is to.
    private func log(_ mail: OutgoingMail, _ level: Logger.Level, _ outcome: String, _ problem: String?) {
        var metadata: Logger.Metadata = [
            "mail": "\(mail.id)", "kind": "\(mail.kind.rawValue)", "outcome": "\(outcome)",
            "attempt": "\(mail.attempts + 1)",
        ]
        if let problem { metadata["problem"] = "\(problem)" }
        logger.log(level: level, "A mail was tried.", metadata: metadata)
    }
}
