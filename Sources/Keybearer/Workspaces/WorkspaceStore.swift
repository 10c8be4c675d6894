/// Workspaces, memberships and the catalogue of plans.
package protocol WorkspaceStore: Sendable {
    /// All plans in the order of the catalogue.
    func plans() async throws -> [Plan]
    /// Adds a plan or replaces the one with its id.
    func putPlan(_ plan: Plan, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void>
    /// Deletes a plan.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when workspaces are on it, or when it is the first of the catalogue.
    func deletePlan(_ id: PlanID, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void>
    /// Adds a workspace on the catalogue's first plan.
    ///
    /// - Throws: `NOT_FOUND` when the owner does not exist.
    func createWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Workspace>
    /// The workspace with this id and its plan.
    func workspace(id: WorkspaceID) async throws -> (workspace: Workspace, plan: Plan)?
    /// All workspaces in the order of their creation, with the number of their members.
    func workspaces(offset: Int, limit: Int) async throws -> (
        page: [(workspace: Workspace, memberCount: Int)], total: Int
    )
    /// The members of a workspace.
    func members(of workspaceID: WorkspaceID) async throws -> [(user: User, role: Role)]
    /// Moves a workspace to a plan.
    ///
    /// - Throws: `NOT_FOUND` when the workspace or the plan does not exist.
    func setPlan(
        _ planID: PlanID, of workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement?,
        audit: AuditEvent
    ) async throws -> Committed<Void>
    /// Adds a member or changes the role of one.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when the last Owner would be gone.
    func putMember(_ membership: Membership, by authority: Authority, audit: AuditEvent) async throws
        -> Committed<Void>
    /// Removes a member.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner.
    func removeMember(
        _ userID: UserID, from workspaceID: WorkspaceID, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void>
}
