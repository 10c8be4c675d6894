import Crypto

/// A link in a mail: good for one use, for a limited time, for the address that it was sent to. Its code is in the mail
/// alone.
package struct MailLink: Sendable, Hashable {
    /// What it is good for.
    package enum Purpose: String, Sendable, Hashable, CaseIterable {
        /// The account's address is the holder's.
        case verifyEmail = "verify-email"
        /// The account gets the address that the mail went to.
        case changeEmail = "change-email"
        /// The account gets a new password.
        case resetPassword = "reset-password"
        /// A second code of an invitation.
        case invitation

        /// How long it works, counted from when it was sent.
        package var life: Duration {
            switch self {
            case .verifyEmail, .changeEmail: .seconds(24 * 3_600)
            case .resetPassword: .seconds(3_600)
            case .invitation: Invitation.life
            }
        }
    }

    /// What it is good for.
    package let purpose: Purpose
    /// Whose account it is about; nil for an invitation.
    package let userID: UserID?
    /// The address that it was sent to.
    package let email: EmailAddress
    /// The version of the password that it replaces; nil for other purposes.
    package let passwordVersion: Int?
    /// The invitation.
    package let invitationID: InvitationID?
    /// When it was sent.
    package let createdAt: Timestamp
    /// When it was used; nil for not yet.
    package let usedAt: Timestamp?

    /// Puts a link together.
    package init(
        _ purpose: Purpose, of userID: UserID?, sentTo email: EmailAddress, passwordVersion: Int? = nil,
        invitationID: InvitationID? = nil, createdAt: Timestamp, usedAt: Timestamp? = nil
    ) {
        self.purpose = purpose
        self.userID = userID
        self.email = email
        self.passwordVersion = passwordVersion
        self.invitationID = invitationID
        self.createdAt = createdAt
        self.usedAt = usedAt
    }

    /// When it ends unused.
    package var expiresAt: Timestamp { createdAt.advanced(by: purpose.life) }

    /// Whether it can be used.
    package func isUsable(at now: Timestamp) -> Bool { usedAt == nil && now < expiresAt }

    /// The same link, made at another time.
    package func stamped(_ time: Timestamp) -> MailLink {
        MailLink(
            purpose, of: userID, sentTo: email, passwordVersion: passwordVersion, invitationID: invitationID,
            createdAt: time)
    }

    /// How long an address is wanted: as long as its mail is tried for, and its link works.
    package static let wishLife = MailKind.changeEmail.life + Purpose.changeEmail.life
    /// How many codes of an app may be tried with one link.
    package static let mostAttempts = 10
    /// How long links are kept behind their end: until then they say that they have ended.
    package static let memory: Duration = .seconds(24 * 3_600)
}

/// The code of a link in a mail: 43 random base62 characters (256 bits) and ten of the ring's keyed tag, so that a forgery
/// is refused from memory. Prints as nothing but its kind.
package struct MailCode: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The characters, for the mail alone.
    let characters: String

    /// Accepts what was presented; nil when it cannot be one.
    package init?(parsing text: some StringProtocol) {
        guard TokenKind.mailLink.hasFormat(text) else { return nil }
        characters = String(text)
    }

    /// What the store knows it by.
    package var digest: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }

    package var description: String { "mail code" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Links in mails, and what they do.
package protocol MailLinkStore: Sendable {
    /// Keeps the digest of a new link's code, stamped by the clock that judges it, where the mail is still its sender's and
    /// the account still as it was read.
    ///
    /// - Parameter audit: what the log says of it; nil for nothing.
    /// - Returns: whether it is kept.
    func addMailLink(
        _ link: MailLink, code: MintedToken, of mail: MailID, claim: [UInt8], audit: AuditEvent?
    ) async throws -> Bool
    /// Whether an account whose address is not verified can be taken by whoever reads the mails to that address.
    func canTakeOverByMail(_ userID: UserID) async throws -> Bool
    /// The link with this code, with the time by the clock that judges it; also one that was used or has expired.
    func mailLink(codeDigest: [UInt8], now: Timestamp) async throws -> (link: MailLink, now: Timestamp)?
    /// Notes that the holder of an account wants another address, and sends a link there. Whether it is taken shows when
    /// the link is used.
    func askForEmailChange(
        of userID: UserID, to email: EmailAddress, by authority: Authority, audit: AuditEvent, mail: NewMail
    ) async throws
    /// Asks for another mail that verifies the account's address.
    func askForVerification(of userID: UserID, by authority: Authority, audit: AuditEvent) async throws
    /// The address that the holder of an account wants.
    func wantedEmail(of userID: UserID, now: Timestamp) async throws -> EmailAddress?
    /// Uses a link up that verifies an address: the account's, or a new one that becomes the account's.
    ///
    /// - Parameter notice: tells the address before of the change.
    /// - Returns: false where the link is of no use any more.
    func useEmailLink(
        _ link: MailLink, codeDigest: [UInt8], by authority: Authority, audit: AuditEvent, notice: NewMail?
    ) async throws -> Committed<Bool>
    /// Uses a link up that resets a password: all sessions of the account end.
    ///
    /// - Parameters:
    ///   - proof: what the account's second factor proves; nil where there is none.
    ///   - takeover: the key that takes the place of the live one where the account's address is not verified; nil where
    ///     it is.
    /// - Returns: false where the link is of no use any more.
    /// - Throws: `UNAUTHORIZED` where a code is wanted, or this one was used before.
    func resetPassword(
        to hash: String, by link: MailLink, codeDigest: [UInt8], proof: SecondFactorProof?,
        takeover: KeyReplacement?, authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Bool>
    /// Counts an attempt to give a code with a link.
    ///
    /// - Returns: false where there were too many.
    func countAttempt(ofMailLink digest: [UInt8]) async throws -> Bool
    /// Removes links that ended more than a day ago, and wishes for other addresses with them.
    func removeOldMailLinks(now: Timestamp) async throws
}
