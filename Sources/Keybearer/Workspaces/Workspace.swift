/// A tenant of the product: it has a plan and members.
public struct Workspace: Sendable, Hashable {
    /// Names the workspace.
    public let id: WorkspaceID
    /// What people call it; 1 to 200 characters and at most 1,000 bytes.
    public let name: String
    /// The plan it is on.
    public let planID: PlanID
    /// When it was made.
    public let createdAt: Timestamp
    /// What the product calls it; nil where it gave no id.
    public let externalID: ExternalID?
    /// Whether the operator has suspended it: as if its plan had no feature.
    public let isSuspended: Bool
    /// Rises with every change of the record itself.
    public let version: Int
    /// When the record was changed last.
    public let updatedAt: Timestamp
    /// The limit that holds there instead of the plan's; nil where that does.
    public let limit: LimitOverride?
    /// When it leaves its plan by itself; nil for never.
    public let planEnd: PlanEnd?

    /// Puts a workspace together.
    ///
    /// - Parameter updatedAt: nil for a new one.
    package init(
        id: WorkspaceID, name: String, planID: PlanID, createdAt: Timestamp, externalID: ExternalID? = nil,
        isSuspended: Bool = false, version: Int = 1, updatedAt: Timestamp? = nil, limit: LimitOverride? = nil,
        planEnd: PlanEnd? = nil
    ) {
        self.id = id
        self.name = name
        self.planID = planID
        self.createdAt = createdAt
        self.externalID = externalID
        self.isSuspended = isSuspended
        self.version = version
        self.updatedAt = updatedAt ?? createdAt
        self.limit = limit
        self.planEnd = planEnd
    }
}

/// What a member may do in a workspace.
public enum Role: String, Sendable, Hashable, CaseIterable, Codable {
    /// Everything, plan and deletion included.
    case owner
    /// Members and settings.
    case admin
    /// Use, nothing more.
    case member

    /// The name that people read: `Owner`, `Admin`, `Member`.
    public var displayName: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}

/// A user's place in a workspace.
package struct Membership: Sendable, Hashable {
    /// The workspace.
    package let workspaceID: WorkspaceID
    /// The member.
    package let userID: UserID
    /// What the member may do there.
    package let role: Role

    /// Puts a membership together.
    package init(workspaceID: WorkspaceID, userID: UserID, role: Role) {
        self.workspaceID = workspaceID
        self.userID = userID
        self.role = role
    }
}

/// One of an account's workspaces with everything that a decision or a page needs of it.
public struct WorkspaceAccess: Sendable, Hashable {
    /// The workspace.
    public let workspace: Workspace
    /// The account's role there.
    public let role: Role
    /// The workspace's plan.
    public let plan: Plan

    /// Whether requests with a key pass in this workspace.
    public var includesAPI: Bool { plan.includesAPI && !workspace.isSuspended }

    /// Requests in any 60 minutes here, before an override of the account.
    public var hourlyLimit: Int { workspace.limit?.hourlyLimit ?? plan.hourlyLimit }

    /// Puts the parts together.
    package init(workspace: Workspace, role: Role, plan: Plan) {
        self.workspace = workspace
        self.role = role
        self.plan = plan
    }
}
