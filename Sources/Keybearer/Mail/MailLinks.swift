/// Makes what mails say that need more than their row in the outbox: their links are made when they are sent, so that no
/// code is ever stored.
struct MailLinks: Sendable {
    let context: ServiceContext

    /// What a mail says; nil where there is nothing to say any more.
    ///
    /// - Parameter claim: what the sender has taken the mail with.
    func content(of mail: OutgoingMail, _ claim: [UInt8]) async throws -> MailContent? {
        switch mail.kind {
        case .verifyEmail: return try await verification(mail, claim)
        case .changeEmail: return try await change(mail, claim)
        case .resetPassword: return try await reset(mail, claim)
        case .invitation: return try await invitation(mail, claim)
        default: return MailContent(mail.kind, mail)
        }
    }

    private func verification(_ mail: OutgoingMail, _ claim: [UInt8]) async throws -> MailContent? {
        guard let userID = mail.userID, let user = try await context.store.account(id: userID)?.user,
            user.status == .active, !user.isEmailVerified, user.email == mail.recipient
        else { return nil }
        return try await content(.verifyEmail, mail, claim, MailLink(.verifyEmail, of: userID, to: user.email, context))
    }

    private func change(_ mail: OutgoingMail, _ claim: [UInt8]) async throws -> MailContent? {
        guard let userID = mail.userID,
            try await context.store.wantedEmail(of: userID, now: context.clocks.wall()) == mail.recipient
        else { return nil }
        return try await content(
            .changeEmail, mail, claim, MailLink(.changeEmail, of: userID, to: mail.recipient, context))
    }

    /// Whoever typed the address may have had another spelling: the link goes where the account says. Where the address is
    /// not verified, somebody else may have signed up with it: the link takes the account from them, see
    /// ``PasswordResetService``. Two-step sign-in is never passed by, so that such an account with it gets none.
    private func reset(_ mail: OutgoingMail, _ claim: [UInt8]) async throws -> MailContent? {
        guard
            let found = try await context.store.credentials(email: EmailAddress.spellings(of: mail.recipient.rawValue)),
            found.account.user.status == .active, found.account.user.hasPassword
        else { return nil }
        let user = found.account.user
        guard user.isEmailVerified || !found.hasSecondFactor else { return nil }
        if !user.isEmailVerified, try await !context.store.canTakeOverByMail(user.id) { return nil }
        let authority = Authority(.anyone, from: mail.address)
        return try await content(
            .resetPassword, mail, claim,
            MailLink(
                .resetPassword, of: user.id, to: user.email, passwordVersion: found.password.version, context),
            audit: context.event(.passwordResetSent, by: authority, user: user.id))
    }

    private func invitation(_ mail: OutgoingMail, _ claim: [UInt8]) async throws -> MailContent? {
        guard let id = mail.invitationID,
            let (record, now) = try await context.store.invitation(id: id, now: context.clocks.wall()),
            record.end(at: now) == nil
        else { return nil }
        let (code, token) = InvitationCode.mint(from: context.vault.current, random: context.random)
        let link = MailLink(.invitation, of: nil, to: mail.recipient, invitationID: id, context)
        guard try await context.store.addMailLink(link, code: token, of: mail.id, claim: claim, audit: nil) else {
            return nil
        }
        var content = MailContent(.invitation, mail)
        (content.code, content.invitation) = (code.characters, record)
        content.linkLife = now.duration(to: record.invitation.expiresAt)
        return content
    }

    private func content(
        _ kind: MailKind, _ mail: OutgoingMail, _ claim: [UInt8], _ link: MailLink, audit: AuditEvent? = nil
    ) async throws -> MailContent? {
        let (characters, token) = context.vault.current.mint(.mailLink, random: context.random)
        guard try await context.store.addMailLink(link, code: token, of: mail.id, claim: claim, audit: audit) else {
            return nil
        }
        var content = MailContent(kind, mail)
        (content.code, content.linkLife, content.recipient) = (characters, link.purpose.life, link.email)
        return content
    }
}

extension MailLink {
    fileprivate init(
        _ purpose: Purpose, of userID: UserID?, to email: EmailAddress, passwordVersion: Int? = nil,
        invitationID: InvitationID? = nil, _ context: ServiceContext
    ) {
        self.init(
            purpose, of: userID, sentTo: email, passwordVersion: passwordVersion, invitationID: invitationID,
            createdAt: context.clocks.wall())
    }
}
