/// Which mail tells a person what.
package enum MailKind: String, Sendable, Hashable, CaseIterable {
    case keyRegenerated = "key-regenerated"
    case keyRevoked = "key-revoked"
    case passwordChanged = "password-changed"
    case secondFactorAdded = "second-factor-added"
    case secondFactorRemoved = "second-factor-removed"
    case recoveryCodesReplaced = "recovery-codes-replaced"

    /// The mail that tells of an action; nil where none does.
    package init?(_ action: AuditEvent.Action) {
        switch action {
        case .keyRegenerated: self = .keyRegenerated
        case .keyRevoked: self = .keyRevoked
        case .passwordChanged: self = .passwordChanged
        case .secondFactorAdded: self = .secondFactorAdded
        case .secondFactorRemoved: self = .secondFactorRemoved
        case .recoveryCodesReplaced: self = .recoveryCodesReplaced
        default: return nil
        }
    }
}

/// A mail that waits in the outbox. Its text is made when it is sent.
package struct OutgoingMail: Sendable, Hashable {
    /// Names it, also towards the receiver: one that is sent twice has one id.
    package let id: MailID
    /// Whom it is about: it goes with the account.
    package let userID: UserID
    /// What it tells.
    package let kind: MailKind
    /// Where the person was reached when it happened.
    package let recipient: EmailAddress
    /// When that was.
    package let at: Timestamp
    /// Where the request came from; nil where it came from no client.
    package let address: IPAddress?
    /// How often it was tried.
    package let attempts: Int
    /// When it is tried next; nil where that was given up.
    package let nextAttemptAt: Timestamp?
    /// What the mail program said last.
    package let problem: String?

    /// Puts a mail together.
    package init(
        id: MailID, userID: UserID, kind: MailKind, recipient: EmailAddress, at: Timestamp, address: IPAddress?,
        attempts: Int = 0, nextAttemptAt: Timestamp?, problem: String? = nil
    ) {
        self.id = id
        self.userID = userID
        self.kind = kind
        self.recipient = recipient
        self.at = at
        self.address = address
        self.attempts = attempts
        self.nextAttemptAt = nextAttemptAt
        self.problem = problem
    }
}

/// How mails are tried again, and how many there may be.
package enum MailRules {
    /// How long a node may take for some of them before another tries them.
    package static let claim: Duration = .seconds(300)
    /// How many are taken at a time: together they take less time than the claim lasts.
    static let mostAtOnce = 5
    /// How many wait for one account at most; what comes on top is not written.
    package static let mostPerAccount = 20
    /// How long a mail is kept at most, sent or not.
    package static let memory: Duration = .seconds(10 * 24 * 3_600)

    /// How long to wait behind a failure; nil when it is given up, about two days behind the first one.
    ///
    /// - Parameter attempts: how many failed.
    package static func delay(after attempts: Int) -> Duration? {
        let minutes: [Int64] = [1, 5, 15, 60, 180, 360, 720, 1_440]
        return attempts <= minutes.count ? .seconds(minutes[max(0, attempts - 1)] * 60) : nil
    }
}

/// What takes mails to the world.
package protocol MailTransport: Sendable {
    /// Hands a mail over.
    ///
    /// - Parameter message: headers and body.
    func send(_ message: [UInt8]) async throws(MailFailure)
}

/// A mail could not be handed over.
package struct MailFailure: Error, Sendable, CustomStringConvertible {
    /// What the mail program said, for the operator alone.
    package let description: String

    /// - Parameter description: cut to 500 characters.
    package init(_ description: String) {
        self.description = String(description.prefix(500))
    }
}
