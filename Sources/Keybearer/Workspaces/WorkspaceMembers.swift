/// What members do with each other, by the roles of ``Permissions``.
extension WorkspaceService {
    /// Gives a member another role; returns when it holds on every node.
    ///
    /// - Throws: `NOT_FOUND` for who is no member; `FORBIDDEN`, also where an Owner is concerned and the caller is none;
    ///   `CONFLICT` when no Owner would be left.
    public func changeRole(of userID: UserID, in id: WorkspaceID, to role: Role, by authority: Authority) async throws {
        await propagation.waitUntilApplied(
            try await context.store.putMember(
                Membership(workspaceID: id, userID: userID, role: role), by: authority,
                needs: Requirement(.manageMembers, in: id),
                audit: context.event(
                    .memberRoleChanged, by: authority, user: userID, workspace: id, detail: role.rawValue)))
    }

    /// Takes a member out of a workspace; returns when its key no longer passes there on any node.
    ///
    /// - Throws: as ``changeRole(of:in:to:by:)``.
    public func dismiss(_ userID: UserID, from id: WorkspaceID, by authority: Authority) async throws {
        try await remove(userID, from: id, needs: .manageMembers, by: authority)
    }

    /// Leaves a workspace.
    ///
    /// - Throws: `CONFLICT` for its last Owner.
    public func leave(_ id: WorkspaceID, as userID: UserID, by authority: Authority) async throws {
        try await remove(userID, from: id, needs: .leaveWorkspace, by: authority)
    }

    private func remove(
        _ userID: UserID, from id: WorkspaceID, needs action: Action, by authority: Authority
    ) async throws {
        await propagation.waitUntilApplied(
            try await context.store.removeMember(
                userID, from: id, by: authority, needs: Requirement(action, in: id),
                audit: context.event(.memberRemoved, by: authority, user: userID, workspace: id)))
    }

    /// How many Owners a workspace has.
    public func ownerCount(of id: WorkspaceID) async throws -> Int {
        try await context.store.members(of: id, matching: MemberFilter(role: .owner, limit: 1)).total
    }
}
