/// What takes mails to the world.
package protocol MailTransport: Sendable {
    /// Hands a mail over.
    ///
    /// - Parameter message: headers and body.
    func send(_ message: [UInt8]) async throws(MailFailure)
}

/// A mail could not be handed over.
package struct MailFailure: Error, Sendable, CustomStringConvertible {
    /// What was wrong, for the operator alone. It names nobody: what looks like an address is left out.
    package let description: String
    /// Whether another attempt would fail as well.
    package let isFinal: Bool

    /// - Parameter description: cut to 300 characters, on one line.
    package init(_ description: String, isFinal: Bool = false) {
        let words = description.split(whereSeparator: \.isWhitespace).map { word in
            word.contains("@") ? "<address>" : String(word.filter { !$0.unicodeScalars.contains(where: \.isControl) })
        }
        self.description = String(words.joined(separator: " ").prefix(300))
        self.isFinal = isFinal
    }
}

/// Writes what a mail says.
package protocol MailComposer: Sendable {
    /// The text of a mail.
    func compose(_ content: MailContent) -> MailText
}

/// What a mail says: a subject of one line, and a body of plain text.
package struct MailText: Sendable, Hashable {
    package let subject: String
    package let body: String

    /// Puts both together.
    package init(subject: String, body: String) {
        self.subject = subject
        self.body = body
    }
}

/// What there is to say in a mail.
package struct MailContent: Sendable {
    /// Which mail it is: one that asks to reset a password may turn out to be one that verifies an address.
    package let kind: MailKind
    /// The mail of the outbox.
    package let mail: OutgoingMail
    /// Where it goes. To reset a password: the address as the account has it, whatever was typed.
    package var recipient: EmailAddress
    /// The code of its link. It is in no other place than the mail.
    package var code: String?
    /// How long the link works.
    package var linkLife: Duration = .zero
    /// The invitation that it is about.
    package var invitation: InvitationRecord?

    /// Puts it together.
    package init(_ kind: MailKind, _ mail: OutgoingMail) {
        self.kind = kind
        self.mail = mail
        recipient = mail.recipient
    }
}

/// How a server's mails are made and where they go.
package struct MailDelivery: Sendable {
    /// Where they come from.
    package let sender: MailSender
    package let composer: any MailComposer
    package let transport: any MailTransport

    /// Puts the parts together.
    package init(sender: MailSender, composer: any MailComposer, transport: any MailTransport) {
        self.sender = sender
        self.composer = composer
        self.transport = transport
    }

    /// Sends a mail that says nothing but that mails go out.
    package func test(
        to recipient: EmailAddress, clocks: Clocks = .system, random: RandomSource = .system
    ) async throws(MailFailure) {
        let mail = OutgoingMail(
            id: .random(from: random), kind: .test, userID: nil, recipient: recipient, at: clocks.wall(),
            nextAttemptAt: nil)
        let message = MailMessage(to: recipient, composer.compose(MailContent(.test, mail)))
        try await transport.send(try message.encoded(from: sender, id: mail.id.rawValue, at: mail.at))
    }
}

extension Unicode.Scalar {
    /// Whether it is no character but an order to whatever shows the text.
    var isControl: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
