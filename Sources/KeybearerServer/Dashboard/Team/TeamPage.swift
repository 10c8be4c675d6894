import Keybearer

/// The page "Team": `GET /workspaces/{workspaceID}/team`, and the response to `POST …/invitations`, which shows the new
/// link once.
struct TeamPage: Page, Equatable {
    static let template = Template.team

    /// After somebody accepted an invitation.
    static let joined = Notice(.success, "You are a member of this workspace now.", query: "joined")
    /// After an invitation was accepted a second time.
    static let alreadyIn = Notice(.information, "You are already in.", query: "already")
    /// After a member got another role.
    static let roleChanged = Notice(.success, "Role changed.", query: "role")
    /// After a member was removed.
    static let removed = Notice(.success, "Member removed. Their key no longer passes here.", query: "removed")
    /// After a request for another invitation was dismissed.
    static let dismissed = Notice(.success, "Done. They get no new link.", query: "dismissed")
    /// After an invitation was withdrawn.
    static let withdrawn = Notice(.success, "Done. The link no longer works.", query: "withdrawn")

    /// How many members stand on a page.
    static let pageSize = 25

    /// A link that was made just now.
    struct Link: Sendable, Equatable {
        let email: String
        let url: String
        /// Whether a mail takes another one to the address.
        var isMailed = false
    }

    /// What was typed into the form that invites, and what is wrong with it.
    struct Typed: Sendable, Equatable {
        var email = ""
        var role = Role.member
        var problem: String?
    }

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path.
    let workspaceID: String
    /// What happened before this page.
    let notice: Notice?
    /// The link that was made just now.
    let link: Link?
    /// Whether the reader may invite.
    let canInvite: Bool
    /// What was typed as an address.
    let typedEmail: String
    /// What is wrong with it.
    let emailError: String?
    /// Whether the form was refused.
    let hasErrors: Bool
    /// The roles that the reader may give.
    let inviteRoles: [RoleOption]
    /// Who asks for another invitation; empty for who may not invite.
    let requests: [RequestRow]
    /// Whether there are any.
    let hasRequests: Bool
    /// Those that wait; empty for who may not invite.
    let invitations: [InvitationRow]
    /// Whether there are any.
    let hasInvitations: Bool
    /// The members of this page.
    let members: [MemberRow]
    /// How many there are, in words.
    let count: String
    /// What was searched for.
    let search: String
    /// Whether there is more than one page.
    let hasPages: Bool
    /// Which one this is.
    let pageText: String
    /// The one before; nil for none.
    let previousPath: String?
    /// The one behind; nil for none.
    let nextPath: String?
    /// Keys of service accounts that people have who have left; empty for who may not replace them.
    let seenKeys: [SeenKeyRow]
    /// Whether there are any.
    let hasSeenKeys: Bool
    /// Whether the reader may leave: the last Owner may not.
    let canLeave: Bool
    /// Whether each member has a link to what it did.
    let canSeeActivity: Bool

    /// What of the members is shown.
    struct Members: Sendable {
        let page: [(user: User, role: Role)]
        let total: Int
        let number: Int
        let search: String
    }

    /// Puts the page together.
    ///
    /// - Parameters:
    ///   - invitations: for a reader who may invite; those of others are left out.
    ///   - ownerCount: how many Owners the workspace has.
    init(
        shell: DashboardShell, access: WorkspaceAccess, reader: UserID, members: Members,
        invitations: [InvitationRecord], now: Timestamp, ownerCount: Int, seenKeys: [SeenKeyRow] = [],
        notice: Notice? = nil, link: Link? = nil, typed: Typed = Typed()
    ) {
        let id = access.workspace.id.rawValue
        self.shell = shell
        self.notice = notice
        self.link = link
        workspaceID = id
        canSeeActivity = Permissions.allows(access.role, .viewActivity)
        let mayInvite = Permissions.allows(access.role, .inviteMembers)
        canInvite = mayInvite
        (typedEmail, emailError, hasErrors) = (typed.email, typed.problem, typed.problem != nil)
        inviteRoles = RoleOption.all(for: access.role, selected: typed.role)
        let visible = mayInvite ? invitations : []
        requests = visible.compactMap { RequestRow($0) }
        hasRequests = !requests.isEmpty
        self.invitations = visible.compactMap { InvitationRow($0, readerRole: access.role, now: now) }
        hasInvitations = !self.invitations.isEmpty
        self.members = members.page.map { MemberRow($0.user, $0.role, reader: reader, readerRole: access.role) }
        search = members.search
        let found = members.total == 1 ? "1 member" : "\(QuotaMeter.grouped(members.total)) members"
        count = members.search.isEmpty ? found : "\(found) found"
        let last = max(1, (members.total + Self.pageSize - 1) / Self.pageSize)
        hasPages = last > 1 || members.number > 1
        pageText = "Page \(QuotaMeter.grouped(members.number)) of \(QuotaMeter.grouped(last))"
        func path(_ page: Int) -> String {
            let query = members.search.isEmpty ? "" : "&q=\(DashboardResponder.escape(members.search))"
            return "/workspaces/\(id)/team?page=\(page)\(query)"
        }
        previousPath = members.number > 1 ? path(min(members.number - 1, last)) : nil
        nextPath = members.number < last ? path(members.number + 1) : nil
        self.seenKeys = seenKeys
        hasSeenKeys = !seenKeys.isEmpty
        canLeave = access.role != .owner || ownerCount > 1
    }
}

/// A role in a list of choices.
struct RoleOption: Sendable, Equatable {
    /// As a form sends it.
    let value: String
    /// What people call it.
    let title: String
    /// Whether it is chosen.
    let isSelected: Bool

    /// The roles that somebody may give.
    static func all(for role: Role, selected: Role) -> [RoleOption] {
        Role.allCases.reversed().filter { $0 != .owner || Permissions.allows(role, .manageOwners) }
            .map { RoleOption(value: $0.rawValue, title: $0.displayName, isSelected: $0 == selected) }
    }
}

/// One member in the list.
struct MemberRow: Sendable, Equatable {
    let id: String
    let name: String
    let email: String
    let roleTitle: String
    /// Whether it is the reader.
    let isYou: Bool
    /// Whether the account is disabled.
    let isDisabled: Bool
    /// Whether the reader may change the role and remove the member.
    let canChange: Bool
    /// The roles that the reader may give; empty where that is none.
    let roles: [RoleOption]

    init(_ user: User, _ role: Role, reader: UserID, readerRole: Role) {
        (id, name, email) = (user.id.rawValue, user.name, user.email.rawValue)
        roleTitle = role.displayName
        isYou = user.id == reader
        isDisabled = user.status == .disabled
        let mayChange =
            user.id != reader && Permissions.allows(readerRole, role == .owner ? .manageOwners : .manageMembers)
        canChange = mayChange
        roles = mayChange ? RoleOption.all(for: readerRole, selected: role) : []
    }
}

/// One invitation that waits.
struct InvitationRow: Sendable, Equatable {
    let id: String
    let email: String
    let role: String
    let roleTitle: String
    /// Who invited.
    let inviter: String
    let expiresAt: PageTime
    /// Why it cannot be accepted though it waits; nil where it can.
    let problem: String?

    /// Whether the reader may withdraw it and make a new link: those of Owners are the Owners'.
    let canChange: Bool

    /// Nil for one that does not wait.
    init?(_ record: InvitationRecord, readerRole: Role, now: Timestamp) {
        let invitation = record.invitation
        guard invitation.isPending(at: now) else { return nil }
        (id, email) = (invitation.id.rawValue, invitation.email.rawValue)
        (role, roleTitle) = (invitation.role.rawValue, invitation.role.displayName)
        inviter = record.inviter?.name ?? "somebody whose account is gone"
        expiresAt = PageTime(invitation.expiresAt)
        canChange = Permissions.allows(readerRole, invitation.role == .owner ? .manageOwners : .inviteMembers)
        problem =
            record.end(at: now) == nil ? nil : "The link does not work any more, because they may not invite any more."
    }
}

/// Somebody who asks for another invitation.
struct RequestRow: Sendable, Equatable {
    let id: String
    /// Who asks.
    let email: String
    /// For whom the link was.
    let invitedEmail: String
    let role: String
    let roleTitle: String
    let at: PageTime

    /// Nil for an invitation on which nobody asks.
    init?(_ record: InvitationRecord) {
        guard let request = record.invitation.request else { return nil }
        id = record.invitation.id.rawValue
        (email, at) = (request.email.rawValue, PageTime(request.at))
        invitedEmail = record.invitation.email.rawValue
        // Who asks is not made an Owner by a press.
        let wanted = record.invitation.role == .owner ? Role.admin : record.invitation.role
        (role, roleTitle) = (wanted.rawValue, wanted.displayName)
    }
}
