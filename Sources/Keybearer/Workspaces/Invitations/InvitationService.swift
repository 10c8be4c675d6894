/// Brings people into workspaces by invitations.
public final class InvitationService: Sendable {
    private let context: ServiceContext
    private let propagation: any ChangePropagation
    private let node: Node?

    init(context: ServiceContext, propagation: any ChangePropagation, node: Node?) {
        self.context = context
        self.propagation = propagation
        self.node = node
    }

    /// Whether whoever is invited gets a mail.
    package var isMailOn: Bool { context.settings.isMailOn }

    /// Those of a workspace that wait, and those that carry a request, the newest first.
    public func list(of id: WorkspaceID) async throws -> [InvitationRecord] {
        try await context.store.invitations(of: id, now: context.clocks.wall())
    }

    /// Invites somebody. The code is in this answer and nowhere else; where mails are sent, one takes a code of its own to
    /// the address. It says who invites: whose own address is not verified, in whose name nothing is sent.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `email`; `FORBIDDEN`; `CONFLICT` where 50 wait.
    public func invite(
        _ email: String, as role: Role, to id: WorkspaceID, by inviter: User, authority: Authority
    ) async throws -> (invitation: Invitation, code: InvitationCode, isMailed: Bool) {
        let address: EmailAddress
        do {
            address = try EmailAddress(parsing: email)
        } catch {
            throw KeybearerError.validation(["email": error.message])
        }
        let now = context.clocks.wall()
        let (code, record) = InvitationCode.mint(from: context.vault.current, random: context.random)
        let invitation = Invitation(
            id: .random(from: context.random), workspaceID: id, email: address, role: role, inviterID: inviter.id,
            createdAt: now, expiresAt: now.advanced(by: Invitation.life))
        let audit = context.event(
            .invitationCreated, by: authority, workspace: id, detail: "\(invitation.id) \(role.rawValue)")
        let mail = NewMail(.invitation, to: .address(address, of: nil), of: audit, invitationID: invitation.id)
        let isMailed = audit.isMailed && inviter.isEmailVerified
        let stamped = try await context.store.createInvitation(
            invitation, code: record, by: authority,
            needs: Requirement(role == .owner ? .manageOwners : .inviteMembers, in: id), audit: audit,
            mail: isMailed ? mail : nil)
        return (stamped, code, isMailed)
    }

    /// Withdraws an invitation, and answers the request that it carries. One that makes an Owner is an Owner's to
    /// withdraw.
    ///
    /// - Throws: `NOT_FOUND`; `FORBIDDEN`.
    public func withdraw(_ invitation: InvitationID, of id: WorkspaceID, by authority: Authority) async throws {
        // The role of an invitation never changes.
        let role = try await context.store.invitation(id: invitation, now: context.clocks.wall())?.record.invitation
            .role
        try await context.store.withdrawInvitation(
            invitation, of: id, by: authority,
            needs: Requirement(role == .owner ? .manageOwners : .inviteMembers, in: id),
            audit: context.event(.invitationWithdrawn, by: authority, workspace: id, detail: invitation.rawValue))
    }

    /// Dismisses the request for another invitation that came with one. The invitation itself stays as it is: whoever asked
    /// may be somebody else than it is for.
    ///
    /// - Throws: `NOT_FOUND`; `FORBIDDEN`.
    public func dismissRequest(
        with invitation: InvitationID, of id: WorkspaceID, by authority: Authority
    ) async throws {
        try await context.store.dismissInvitationRequest(
            with: invitation, of: id, by: authority, needs: Requirement(.inviteMembers, in: id),
            audit: context.event(
                .invitationRequestDismissed, by: authority, workspace: id, detail: invitation.rawValue))
    }

    /// Whether a code was not made here: told from memory, so that a forgery never reaches the store.
    package func isForged(_ code: InvitationCode) -> Bool {
        context.origin(of: code.characters, kind: .invitation, at: node) == .forged
    }

    /// What a code is good for. It changes nothing, so that a mail scanner or a preview can look.
    ///
    /// - Returns: nil for one that nobody made here.
    /// - Throws: `UNAVAILABLE`, also for a tag that is not recognised by a server that may lack a master key.
    public func find(_ code: InvitationCode) async throws -> (record: InvitationRecord, end: InvitationEnd?)? {
        guard try isOurs(code) else { return nil }
        let found = try await context.store.invitation(codeDigest: code.digest, now: context.clocks.wall())
        return found.map { ($0.record, $0.record.end(at: $0.now)) }
    }

    /// Makes somebody a member by an invitation; returns when it holds on every node.
    ///
    /// Address, role and the inviter's right are looked at in the transaction that uses it up.
    ///
    /// - Throws: what a new request would get when the session has ended; `UNAVAILABLE`.
    public func accept(
        _ code: InvitationCode, as userID: UserID, by authority: Authority
    ) async throws -> (outcome: InvitationAcceptance, workspaceID: WorkspaceID?) {
        guard let (record, _) = try await find(code) else { return (.unknown, nil) }
        let invitation = record.invitation
        let outcome = await propagation.waitUntilApplied(
            try await context.store.acceptInvitation(
                invitation, codeDigest: code.digest, as: userID, by: authority,
                audit: context.event(
                    .invitationAccepted, by: authority, user: userID, workspace: invitation.workspaceID,
                    detail: "\(invitation.id) \(invitation.role.rawValue)")))
        return (outcome, invitation.workspaceID)
    }

    /// Asks the Owners and Admins for another invitation, as whoever has the link of one.
    ///
    /// - Parameters:
    ///   - email: the address of the account that is signed in; nil asks for the invitation's.
    ///   - address: where the request comes from.
    /// - Returns: nil where there is nobody to ask; false where it was asked a short time ago.
    public func requestAnother(
        _ code: InvitationCode, for email: EmailAddress?, from address: IPAddress
    ) async throws -> Bool? {
        guard let (record, _) = try await find(code) else { return nil }
        return try await context.store.requestInvitation(
            codeDigest: code.digest, for: email.map { EmailAddress($0.rawValue) ?? $0 },
            audit: context.event(
                .invitationRequested, by: Authority(.anyone, from: address), workspace: record.invitation.workspaceID,
                detail: record.invitation.id.rawValue))
    }

    private func isOurs(_ code: InvitationCode) throws(KeybearerError) -> Bool {
        switch context.origin(of: code.characters, kind: .invitation, at: node) {
        case .genuine: true
        case .forged: false
        case .unknown: throw KeybearerError.unavailable()
        }
    }
}
