import Keybearer

/// The page that compares plans: `GET /workspaces/{workspaceID}/plans`. An Owner changes the plan from here; everyone
/// else reads whom to ask.
struct PlansPage: Page, Equatable {
    static let template = Template.plans

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path.
    let workspaceID: String
    /// What people call it.
    let workspaceName: String
    /// The catalogue, in its order.
    let plans: [PlanRow]
    /// Whether the reader may change the plan.
    let isOwner: Bool
    /// For everyone else: whom to ask.
    let owners: [OwnerContact]

    /// Puts the page together.
    ///
    /// - Parameter owners: for a reader who may not change the plan.
    init(shell: DashboardShell, access: WorkspaceAccess, plans: [Plan], isSwitchOpen: Bool, owners: [OwnerContact]) {
        self.shell = shell
        workspaceID = access.workspace.id.rawValue
        workspaceName = access.workspace.name
        let isOwner = Permissions.allows(access.role, .changePlan)
        self.isOwner = isOwner
        self.owners = owners
        self.plans = plans.map { PlanRow($0, instead: access.plan, isOwner: isOwner, isSwitchOpen: isSwitchOpen) }
    }
}

/// One plan of the comparison.
struct PlanRow: Sendable, Equatable {
    /// The plan's id.
    let id: String
    /// What people call it.
    let name: String
    /// Whether the workspace is on it.
    let isCurrent: Bool
    /// Whether keys pass on it.
    let includesAPI: Bool
    /// Its rate limit in words.
    let limit: String
    /// What a change to it ends; nil for nothing.
    let loss: String?
    /// The one way to it; nil where the workspace is on it, or the reader cannot go there.
    let way: UpgradeOption?

    /// - Parameter present: the plan that the workspace is on.
    init(_ plan: Plan, instead present: Plan, isOwner: Bool, isSwitchOpen: Bool) {
        id = plan.id.rawValue
        name = plan.name
        isCurrent = plan.id == present.id
        includesAPI = plan.includesAPI
        limit = "\(QuotaMeter.grouped(plan.hourlyLimit)) requests an hour for each account"
        loss =
            present.includesAPI && !plan.includesAPI
            ? "A change to \(plan.name) stops every request with a key in this workspace, immediately. A change back "
                + "makes the same keys pass again." : nil
        way =
            isCurrent || !isOwner
            ? nil
            : UpgradeOption(
                planName: plan.name, planID: plan.id.rawValue, canSwitchPlan: isSwitchOpen,
                billingURL: plan.billingURL)
    }
}
