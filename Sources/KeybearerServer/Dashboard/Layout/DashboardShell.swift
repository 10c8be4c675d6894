import Keybearer

/// What surrounds every page of a signed-in person: workspaces, navigation, who is signed in, and the way out.
struct DashboardShell: Sendable, Equatable {
    /// Which entry of the navigation is the page itself.
    enum Section: Sendable, Equatable {
        case apiWebhooks
        case activity
        case account
    }

    /// The workspace that the navigation leads to; nil for an account that belongs to none.
    let current: WorkspaceLink?
    /// All of the account's workspaces in the order in which they are listed; empty unless there are several.
    let choices: [WorkspaceLink]
    /// Whether there is more than one workspace to choose from.
    let hasChoices: Bool
    /// The address that the person signed in with.
    let email: String
    /// Whether the page is "API & Webhooks".
    let isAPIWebhooks: Bool
    /// Whether the page is the workspace's "Activity".
    let isActivity: Bool
    /// Whether the page is "Account & sessions".
    let isAccount: Bool
    /// Whether a portal link signed the person in: there is no way to what it does not open.
    let isPortal: Bool
    /// Where the product is, for "Back to …"; nil where the link named no place.
    let returnURL: String?

    /// Puts the surroundings together.
    ///
    /// - Parameters:
    ///   - workspaces: All of the account's workspaces. ``WorkspaceLink/isCurrent`` is set here.
    ///   - currentWorkspaceID: The workspace of the page; nil, or one that is not listed, stands for the first.
    init(
        email: String, workspaces: [WorkspaceLink], currentWorkspaceID: String?, section: Section,
        portal: PortalAccess? = nil
    ) {
        isPortal = portal != nil
        returnURL = portal?.returnURL?.description
        let currentID = workspaces.first { $0.id == currentWorkspaceID }?.id ?? workspaces.first?.id
        let marked = workspaces.map {
            WorkspaceLink(
                id: $0.id, name: $0.name, planName: $0.planName, canSeeActivity: $0.canSeeActivity,
                isCurrent: $0.id == currentID)
        }
        current = marked.first { $0.isCurrent }
        hasChoices = marked.count > 1
        choices = hasChoices ? marked : []
        self.email = email
        isAPIWebhooks = section == .apiWebhooks
        isActivity = section == .activity
        isAccount = section == .account
    }

    /// The surroundings of an account's page.
    ///
    /// - Parameter current: The workspace of the page; nil for a page that belongs to none, whose navigation leads to the
    ///   preferred one.
    init(of account: Account, current: WorkspaceID? = nil, section: Section, portal: PortalAccess? = nil) {
        let open = account.workspaces.filter { portal?.workspaceID == nil || portal?.workspaceID == $0.workspace.id }
        self.init(
            email: account.user.email.rawValue,
            workspaces: open.map {
                WorkspaceLink(
                    id: $0.workspace.id.rawValue, name: $0.workspace.name, planName: $0.plan.name,
                    canSeeActivity: portal == nil && Permissions.allows($0.role, .viewActivity))
            },
            currentWorkspaceID: (current ?? Self.preferredWorkspace(of: account))?.rawValue, section: section,
            portal: portal)
    }

    /// Where a person is led without having chosen: the oldest workspace in which the key works, else the oldest.
    static func preferredWorkspace(of account: Account) -> WorkspaceID? {
        (account.workspaces.first { $0.includesAPI } ?? account.workspaces.first)?.workspace.id
    }
}

/// One workspace in the switcher.
struct WorkspaceLink: Sendable, Equatable {
    /// The workspace's id, part of the path of its page.
    let id: String
    /// What people call it.
    let name: String
    /// What people call its plan.
    let planName: String
    /// Whether the person may see what happens there.
    let canSeeActivity: Bool
    /// Whether it is the workspace of the page.
    let isCurrent: Bool

    /// Puts a link together.
    init(id: String, name: String, planName: String, canSeeActivity: Bool = false, isCurrent: Bool = false) {
        self.id = id
        self.name = name
        self.planName = planName
        self.canSeeActivity = canSeeActivity
        self.isCurrent = isCurrent
    }
}
