import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore

/// Making, renaming, choosing and deleting workspaces, and the comparison of plans.
struct WorkspacePageHandlers: Sendable {
    let workspaces: WorkspaceService
    let serviceAccounts: ServiceAccountService
    let pages: DashboardResponder

    /// `GET /workspaces/new`
    @Sendable func newPage(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        pages.show(NewWorkspacePage(shell: DashboardShell(of: signedIn.account, section: nil)))
    }

    /// `POST /workspaces`: the new one becomes the one that is shown, with the key of its service account where that was
    /// asked for.
    @Sendable func create(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let form = try context.form()
        let (name, hasKey) = (form["name"] ?? "", form["serviceAccount"] != nil)
        do {
            let authority = signedIn.authority(from: context.client)
            let workspace = try await workspaces.create(name: name, for: signedIn.account, by: authority)
            guard hasKey else {
                return pages.redirect(to: KeySubject.path(of: nil, in: workspace.id) + "?created=1")
            }
            guard
                let account = try? await serviceAccounts.create(
                    name: workspace.name, in: workspace.id, by: authority)
            else {
                // The workspace is there.
                return pages.redirect(to: ServiceAccountPageHandlers.path(of: workspace.id) + "?workspace=1")
            }
            return pages.redirect(to: KeySubject.path(of: account.user.id, in: workspace.id) + "?created=1")
        } catch let error as KeybearerError where [.validationFailed, .conflict].contains(error.code) {
            let isLimit = error.code == .conflict
            let page = NewWorkspacePage(
                shell: DashboardShell(of: signedIn.account, section: nil), name: name, nameError: error.fields["name"],
                wantsServiceAccount: hasKey,
                notice: isLimit ? Notice(.failure, error.message) : nil)
            return pages.show(page, error.code.status)
        }
    }

    /// `GET /workspaces/{workspaceID}/settings`
    @Sendable func settings(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let notice = Notice.asked(
            by: context.query ?? [:], of: [WorkspaceSettingsPage.renamed, WorkspaceSettingsPage.madeDefault])
        return try await showSettings(context, signedIn, notice: notice)
    }

    /// `POST /workspaces/{workspaceID}/rename`
    @Sendable func rename(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let name = try context.form()["name"] ?? ""
        do {
            try await workspaces.rename(access.workspace.id, to: name, by: signedIn.authority(from: context.client))
            return pages.redirect(to: Self.path(access) + "?renamed=1")
        } catch let error as KeybearerError where error.code == .validationFailed {
            return try await showSettings(
                context, signedIn, error.code.status, problem: .rename(typed: name, error.fields["name"] ?? ""))
        }
    }

    /// `POST /workspaces/{workspaceID}/default`
    @Sendable func makeDefault(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response
    {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        try await workspaces.setDefault(
            access.workspace.id, of: signedIn.account.user.id, by: signedIn.authority(from: context.client))
        return pages.redirect(to: Self.path(access) + "?default=1")
    }

    /// `POST /workspaces/{workspaceID}/delete`
    @Sendable func delete(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        return try await RecentSignIn(pages: pages).require(context, signedIn, next: Self.path(access)) {
            do {
                try await workspaces.delete(
                    access.workspace, typedName: try context.form()["name"] ?? "",
                    by: signedIn.authority(from: context.client))
                return pages.redirect(to: "/account?workspace=deleted")
            } catch let error as KeybearerError where error.code == .validationFailed {
                return try await showSettings(
                    context, signedIn, error.code.status, problem: .delete(error.fields["name"] ?? ""))
            }
        }
    }

    /// `GET /workspaces/{workspaceID}/plans`
    @Sendable func plans(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let isOwner = Permissions.allows(access.role, .changePlan)
        let page = PlansPage(
            shell: DashboardShell(of: signedIn.account, current: access.workspace.id, section: .settings),
            access: access, plans: try await workspaces.plans(), isSwitchOpen: workspaces.isPlanSwitchOpen,
            owners: isOwner ? [] : try await OwnerContact.all(of: access.workspace.id, workspaces))
        return pages.show(page)
    }

    private func showSettings(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, _ status: HTTPResponse.Status = .ok,
        notice: Notice? = nil, problem: WorkspaceSettingsPage.Problem? = nil
    ) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let id = access.workspace.id
        let page = WorkspaceSettingsPage(
            shell: DashboardShell(of: signedIn.account, current: id, section: .settings), access: access,
            isDefault: DashboardShell.preferredWorkspace(of: signedIn.account) == id,
            memberCount: try await workspaces.members(of: id, matching: MemberFilter(limit: 1)).total,
            notice: notice, problem: problem)
        return pages.show(page, status)
    }

    private static func path(_ access: WorkspaceAccess) -> String { "/workspaces/\(access.workspace.id)/settings" }
}

extension OwnerContact {
    /// How many are named at most.
    private static let most = 20

    /// The Owners of a workspace, whom everyone else can ask.
    static func all(of id: WorkspaceID, _ workspaces: WorkspaceService) async throws -> [OwnerContact] {
        try await workspaces.members(of: id, matching: MemberFilter(role: .owner, limit: most)).page
            .map { OwnerContact(name: $0.user.name, email: $0.user.email.rawValue) }
    }
}
