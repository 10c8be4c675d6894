/// Which mail tells a person what.
package enum MailKind: String, Sendable, Hashable, CaseIterable {
    case verifyEmail = "verify-email"
    case changeEmail = "change-email"
    case resetPassword = "reset-password"
    case invitation
    case newSignIn = "new-sign-in"
    case keyRevealed = "key-revealed"
    case keyRegenerated = "key-regenerated"
    case keyRevoked = "key-revoked"
    case keyNewAddress = "key-new-address"
    case passwordChanged = "password-changed"
    case emailChanged = "email-changed"
    case secondFactorAdded = "second-factor-added"
    case secondFactorRemoved = "second-factor-removed"
    case secondFactorReset = "second-factor-reset"
    case recoveryCodesReplaced = "recovery-codes-replaced"
    case quotaNear = "quota-near"
    case quotaReached = "quota-reached"
    case webhookFailing = "webhook-failing"
    case webhookDisabled = "webhook-disabled"
    case webhookRecovered = "webhook-recovered"
    /// To see whether mails go out.
    case test

    /// What mails of a kind are counted with, so that nobody gets too many of them, and those of one kind leave room for
    /// those of another.
    package enum Topic: String, Sendable, Hashable, CaseIterable {
        case verification
        case reset
        case invitation
        case notice
        case usage
        case newAddresses = "new-addresses"
        case webhooks

        /// How many go to one address in 24 hours.
        package var mostPerDay: Int {
            switch self {
            case .verification, .reset, .webhooks: 20
            case .invitation, .usage, .newAddresses: 10
            case .notice: 40
            }
        }
    }

    /// Whether it tells of the key that an account has, so that for a service account the Owners of its workspace get it.
    package var isOfKeys: Bool {
        [.keyRegenerated, .keyRevoked, .keyNewAddress, .quotaNear, .quotaReached].contains(self)
    }

    /// How many of those that a request can cause go to one address by one requester in 24 hours: whoever asks for
    /// somebody else's links uses up their own share, and leaves the other's.
    package static let mostForRequester = 5

    /// What it is counted with.
    package var topic: Topic {
        switch self {
        case .verifyEmail, .changeEmail: .verification
        case .resetPassword: .reset
        case .invitation: .invitation
        case .quotaNear, .quotaReached: .usage
        case .keyNewAddress: .newAddresses
        case .webhookFailing, .webhookDisabled, .webhookRecovered: .webhooks
        default: .notice
        }
    }

    /// How long it is tried for. What says a link is of no use days later.
    package var life: Duration {
        switch self {
        case .resetPassword: .seconds(6 * 3_600)
        default: .seconds(72 * 3_600)
        }
    }

    /// The mail that tells the holder of an account of an event; nil where none does.
    package init?(_ event: AuditEvent) {
        switch event.action {
        // Whoever signs up; what an operator makes has the operator's word for its address.
        case .userCreated where event.actor == .system, .emailVerificationAsked: self = .verifyEmail
        case .keyRegenerated: self = .keyRegenerated
        case .keyRevoked: self = .keyRevoked
        case .passwordChanged, .passwordReset: self = .passwordChanged
        case .secondFactorAdded: self = .secondFactorAdded
        case .secondFactorRemoved:
            self = event.userID.map { event.actor == .user($0) } ?? false ? .secondFactorRemoved : .secondFactorReset
        case .recoveryCodesReplaced: self = .recoveryCodesReplaced
        default: return nil
        }
    }
}
