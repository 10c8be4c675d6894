/// Addresses of accounts: verified by a link in a mail, and changed by one.
package final class EmailService: Sendable {
    private let context: ServiceContext
    private let propagation: any ChangePropagation
    private let node: Node?

    init(context: ServiceContext, propagation: any ChangePropagation, node: Node?) {
        self.context = context
        self.propagation = propagation
        self.node = node
    }

    /// Whether mails are sent.
    package var isOn: Bool { context.settings.isMailOn }

    /// What a link is good for.
    package enum Found: Sendable {
        /// It makes this address the account's, verified.
        case usable(MailLink, User)
        /// It was used: the address is verified.
        case used(EmailAddress)
        /// It has expired, or the address is not the account's, or not wanted, any more.
        case ended
        /// Nobody made it here.
        case none
    }

    /// The address that the holder of an account wants and has not verified yet.
    package func wanted(by user: User) async throws -> EmailAddress? {
        try await context.store.wantedEmail(of: user.id, now: context.clocks.wall())
    }

    /// Sends another mail that verifies the account's address.
    ///
    /// - Throws: `CONFLICT` where it is verified.
    package func askForVerification(
        of signedIn: SessionService.SignedIn, from address: IPAddress
    ) async throws {
        let (user, authority) = (signedIn.account.user, signedIn.authority(from: address))
        guard !user.isEmailVerified else { throw KeybearerError(.conflict, "The address is verified already.") }
        try await context.store.askForVerification(
            of: user.id, by: authority, audit: context.event(.emailVerificationAsked, by: authority, user: user.id))
    }

    /// Sends a link to another address. The account keeps the one that it has until the link is used.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `email`; `FORBIDDEN` where the sign-in is not recent.
    package func askForChange(
        to text: String, of signedIn: SessionService.SignedIn, from address: IPAddress
    ) async throws {
        let (user, authority) = (signedIn.account.user, signedIn.authority(from: address))
        let email: EmailAddress
        do {
            email = try EmailAddress(parsing: text)
        } catch {
            throw KeybearerError.validation(["email": error.message])
        }
        guard email != user.email else {
            throw KeybearerError.validation(["email": "This is your address already."])
        }
        let audit = context.event(.emailChangeAsked, by: authority, user: user.id)
        // Accounts whose own address is not verified are free: they are counted by where they come from.
        let requester = user.isEmailVerified ? nil : NewMail.requester(at: address)
        try await context.store.askForEmailChange(
            of: user.id, to: email, by: authority, audit: audit,
            mail: NewMail(.changeEmail, to: .address(email, of: user.id), of: audit, requester: requester))
    }

    /// What a code is good for. It changes nothing, so that a mail scanner or a preview can look.
    ///
    /// - Throws: `UNAVAILABLE`, also for a tag that is not recognised by a server that may lack a master key.
    package func find(_ code: MailCode) async throws -> Found {
        switch context.origin(of: code.characters, kind: .mailLink, at: node) {
        case .genuine: break
        case .forged: return .none
        case .unknown: throw KeybearerError.unavailable()
        }
        let found = try await context.store.mailLink(codeDigest: code.digest, now: context.clocks.wall())
        guard let (link, now) = found, let userID = link.userID,
            [.verifyEmail, .changeEmail].contains(link.purpose)
        else { return .none }
        guard let user = try await context.store.account(id: userID)?.user, user.status == .active else {
            return .ended
        }
        if link.usedAt != nil { return user.email == link.email && user.isEmailVerified ? .used(link.email) : .ended }
        guard link.isUsable(at: now) else { return .ended }
        let isWanted =
            link.purpose == .verifyEmail
            ? user.email == link.email && !user.isEmailVerified
            : try await context.store.wantedEmail(of: userID, now: context.clocks.wall()) == link.email
        return isWanted ? .usable(link, user) : .ended
    }

    /// Uses the link to another address up, as whoever reads its mail; returns when every node knows the address.
    ///
    /// - Returns: what the link is good for now: ``Found/used(_:)`` where it did what it is for.
    /// - Throws: `CONFLICT` where the address has become another account's meanwhile.
    package func use(_ code: MailCode, from address: IPAddress) async throws -> Found {
        let found = try await find(code)
        guard case .usable(let link, let user) = found, link.purpose == .changeEmail else { return found }
        let authority = Authority(.anyone, from: address)
        let audit = context.event(.emailChanged, by: authority, user: user.id)
        // An address that was never verified may be a stranger's.
        let notice =
            user.isEmailVerified && audit.isMailed
            ? NewMail(.emailChanged, to: .address(user.email, of: user.id), of: audit) : nil
        return try await use(link, code, by: authority, audit, notice)
    }

    /// Uses the link up that verifies the account's own address. It takes the mail and the account's session: whoever has
    /// the mail alone may be somebody with whose address a stranger signed up, and must not vouch for that account.
    ///
    /// - Returns: as ``use(_:from:)``; ``Found/ended`` for the link of another account.
    package func confirm(
        _ code: MailCode, of signedIn: SessionService.SignedIn, from address: IPAddress
    ) async throws -> Found {
        let found = try await find(code)
        guard case .usable(let link, let user) = found else { return found }
        guard link.purpose == .verifyEmail, user.id == signedIn.account.user.id else { return .ended }
        let authority = signedIn.authority(from: address)
        return try await use(
            link, code, by: authority, context.event(.emailVerified, by: authority, user: user.id), nil)
    }

    private func use(
        _ link: MailLink, _ code: MailCode, by authority: Authority, _ audit: AuditEvent, _ notice: NewMail?
    ) async throws -> Found {
        let isDone = await propagation.waitUntilApplied(
            try await context.store.useEmailLink(
                link, codeDigest: code.digest, by: authority, audit: audit, notice: notice))
        return isDone ? .used(link.email) : .ended
    }
}
