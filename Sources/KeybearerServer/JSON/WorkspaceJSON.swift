import Keybearer

/// One of the account's workspaces.
struct WorkspaceJSON: JSONNoun {
    let id: WorkspaceID
    let name: String
    let role: Role
    let plan: PlanID
    let features: [Feature]
    let createdAt: Timestamp

    init(_ access: WorkspaceAccess) {
        let inProfile = Profile.WorkspaceJSON(access)
        (id, name, role, plan) = (inProfile.id, inProfile.name, inProfile.role, inProfile.plan)
        features = inProfile.features
        createdAt = access.workspace.createdAt
    }

    static let noun = "Workspace"
    static let sample = WorkspaceJSON(.sample)
}

extension WorkspaceAccess {
    /// For schemas.
    static let sample = WorkspaceAccess(
        workspace: Workspace(
            id: WorkspaceID(rawValue: "ws_a1"), name: "Ada’s workspace", planID: PlanID(rawValue: "pro"),
            createdAt: Timestamp(millisecondsSinceEpoch: 0)),
        role: .owner, plan: Plan.defaultCatalogue[1])
}
