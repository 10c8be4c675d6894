import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// The members of a workspace, their roles, and the invitations that bring more.
struct TeamPageHandlers: Sendable {
    let workspaces: WorkspaceService
    let invitations: InvitationService
    let serviceAccounts: ServiceAccountPageHandlers
    let pages: DashboardResponder
    let clocks: Clocks

    /// `GET /workspaces/{workspaceID}/team`
    @Sendable func page(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let query = context.query ?? [:]
        let notice = Notice.asked(
            by: query,
            of: [
                TeamPage.joined, TeamPage.alreadyIn, TeamPage.roleChanged, TeamPage.removed, TeamPage.withdrawn,
                TeamPage.dismissed,
            ])
        return try await show(
            context, signedIn, search: String((query["q"] ?? "").prefix(200)),
            number: query["page"].flatMap { Int($0) } ?? 1, notice: notice)
    }

    /// `POST /workspaces/{workspaceID}/members/{userID}/role`
    @Sendable func changeRole(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let (access, member) = try Self.named(context, signedIn)
        guard let role = Role(rawValue: try context.form()["role"] ?? "") else {
            throw KeybearerError.validation(["role": "Choose a role."])
        }
        try await workspaces.changeRole(
            of: member, in: access.workspace.id, to: role, by: signedIn.authority(from: context.client))
        return pages.redirect(to: Self.path(access) + "?role=changed")
    }

    /// `POST /workspaces/{workspaceID}/members/{userID}/remove`
    @Sendable func remove(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let (access, member) = try Self.named(context, signedIn)
        try await workspaces.dismiss(
            member, from: access.workspace.id, by: signedIn.authority(from: context.client))
        return pages.redirect(to: Self.path(access) + "?removed=1")
    }

    /// `POST /workspaces/{workspaceID}/leave`
    @Sendable func leave(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        try await workspaces.leave(
            access.workspace.id, as: signedIn.account.user.id, by: signedIn.authority(from: context.client))
        return pages.redirect(to: "/account?left=1")
    }

    /// `POST /workspaces/{workspaceID}/invitations`: the response shows the link, once.
    @Sendable func invite(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let form = try context.form()
        var typed = TeamPage.Typed(email: form["email"] ?? "", role: Role(rawValue: form["role"] ?? "") ?? .member)
        do {
            let (invitation, code, isMailed) = try await invitations.invite(
                typed.email, as: typed.role, to: access.workspace.id, by: signedIn.account.user,
                authority: signedIn.authority(from: context.client))
            let url = pages.place.url(InvitationHandlers.path(of: code), for: context)
            let link = TeamPage.Link(email: invitation.email.rawValue, url: url, isMailed: isMailed)
            return try await show(context, signedIn, link: link)
        } catch let error as KeybearerError where error.code == .validationFailed {
            typed.problem = error.fields["email"] ?? error.message
            return try await show(context, signedIn, error.code.status, typed: typed)
        } catch let error as KeybearerError where error.code == .conflict {
            return try await show(
                context, signedIn, error.code.status, notice: Notice(.failure, error.message), typed: typed)
        }
    }

    /// `POST /workspaces/{workspaceID}/invitations/{invitationID}/withdraw`; with `request`, the invitation stays, and the
    /// request for another one goes.
    @Sendable func withdraw(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        guard let id = context.parameters["invitationID"].flatMap({ InvitationID(parsing: $0) }) else {
            throw KeybearerError(.notFound, "There is no such invitation.")
        }
        let authority = signedIn.authority(from: context.client)
        if try context.form()["request"] != nil {
            try await invitations.dismissRequest(with: id, of: access.workspace.id, by: authority)
            return pages.redirect(to: Self.path(access) + "?dismissed=1")
        }
        try await invitations.withdraw(id, of: access.workspace.id, by: authority)
        return pages.redirect(to: Self.path(access) + "?withdrawn=1")
    }

    private func show(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, _ status: HTTPResponse.Status = .ok,
        search: String = "", number: Int = 1, notice: Notice? = nil, link: TeamPage.Link? = nil,
        typed: TeamPage.Typed = TeamPage.Typed()
    ) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let id = access.workspace.id
        let number = max(1, min(number, 1_000_000))
        let found = try await workspaces.members(
            of: id, matching: MemberFilter(text: search, page: number, limit: TeamPage.pageSize))
        let mayInvite = Permissions.allows(access.role, .inviteMembers)
        let page = TeamPage(
            shell: DashboardShell(of: signedIn.account, current: id, section: .team), access: access,
            reader: signedIn.account.user.id,
            members: TeamPage.Members(page: found.page, total: found.total, number: number, search: search),
            invitations: mayInvite ? try await invitations.list(of: id) : [], now: clocks.wall(),
            ownerCount: try await workspaces.ownerCount(of: id),
            seenKeys: try await serviceAccounts.seenKeys(access), notice: notice, link: link, typed: typed)
        return pages.show(page, status)
    }

    private static func named(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) throws -> (access: WorkspaceAccess, member: UserID) {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        guard let member = context.parameters["userID"].flatMap({ UserID(parsing: $0) }) else {
            throw KeybearerError(.notFound, "There is no such member.")
        }
        return (access, member)
    }

    private static func path(_ access: WorkspaceAccess) -> String { "/workspaces/\(access.workspace.id)/team" }
}
