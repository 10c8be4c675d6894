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
    /// Adds a workspace.
    ///
    /// - Parameter limit: how many the owner may own with this one; nil for any number.
    /// - Throws: `NOT_FOUND` when the owner does not exist; `CONFLICT` beyond the limit.
    func createWorkspace(
        _ new: NewWorkspace, ownedAtMost limit: Int?, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Workspace>
    /// Changes the record of a workspace.
    ///
    /// - Throws: `NOT_FOUND`.
    func updateWorkspace(
        _ update: WorkspaceUpdate, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<Workspace>
    /// Removes a workspace with its memberships and its service accounts.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` where it has other service accounts by then.
    func deleteWorkspace(
        _ deletion: WorkspaceDeletion, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<Void>
    /// Sets the workspace that an account's dashboard begins with. No node has to hear of it.
    func setDefaultWorkspace(
        _ id: WorkspaceID, of userID: UserID, by authority: Authority, needs requirement: Requirement?,
        audit: AuditEvent
    ) async throws
    /// The workspace with this id and its plan.
    func workspace(id: WorkspaceID) async throws -> (workspace: Workspace, plan: Plan)?
    /// All workspaces in the order of their creation, with the number of their members.
    func workspaces(offset: Int, limit: Int) async throws -> (
        page: [(workspace: Workspace, memberCount: Int)], total: Int
    )
    /// The members of a workspace.
    func members(of workspaceID: WorkspaceID) async throws -> [(user: User, role: Role)]
    /// Some of the members of a workspace, oldest account first, and how many match.
    func members(of workspaceID: WorkspaceID, matching filter: MemberFilter) async throws -> (
        page: [(user: User, role: Role)], total: Int
    )
    /// Moves a workspace to a plan.
    ///
    /// - Throws: `NOT_FOUND` when the workspace or the plan does not exist.
    func setPlan(
        _ planID: PlanID, of workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement?,
        audit: AuditEvent
    ) async throws -> Committed<Void>
    /// Adds a member or changes the role of one.
    ///
    /// - Parameter requirement: nil for the operator. A member adds nobody, and needs `manage_owners` where the role is or
    ///   becomes an Owner's.
    /// - Throws: `NOT_FOUND`; `CONFLICT` when the last Owner would be gone.
    func putMember(
        _ membership: Membership, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<Void>
    /// Removes a member.
    ///
    /// - Parameter requirement: nil for the operator. A member needs `manage_owners` for another Owner.
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner.
    func removeMember(
        _ userID: UserID, from workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement?,
        audit: AuditEvent
    ) async throws -> Committed<Void>
}
