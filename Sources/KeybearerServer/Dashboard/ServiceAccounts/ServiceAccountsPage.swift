import Keybearer

/// The tab "Service accounts" of "API & Webhooks": `GET /workspaces/{workspaceID}/service-accounts`, and the response to
/// a refused `POST` there.
struct ServiceAccountsPage: Page, Equatable {
    static let template = Template.serviceAccounts

    /// After one was deleted.
    static let deleted = Notice(.success, "Service account deleted. Its key no longer works.", query: "deleted")
    /// After a workspace was added whose service account could not be.
    static let workspaceAlone = Notice(
        .information, "The workspace was added, but no service account. Try again here.", query: "workspace")

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path.
    let workspaceID: String
    /// What happened before this page.
    let notice: Notice?
    /// Whether the reader may make and open them.
    let canManage: Bool
    /// Whether the plan lets their keys pass; where it does not, the page says so.
    let isLocked: Bool
    /// What people call the plan.
    let planName: String
    /// The service accounts.
    let accounts: [ServiceAccountRow]
    /// Whether there are any.
    let hasAccounts: Bool
    /// How many there are of how many, in words.
    let count: String
    /// Whether there may be another one.
    let hasRoom: Bool
    /// Names that one press makes a service account of.
    let suggestions: [String]
    /// Whether there are any.
    let hasSuggestions: Bool
    /// What was typed as a name.
    let typedName: String
    /// What is wrong with it.
    let nameError: String?
    /// Keys that people have who should not have them any more.
    let seenKeys: [SeenKeyRow]
    /// Whether there are any.
    let hasSeenKeys: Bool

    /// Puts the page together.
    ///
    /// - Parameter seenKeys: for a reader who may replace keys.
    init(
        shell: DashboardShell, access: WorkspaceAccess, accounts: [Account],
        responsible: [UserID: ResponsiblePerson] = [:], seenKeys: [SeenKeyRow] = [], notice: Notice? = nil,
        typedName: String = "", nameError: String? = nil
    ) {
        self.shell = shell
        self.notice = notice
        workspaceID = access.workspace.id.rawValue
        let mayManage = Permissions.allows(access.role, .manageServiceAccounts)
        canManage = mayManage
        (isLocked, planName) = (!access.includesAPI, access.plan.name)
        self.accounts = accounts.map { ServiceAccountRow($0, isOpen: mayManage, responsible: responsible[$0.user.id]) }
        hasAccounts = !accounts.isEmpty
        count = "\(accounts.count) of \(NewServiceAccount.most)"
        hasRoom = mayManage && accounts.count < NewServiceAccount.most
        let names = Set(accounts.map(\.user.name))
        suggestions = hasRoom && names.isSubset(of: Self.usual) ? Self.usual.filter { !names.contains($0) } : []
        hasSuggestions = !suggestions.isEmpty
        (self.typedName, self.nameError) = (typedName, nameError)
        self.seenKeys = seenKeys
        hasSeenKeys = !seenKeys.isEmpty
    }

    /// What is kept apart most often.
    private static let usual = ["Testing", "Production"]
}

/// A service account in the list.
struct ServiceAccountRow: Sendable, Equatable {
    let id: String
    let name: String
    /// Whether its key is refused.
    let isDisabled: Bool
    /// The key's leading characters; nil for a reader who may not see its page.
    let prefix: String?
    /// When the key was used last; nil where it never was, or the reader may not know.
    let lastUsedAt: PageTime?
    /// Who is responsible for it.
    let responsible: String?

    /// - Parameter isOpen: whether the reader may see the record of its key.
    init(_ account: Account, isOpen: Bool, responsible: ResponsiblePerson?) {
        self.responsible = responsible?.name
        (id, name) = (account.user.id.rawValue, account.user.name)
        isDisabled = account.user.status == .disabled
        prefix = isOpen ? account.key.shownPrefix : nil
        lastUsedAt = isOpen ? account.key.lastUse.map { PageTime($0.at) } : nil
    }
}

/// A key of a service account that people have who should not have it any more, with the form that replaces it.
struct SeenKeyRow: Sendable, Equatable {
    let id: String
    let name: String
    /// The version of the key that they have: a newer one is not replaced.
    let version: Int
    /// A new random value per page: a form sent twice regenerates once.
    let idempotencyKey: String
    /// Who has it.
    let people: [KeyViewerRow]

    /// Those of a workspace. A row for each key, in the order of the accounts.
    static func all(
        _ accounts: [Account], _ views: [ServiceKeyView], newIdempotencyKey: () -> String
    ) -> [SeenKeyRow] {
        accounts.compactMap { account in
            let people = views.filter { $0.serviceAccount == account.user.id && !$0.mayStillSee }
            if people.isEmpty { return nil }
            return SeenKeyRow(
                id: account.user.id.rawValue, name: account.user.name, version: account.key.version,
                idempotencyKey: newIdempotencyKey(), people: people.map { KeyViewerRow($0) })
        }
    }
}
