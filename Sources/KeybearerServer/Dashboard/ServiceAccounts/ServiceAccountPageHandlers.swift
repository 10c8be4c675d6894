import HTTPTypes
import Hummingbird
import Keybearer

/// The service accounts of a workspace. The page of one is its key's: see ``KeyPageHandlers``.
struct ServiceAccountPageHandlers: Sendable {
    let accounts: ServiceAccountService
    let keys: KeyService
    let keyPage: KeyPageHandlers
    let pages: DashboardResponder

    /// `GET /workspaces/{workspaceID}/service-accounts`
    @Sendable func list(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let notice = Notice.asked(
            by: context.query ?? [:], of: [ServiceAccountsPage.deleted, ServiceAccountsPage.workspaceAlone])
        return try await show(context, signedIn, notice: notice)
    }

    /// `POST /workspaces/{workspaceID}/service-accounts`: leads to the page of the new one's key.
    @Sendable func create(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let name = try context.form()["name"] ?? ""
        do {
            let account = try await accounts.create(
                name: name, in: access.workspace.id, by: signedIn.authority(from: context.client))
            return pages.redirect(
                to: KeySubject.path(of: account.user.id, in: access.workspace.id) + "?added=1")
        } catch let error as KeybearerError where [.validationFailed, .conflict].contains(error.code) {
            let isLimit = error.code == .conflict
            return try await show(
                context, signedIn, error.code.status, notice: isLimit ? Notice(.failure, error.message) : nil,
                typedName: name, nameError: error.fields["name"])
        }
    }

    /// `POST /workspaces/{workspaceID}/service-accounts/{userID}/rename`
    @Sendable func rename(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let (workspace, id) = try Self.named(context, signedIn)
        let name = try context.form()["name"] ?? ""
        do {
            _ = try await accounts.rename(id, in: workspace, to: name, by: signedIn.authority(from: context.client))
            return pages.redirect(to: KeySubject.path(of: id, in: workspace) + "?renamed=1")
        } catch let error as KeybearerError where error.code == .validationFailed {
            return try await keyPage.showRefusedName(
                context, signedIn, typed: name, problem: error.fields["name"] ?? error.message, error.code.status)
        }
    }

    /// `POST /workspaces/{workspaceID}/service-accounts/{userID}/disable`
    @Sendable func disable(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let (workspace, id) = try Self.named(context, signedIn)
        _ = try await accounts.setStatus(
            .disabled, of: id, in: workspace, by: signedIn.authority(from: context.client))
        return pages.redirect(to: KeySubject.path(of: id, in: workspace) + "?disabled=1")
    }

    /// `POST /workspaces/{workspaceID}/service-accounts/{userID}/enable`
    @Sendable func enable(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let (workspace, id) = try Self.named(context, signedIn)
        _ = try await accounts.setStatus(
            .active, of: id, in: workspace, by: signedIn.authority(from: context.client))
        return pages.redirect(to: KeySubject.path(of: id, in: workspace) + "?enabled=1")
    }

    /// `POST /workspaces/{workspaceID}/service-accounts/{userID}/delete`
    @Sendable func delete(_ context: RequestContext, _ signedIn: SessionService.SignedIn) async throws -> Response {
        let (workspace, id) = try Self.named(context, signedIn)
        try await accounts.delete(id, in: workspace, by: signedIn.authority(from: context.client))
        return pages.redirect(to: Self.path(of: workspace) + "?deleted=1")
    }

    /// The keys that people have who should not have them any more; none for a reader who may not replace them.
    func seenKeys(_ access: WorkspaceAccess, _ known: [Account]? = nil) async throws -> [SeenKeyRow] {
        guard Permissions.allows(access.role, .regenerateServiceKey) else { return [] }
        let views = try await accounts.views(in: access.workspace.id)
        if views.allSatisfy(\.mayStillSee) { return [] }
        var found = known
        if found == nil { found = try await accounts.list(of: access.workspace.id) }
        return SeenKeyRow.all(found ?? [], views) { keyPage.newIdempotencyKey() }
    }

    /// Where the list is.
    static func path(of id: WorkspaceID) -> String { "/workspaces/\(id)/service-accounts" }

    private func show(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, _ status: HTTPResponse.Status = .ok,
        notice: Notice? = nil, typedName: String = "", nameError: String? = nil
    ) async throws -> Response {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        let found = try await accounts.list(of: access.workspace.id).map { account in
            Account(
                user: account.user, key: keys.withLatestUse(account.key, of: account.user.id),
                workspaces: account.workspaces)
        }
        let page = ServiceAccountsPage(
            shell: DashboardShell(of: signedIn.account, current: access.workspace.id, section: .apiWebhooks),
            access: access, accounts: found,
            responsible: try await accounts.responsiblePeople(in: access.workspace.id),
            seenKeys: try await seenKeys(access, found), notice: notice,
            typedName: typedName, nameError: nameError)
        return pages.show(page, status)
    }

    private static func named(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn
    ) throws -> (workspace: WorkspaceID, id: UserID) {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        guard let id = context.parameters["userID"].flatMap({ UserID(parsing: $0) }) else {
            throw KeybearerError.notYourServiceAccount
        }
        return (access.workspace.id, id)
    }
}
