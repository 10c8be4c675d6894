/// Workspaces, their members, and the catalogue of plans.
public final class WorkspaceService: Sendable {
    private let context: ServiceContext
    private let settler: any ChangeSettling

    init(context: ServiceContext, settler: any ChangeSettling) {
        self.context = context
        self.settler = settler
    }

    /// Whether an Owner switches the plan at once.
    public var isPlanSwitchOpen: Bool { context.settings.isPlanSwitchOpen }

    /// The catalogue in its order.
    public func plans() async throws -> [Plan] { try await context.store.plans() }

    /// A page of all workspaces, oldest first, and how many there are.
    public func list(page: Int, limit: Int) async throws -> (
        page: [(workspace: Workspace, memberCount: Int)], total: Int
    ) {
        try await context.store.workspaces(offset: (page - 1) * limit, limit: limit)
    }

    /// The members of a workspace.
    public func members(of id: WorkspaceID) async throws -> [(user: User, role: Role)] {
        try await context.store.members(of: id)
    }

    /// Makes a workspace on the catalogue's first plan.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`; `NOT_FOUND` when the owner does not exist.
    public func create(name: String, owner: UserID, by origin: Origin) async throws -> Workspace {
        let name = name.trimmed
        if let problem = Self.problem(withName: name) { throw KeybearerError.validation(["name": problem]) }
        let id = WorkspaceID.random(from: context.random)
        let (workspace, position) = try await context.store.createWorkspace(
            id: id, name: name, owner: owner, createdAt: context.clocks.wall(),
            audit: context.event(.workspaceCreated, by: origin, user: owner, workspace: id))
        await settler.settle(position)
        return workspace
    }

    /// Moves a workspace to a plan, as an operator; answers when it holds on every node.
    ///
    /// - Throws: `NOT_FOUND`.
    public func setPlan(_ planID: PlanID, of id: WorkspaceID, by origin: Origin) async throws {
        let position = try await context.store.setPlan(
            planID, of: id, audit: context.event(.planChanged, by: origin, workspace: id, detail: planID.rawValue))
        await settler.settle(position)
    }

    /// Moves a workspace to a plan, as one of its members.
    ///
    /// - Throws: `NOT_FOUND` when the account is not a member; `FORBIDDEN` when it is not an Owner, or when switching
    ///   is left to billing.
    public func switchPlan(_ planID: PlanID, of id: WorkspaceID, as account: Account, from address: IPAddress)
        async throws
    {
        guard let access = account.workspaces.first(where: { $0.workspace.id == id }) else {
            throw KeybearerError(.notFound, "There is no such workspace.")
        }
        guard access.role.mayChangePlan else {
            throw KeybearerError(.forbidden, "Only an Owner of the workspace can change its plan.")
        }
        guard isPlanSwitchOpen else {
            throw KeybearerError(.forbidden, "The plan is changed through billing or by the operator of this service.")
        }
        try await setPlan(planID, of: id, by: Origin(actor: .user(account.user.id), address: address))
    }

    /// Adds a plan to the catalogue or changes one; answers when it holds on every node.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `id`, `name`, `hourlyLimit`.
    public func putPlan(_ plan: Plan, by origin: Origin) async throws {
        var problems: [String: String] = [:]
        let isID = plan.id.rawValue.utf8.allSatisfy {
            (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95
        }
        if !isID || !(1...40).contains(plan.id.rawValue.utf8.count) {
            problems["id"] = "Use 1 to 40 lower-case letters, digits, hyphens or underscores."
        }
        problems["name"] = Self.problem(withName: plan.name)
        if !(1...1_000_000_000).contains(plan.hourlyLimit) { problems["hourlyLimit"] = "Use 1 to 1,000,000,000." }
        guard problems.isEmpty else { throw KeybearerError.validation(problems) }
        let position = try await context.store.putPlan(
            plan, audit: context.event(.planPut, by: origin, detail: plan.id.rawValue))
        await settler.settle(position)
    }

    /// Adds a member or changes a member's role.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when the last Owner would be gone.
    public func putMember(_ userID: UserID, in id: WorkspaceID, role: Role, by origin: Origin) async throws {
        let position = try await context.store.putMember(
            Membership(workspaceID: id, userID: userID, role: role),
            audit: context.event(.memberAdded, by: origin, user: userID, workspace: id, detail: role.rawValue))
        await settler.settle(position)
    }

    /// Removes a member; answers when its key no longer passes for this workspace on any node.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner.
    public func removeMember(_ userID: UserID, from id: WorkspaceID, by origin: Origin) async throws {
        let position = try await context.store.removeMember(
            userID, from: id, audit: context.event(.memberRemoved, by: origin, user: userID, workspace: id))
        await settler.settle(position)
    }

    /// What is wrong with a name of a person, a workspace or a plan; nil when it may be used.
    static func problem(withName name: String) -> String? {
        if name.isEmpty { return "Enter a name." }
        if name.count > 80 { return "Use at most 80 characters." }
        let hasControls = name.unicodeScalars.contains { $0.properties.generalCategory == .control }
        return hasControls ? "Use no control characters." : nil
    }
}
