/// A mail that goes into the outbox with the transaction of what it tells. It holds no text and no secret: both are made
/// when it is sent.
package struct NewMail: Sendable, Hashable {
    /// To whom it goes.
    package enum Recipient: Sendable, Hashable {
        /// To the holder of an account, at the address that the account has in that transaction, where it is verified; or,
        /// to verify it, where it is not.
        case holder(UserID)
        /// To each Owner and Admin of a workspace whose address is verified.
        case managers(of: WorkspaceID)
        /// To an address.
        case address(EmailAddress, of: UserID?)
    }

    /// Names it, also towards its receiver. One with the id of another is none.
    package let id: MailID
    /// What it tells.
    package let kind: MailKind
    /// To whom it goes.
    package let recipient: Recipient
    /// When that was.
    package let at: Timestamp
    /// Who caused it, where somebody can cause mails to others: an account's id, or the network of a client that is not
    /// signed in. No requester causes more than ``MailRules/mostPerRequester`` in 24 hours.
    package let requester: String?
    /// The invitation that it is about.
    package let invitationID: InvitationID?
    /// Where the request came from; nil where it came from no client.
    package let address: IPAddress?
    /// What the client says it is.
    package let userAgent: String?
    /// What else it says: never a secret.
    package let detail: String?

    /// Puts a mail together.
    package init(
        id: MailID, _ kind: MailKind, to recipient: Recipient, at: Timestamp, requester: String? = nil,
        invitationID: InvitationID? = nil, address: IPAddress? = nil, userAgent: String? = nil, detail: String? = nil
    ) {
        self.id = id
        self.kind = kind
        self.recipient = recipient
        self.at = at
        self.requester = requester
        self.invitationID = invitationID
        self.address = address
        self.userAgent = userAgent
        self.detail = detail
    }

    /// A mail that belongs to an event and tells something else than ``init(of:)`` would.
    package init(
        _ kind: MailKind, to recipient: Recipient, of event: AuditEvent, invitationID: InvitationID? = nil,
        requester: String? = nil, detail: String? = nil
    ) {
        self.init(
            id: MailID(rawValue: MailID.prefix + event.id.rawValue.dropFirst(EventID.prefix.count)), kind,
            to: recipient, at: event.at, requester: requester ?? Self.requester(kind, event),
            invitationID: invitationID,
            address: event.address == .localSocket ? nil : event.address, userAgent: event.origin?.userAgent,
            detail: detail)
    }

    /// The mail that tells the holder of an account of an event; nil where none does.
    package init?(of event: AuditEvent) {
        guard event.isMailed, let kind = MailKind(event), let userID = event.userID else { return nil }
        self.init(kind, to: .holder(userID), of: event)
    }

    /// The warning of a level of the rate limit: one for each account, level and hour, whichever node sees it.
    package init?(_ level: QuotaLevel, of userID: UserID, at time: Timestamp) {
        guard level != .normal else { return nil }
        self.init(
            id: .oncePerHour("\(userID) \(level.rawValue) \(time.millisecondsSinceEpoch / 3_600_000)"),
            level == .reached ? .quotaReached : .quotaNear, to: .holder(userID), at: time)
    }

    /// Who is counted for a mail. Notices of what somebody did with their own account have nobody.
    private static func requester(_ kind: MailKind, _ event: AuditEvent) -> String? {
        guard [.verification, .reset, .invitation].contains(kind.topic) else { return nil }
        if case .user(let id) = event.actor { return id.rawValue }
        return event.address.map { requester(at: $0) }
    }

    /// The requester of a client that is not signed in.
    package static func requester(at address: IPAddress) -> String { "net \(address.throttlingNetwork)" }
}
