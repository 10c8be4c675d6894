import Keybearer

/// Whose key a page is about: the reader's own (`…/api-webhooks`), or that of a service account of the workspace
/// (`…/service-accounts/{userID}`). Both have the same pages and forms.
struct KeySubject: Sendable {
    /// The reader's place in the workspace of the path.
    let access: WorkspaceAccess
    /// Whose key it is.
    let account: Account

    /// Finds whom the path names.
    ///
    /// - Throws: `NOT_FOUND`, also for a service account of another workspace.
    static func find(
        _ context: RequestContext, _ signedIn: SessionService.SignedIn, among accounts: ServiceAccountService
    ) async throws -> KeySubject {
        let access = try WorkspaceGuard.access(context, signedIn.account)
        guard let text = context.parameters["userID"] else {
            return KeySubject(access: access, account: signedIn.account)
        }
        guard let id = UserID(parsing: text) else { throw KeybearerError.notYourServiceAccount }
        return KeySubject(access: access, account: try await accounts.find(id, in: access.workspace.id))
    }

    private var serviceAccountID: UserID? { account.user.kind == .service ? account.user.id : nil }

    /// Where its page is; those of its forms are below.
    var path: String { Self.path(of: serviceAccountID, in: access.workspace.id) }

    /// What showing the key needs.
    var reveal: Requirement {
        Requirement(
            serviceAccountID == nil ? .revealKey : .revealServiceKey, in: access.workspace.id, of: serviceAccountID)
    }

    /// What replacing the key needs.
    var regenerate: Requirement {
        Requirement(
            serviceAccountID == nil ? .regenerateKey : .regenerateServiceKey, in: access.workspace.id,
            of: serviceAccountID)
    }

    /// What saying from where the key may be used needs.
    var changeNetworks: Requirement {
        Requirement(
            serviceAccountID == nil ? .changeNetworks : .changeServiceNetworks, in: access.workspace.id,
            of: serviceAccountID)
    }

    /// What the page says of a service account; nil for the reader's own key.
    func heading(
        _ views: [ServiceKeyView] = [], responsible: [UserID: ResponsiblePerson] = [:]
    ) -> ServiceAccountHeading? {
        serviceAccountID.map {
            ServiceAccountHeading(account.user, views: views, responsible: responsible[$0]?.name)
        }
    }

    /// - Parameter serviceAccountID: nil for the reader's own key.
    static func path(of serviceAccountID: UserID?, in id: WorkspaceID) -> String {
        "/workspaces/\(id)/" + (serviceAccountID.map { "service-accounts/\($0)" } ?? "api-webhooks")
    }
}

/// A service account, on the pages about its key.
struct ServiceAccountHeading: Sendable, Equatable {
    /// What it is called.
    let serviceName: String
    /// Whether its key is refused.
    let isOff: Bool
    /// What is wrong with a new name; nil where none was refused.
    var nameProblem: String?
    /// The name in the form that renames it.
    var typedName: String
    /// Who is responsible for it.
    let responsible: String?
    /// Who has seen the live key.
    let viewers: [KeyViewerRow]
    /// Whether anybody has.
    let wasSeen: Bool

    init(_ user: User, views: [ServiceKeyView] = [], responsible: String? = nil) {
        self.responsible = responsible
        (serviceName, typedName, isOff) = (user.name, user.name, user.status == .disabled)
        viewers = views.filter { $0.serviceAccount == user.id }.map { KeyViewerRow($0) }
        wasSeen = !viewers.isEmpty
    }
}

/// A person who has seen the live key of a service account.
struct KeyViewerRow: Sendable, Equatable {
    /// What the person is called.
    let viewer: String
    /// When.
    let seenAt: PageTime
    /// Why the person could not see it now; nil for who still can.
    let reason: String?

    init(_ view: ServiceKeyView) {
        viewer = view.viewerName ?? "Somebody whose account is gone"
        seenAt = PageTime(view.at)
        reason = view.mayStillSee ? nil : view.viewerRole.map { "is only a \($0.displayName) now" } ?? "has left"
    }
}
