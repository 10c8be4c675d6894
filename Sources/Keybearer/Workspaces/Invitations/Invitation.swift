/// An invitation to a workspace, for one address and one use. Its code was shown once.
public struct Invitation: Sendable, Hashable {
    /// Names the invitation; it is not the code.
    public let id: InvitationID
    /// The workspace to which it invites.
    public let workspaceID: WorkspaceID
    /// Whom it invites. Whoever accepts it has this address.
    public let email: EmailAddress
    /// What the person becomes.
    public let role: Role
    /// Who invites.
    public let inviterID: UserID
    /// When it was made.
    public let createdAt: Timestamp
    /// When it ends unused.
    public let expiresAt: Timestamp
    /// When it was withdrawn, or another one took its place; nil for not.
    public let withdrawnAt: Timestamp?
    /// Who accepted it; nil for nobody yet.
    public let acceptedBy: UserID?
    /// Who asks for another one; nil for nobody.
    public let request: InvitationRequest?

    /// Puts an invitation together.
    package init(
        id: InvitationID, workspaceID: WorkspaceID, email: EmailAddress, role: Role, inviterID: UserID,
        createdAt: Timestamp, expiresAt: Timestamp, withdrawnAt: Timestamp? = nil, acceptedBy: UserID? = nil,
        request: InvitationRequest? = nil
    ) {
        self.id = id
        self.workspaceID = workspaceID
        self.email = email
        self.role = role
        self.inviterID = inviterID
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.withdrawnAt = withdrawnAt
        self.acceptedBy = acceptedBy
        self.request = request
    }

    /// The same invitation, made at another time.
    package func stamped(_ time: Timestamp) -> Invitation {
        Invitation(
            id: id, workspaceID: workspaceID, email: email, role: role, inviterID: inviterID, createdAt: time,
            expiresAt: time.advanced(by: Self.life))
    }

    /// How long it can be accepted.
    public static let life: Duration = .seconds(7 * 24 * 3600)
    /// How many can wait in a workspace at the same time.
    package static let mostPending = 50
    /// How many that have ended a workspace keeps, so that their links say why.
    package static let mostEnded = 200
    /// How long they are kept behind their end.
    package static let memory: Duration = .seconds(30 * 24 * 3600)
    /// How soon another request on the same invitation counts.
    package static let requestInterval: Duration = .seconds(3600)

    /// Whether an account with this address is meant, in whatever spelling an earlier version stored it.
    package func isFor(_ address: EmailAddress) -> Bool { (EmailAddress(address.rawValue) ?? address) == email }

    /// Whether it waits for its answer.
    package func isPending(at now: Timestamp) -> Bool {
        withdrawnAt == nil && acceptedBy == nil && now < expiresAt
    }
}

/// Somebody who has a link that ended asks for another one.
public struct InvitationRequest: Sendable, Hashable {
    /// When it was asked for.
    public let at: Timestamp
    /// Who asks: the address of their account, or of the invitation.
    public let email: EmailAddress

    /// Puts both together.
    package init(at: Timestamp, email: EmailAddress) {
        self.at = at
        self.email = email
    }
}

/// An invitation with what decides about it, as one state of the database has it.
public struct InvitationRecord: Sendable, Hashable {
    /// Who invited, as far as they are still there.
    public struct Inviter: Sendable, Hashable {
        /// What they are called.
        public let name: String
        /// Where to write to them.
        public let email: EmailAddress
        /// Whether their account may be used.
        public let isActive: Bool
        /// Their role in the workspace; nil where they are no member any more.
        public let role: Role?

        package init(name: String, email: EmailAddress, isActive: Bool, role: Role?) {
            self.name = name
            self.email = email
            self.isActive = isActive
            self.role = role
        }
    }

    /// The invitation.
    public let invitation: Invitation
    /// What the workspace is called; nil where it is gone.
    public let workspaceName: String?
    /// Who invited; nil where the account is gone.
    public let inviter: Inviter?

    package init(_ invitation: Invitation, workspaceName: String?, inviter: Inviter?) {
        self.invitation = invitation
        self.workspaceName = workspaceName
        self.inviter = inviter
    }

    /// Why it cannot be accepted; nil where it can. The inviter's right is looked at as it is now.
    package func end(at now: Timestamp) -> InvitationEnd? {
        if workspaceName == nil { return .workspaceGone }
        if invitation.acceptedBy != nil { return .used }
        if invitation.withdrawnAt != nil { return .withdrawn }
        if now >= invitation.expiresAt { return .expired }
        guard let inviter, inviter.isActive, let role = inviter.role else { return .inviterGone }
        let needed: Action = invitation.role == .owner ? .manageOwners : .inviteMembers
        return Permissions.allows(role, needed) ? nil : .inviterMayNot
    }
}

/// Why an invitation cannot be accepted.
public enum InvitationEnd: Sendable, Hashable, CaseIterable {
    /// Somebody accepted it before.
    case used
    /// It was withdrawn, or a newer one took its place.
    case withdrawn
    /// Its seven days are over.
    case expired
    /// The workspace was deleted.
    case workspaceGone
    /// Who invited is no member any more, or their account is disabled or gone.
    case inviterGone
    /// Who invited may not give this role any more.
    case inviterMayNot
}
