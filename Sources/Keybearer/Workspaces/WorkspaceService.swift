/// Workspaces, their members, and the catalogue of plans.
public final class WorkspaceService: Sendable {
    let context: ServiceContext
    let propagation: any ChangePropagation

    init(context: ServiceContext, propagation: any ChangePropagation) {
        self.context = context
        self.propagation = propagation
    }

    /// Whether an Owner switches the plan immediately.
    public var isPlanSwitchOpen: Bool { context.settings.isPlanSwitchOpen }

    /// The catalogue in its order.
    public func plans() async throws -> [Plan] { try await context.store.plans() }

    /// A page of all workspaces, oldest first, and how many there are.
    public func list(page: Int, limit: Int) async throws -> (
        page: [(workspace: Workspace, memberCount: Int)], total: Int
    ) {
        try await context.store.workspaces(offset: PageOffset.of(page: page, limit: limit), limit: limit)
    }

    /// The members of a workspace.
    public func members(of id: WorkspaceID) async throws -> [(user: User, role: Role)] {
        try await context.store.members(of: id)
    }

    /// Makes a workspace on the catalogue's first plan.
    ///
    /// - Parameter limit: how many the owner may own with this one; nil for any number.
    /// - Throws: `VALIDATION_FAILED` with the field `name`; `NOT_FOUND` when the owner does not exist; `CONFLICT` beyond
    ///   the limit.
    public func create(
        name: String, owner: UserID, ownedAtMost limit: Int? = nil, by authority: Authority
    ) async throws -> Workspace {
        let name = try Self.accepted(name)
        let new = NewWorkspace(
            id: .random(from: context.random), name: name, externalID: nil, planID: nil, owner: owner,
            createdAt: context.clocks.wall())
        return await propagation.waitUntilApplied(
            try await context.store.createWorkspace(
                new, ownedAtMost: limit, by: authority,
                audit: context.event(.workspaceCreated, by: authority, user: owner, workspace: new.id)))
    }

    /// A name in the form in which it is stored.
    ///
    /// - Throws: `VALIDATION_FAILED` with the field `name`.
    static func accepted(_ name: String) throws(KeybearerError) -> String {
        let name = NameRules.normalised(name)
        if let problem = NameRules.problem(with: name) { throw KeybearerError.validation(["name": problem]) }
        return name
    }

    /// Moves a workspace to a plan, as an operator; answers when it holds on every node.
    ///
    /// - Throws: `NOT_FOUND`.
    public func setPlan(_ planID: PlanID, of id: WorkspaceID, by authority: Authority) async throws {
        try await setPlan(planID, of: id, by: authority, needs: nil)
    }

    private func setPlan(
        _ planID: PlanID, of id: WorkspaceID, by authority: Authority, needs requirement: Requirement?
    ) async throws {
        await propagation.waitUntilApplied(
            try await context.store.setPlan(
                planID, of: id, by: authority, needs: requirement,
                audit: context.event(.planChanged, by: authority, workspace: id, detail: planID.rawValue)))
    }

    /// Moves a workspace to a plan, as one of its members.
    ///
    /// - Throws: `NOT_FOUND` when the account is not a member; `FORBIDDEN` when it is not an Owner, or when switching
    ///   is left to billing.
    public func switchPlan(
        _ planID: PlanID, of id: WorkspaceID, as account: Account, by authority: Authority
    ) async throws {
        guard let access = account.workspaces.first(where: { $0.workspace.id == id }) else {
            throw KeybearerError.notYourWorkspace
        }
        guard Permissions.allows(access.role, .changePlan) else { throw KeybearerError.roleForbids(.changePlan) }
        guard isPlanSwitchOpen else {
            throw KeybearerError(.forbidden, "The plan is changed through billing or by the operator of this service.")
        }
        try await setPlan(planID, of: id, by: authority, needs: Requirement(.changePlan, in: id))
    }

    /// Adds a plan to the catalogue or changes one; answers when it holds on every node.
    ///
    /// - Throws: `VALIDATION_FAILED` with the fields `id`, `name`, `hourlyLimit`, `position`, `features`.
    public func putPlan(_ plan: Plan, by authority: Authority) async throws {
        let plan = try Self.accepted(plan)
        await propagation.waitUntilApplied(
            try await context.store.putPlan(
                plan, by: authority, audit: context.event(.planPut, by: authority, detail: plan.id.rawValue)))
    }

    /// A plan in the form in which it is stored.
    ///
    /// - Throws: `VALIDATION_FAILED`.
    static func accepted(_ plan: Plan) throws(KeybearerError) -> Plan {
        var plan = plan
        plan.name = NameRules.normalised(plan.name)
        var problems: [String: String] = [:]
        let isID = plan.id.rawValue.utf8.allSatisfy {
            (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95
        }
        if !isID || !(1...40).contains(plan.id.rawValue.utf8.count) {
            problems["id"] = "Use 1 to 40 lower-case letters, digits, hyphens or underscores."
        }
        problems["name"] = NameRules.problem(with: plan.name)
        if !(1...1_000_000_000).contains(plan.hourlyLimit) { problems["hourlyLimit"] = "Use 1 to 1,000,000,000." }
        if !(-1_000_000...1_000_000).contains(plan.position) { problems["position"] = "Use -1,000,000 to 1,000,000." }
        let unknown = plan.features.subtracting(Feature.all).sorted()
        if !unknown.isEmpty {
            problems["features"] =
                "Unknown: \(unknown.map { "'\($0)'" }.joined(separator: ", ")). Use these features: "
                + Feature.all.map(\.rawValue).joined(separator: ", ") + "."
        }
        guard problems.isEmpty else { throw KeybearerError.validation(problems) }
        return plan
    }

    /// Deletes a plan that no workspace is on; answers when no node has it any more.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when workspaces are on it, or new ones start on it.
    public func deletePlan(_ id: PlanID, by authority: Authority) async throws {
        await propagation.waitUntilApplied(
            try await context.store.deletePlan(
                id, by: authority, audit: context.event(.planDeleted, by: authority, detail: id.rawValue)))
    }

    /// Adds a member or changes a member's role.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when the last Owner would be gone.
    public func putMember(_ userID: UserID, in id: WorkspaceID, role: Role, by authority: Authority) async throws {
        await propagation.waitUntilApplied(
            try await context.store.putMember(
                Membership(workspaceID: id, userID: userID, role: role), by: authority, needs: nil,
                audit: context.event(.memberAdded, by: authority, user: userID, workspace: id, detail: role.rawValue)))
    }

    /// Removes a member; answers when its key no longer passes for this workspace on any node.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner.
    public func removeMember(_ userID: UserID, from id: WorkspaceID, by authority: Authority) async throws {
        await propagation.waitUntilApplied(
            try await context.store.removeMember(
                userID, from: id, by: authority, needs: nil,
                audit: context.event(.memberRemoved, by: authority, user: userID, workspace: id)))
    }
}

/// Where a page of a list begins.
enum PageOffset {
    /// How many entries stand before a page; as many as can be counted when there are more.
    static func of(page: Int, limit: Int) -> Int {
        let (offset, isTooLarge) = (max(1, page) - 1).multipliedReportingOverflow(by: max(0, limit))
        return isTooLarge ? .max : offset
    }
}
