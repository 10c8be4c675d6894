import Keybearer

/// What surrounds every page of a signed-in person: workspaces, navigation, who is signed in, and the way out.
struct DashboardShell: Sendable, Equatable {
    /// The entries of the navigation, in their order.
    enum Section: Sendable, Equatable, CaseIterable {
        case apiWebhooks
        case team
        case activity
        case settings
        case account
    }

    /// The workspace that the navigation leads to; nil for an account that belongs to none.
    let current: WorkspaceLink?
    /// All of the account's workspaces in the order in which they are listed.
    let choices: [WorkspaceLink]
    /// Whether there is more than one workspace to choose from.
    let hasChoices: Bool
    /// The address that the person signed in with.
    let email: String
    /// Whether the workspaces are a list that opens: a portal link's session that opens one workspace only names it.
    let hasList: Bool
    /// The navigation.
    let menu: [MenuEntry]
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
        email: String, workspaces: [WorkspaceLink], currentWorkspaceID: String?, section: Section?,
        portal: PortalAccess? = nil
    ) {
        isPortal = portal != nil
        returnURL = portal?.returnURL?.description
        let currentID = workspaces.first { $0.id == currentWorkspaceID }?.id ?? workspaces.first?.id
        let marked = workspaces.map {
            WorkspaceLink(
                id: $0.id, name: $0.name, planName: $0.planName, canSeeActivity: $0.canSeeActivity,
                isCurrent: $0.id == currentID, section: portal?.section ?? .apiKey)
        }
        current = marked.first { $0.isCurrent }
        hasChoices = marked.count > 1
        choices = marked
        self.email = email
        hasList = hasChoices || !isPortal
        menu = MenuEntry.all(in: current, at: section, portal: portal?.section)
    }

    /// The surroundings of an account's page.
    ///
    /// - Parameter current: The workspace of the page; nil for a page that belongs to none, whose navigation leads to the
    ///   preferred one.
    init(of account: Account, current: WorkspaceID? = nil, section: Section?, portal: PortalAccess? = nil) {
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

    /// The page that a sign-in leads to; nil where the account has no workspace.
    static func start(of account: Account, in portal: PortalAccess?) -> String? {
        let workspace = portal?.workspaceID ?? preferredWorkspace(of: account)
        return workspace.map { "/workspaces/\($0)\((portal?.section ?? .apiKey).path)" }
    }

    /// Where a person is led: the workspace that they chose; where they chose none or it is not theirs any more, the
    /// oldest in which the key works, else the oldest.
    static func preferredWorkspace(of account: Account) -> WorkspaceID? {
        let chosen = account.workspaces.first { $0.workspace.id == account.user.defaultWorkspaceID }
        return (chosen ?? account.workspaces.first { $0.includesAPI } ?? account.workspaces.first)?.workspace.id
    }
}

extension PortalSection {
    /// All sections.
    static let all = Set(allCases)

    /// Its page, below a workspace's path.
    var path: String {
        switch self {
        case .apiKey: "/api-webhooks"
        case .webhooks: "/webhooks"
        }
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
    /// Its page.
    let path: String

    /// Puts a link together.
    ///
    /// - Parameter section: which of its pages it leads to.
    init(
        id: String, name: String, planName: String, canSeeActivity: Bool = false, isCurrent: Bool = false,
        section: PortalSection = .apiKey
    ) {
        path = "/workspaces/\(id)\(section.path)"
        self.id = id
        self.name = name
        self.planName = planName
        self.canSeeActivity = canSeeActivity
        self.isCurrent = isCurrent
    }
}

/// One entry of the navigation beside a page.
struct MenuEntry: Sendable, Equatable {
    /// What it says.
    let title: String
    /// Where it leads.
    let path: String
    /// The lines of its picture, in a square of 20.
    let icon: String
    /// Whether it is the page itself.
    let isCurrent: Bool

    /// The one list of what the navigation has.
    ///
    /// - Parameters:
    ///   - workspace: the one that it leads to; nil leaves out what belongs to one.
    ///   - portal: what the portal link opens that signed the person in; the rest is left out.
    static func all(
        in workspace: WorkspaceLink?, at current: DashboardShell.Section?, portal: PortalSection?
    ) -> [MenuEntry] {
        DashboardShell.Section.allCases.compactMap { section in
            let (title, local, icon) = content(of: section)
            guard section == .apiWebhooks || portal == nil else { return nil }
            if section == .activity, workspace?.canSeeActivity != true { return nil }
            guard section != .account else {
                return MenuEntry(title: title, path: local, icon: icon, isCurrent: section == current)
            }
            return workspace.map {
                MenuEntry(
                    title: title, path: "/workspaces/\($0.id)\(portal?.path ?? local)", icon: icon,
                    isCurrent: section == current)
            }
        }
    }

    private static func content(of section: DashboardShell.Section) -> (title: String, path: String, icon: String) {
        switch section {
        case .apiWebhooks:
            (
                "API & Webhooks", "/api-webhooks",
                "M3.3 10a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0M9.7 10H17M14 10v3M17 10v2.2"
            )
        case .team:
            (
                "Team", "/team",
                "M5 7.4a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0M2.6 15.8c.7-2.6 2.7-3.8 5-3.8s4.3 1.2 5 3.8"
                    + "M12.6 5a2.5 2.5 0 0 1 0 4.8M14.6 12.4c1.4.6 2.4 1.7 2.8 3.4"
            )
        case .activity:
            ("Activity", "/activity", "M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14M10 6v4.2l2.8 1.8")
        case .settings:
            ("Workspace settings", "/settings", "M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4")
        case .account:
            (
                "Account & sessions", "/account",
                "M6.9 7a3.1 3.1 0 1 0 6.2 0a3.1 3.1 0 1 0-6.2 0M3.8 16.5c.9-3 3.3-4.3 6.2-4.3s5.3 1.3 6.2 4.3"
            )
        }
    }
}
