package import Keybearer

/// A workspace, for its operator.
package struct WorkspaceRecordJSON: JSONNoun {
    let id: WorkspaceID
    let externalId: Nullable<String>
    let name: String
    let plan: PlanID
    /// When it leaves the plan by itself, and the plan that it is on then; null for never.
    let planEndsAt: Nullable<Timestamp>
    let nextPlan: Nullable<PlanID>
    /// Null where the plan's limit holds.
    let limit: Nullable<LimitJSON>
    /// Whether keys pass there: the plan has the feature, and the workspace is not suspended.
    let includesAPI: Bool
    let suspended: Bool
    let createdAt: Timestamp
    let updatedAt: Timestamp
    /// For `If-Match`.
    let version: Int
    /// How many people are members; only in lists.
    let members: Int?

    package init(_ workspace: Workspace, plan: Plan, members: Int? = nil) {
        (id, name) = (workspace.id, workspace.name)
        externalId = Nullable(workspace.externalID?.rawValue)
        self.plan = plan.id
        planEndsAt = Nullable(workspace.planEnd?.at)
        nextPlan = Nullable(workspace.planEnd?.nextPlanID)
        limit = Nullable(workspace.limit.map { LimitJSON($0) })
        includesAPI = plan.includesAPI && !workspace.isSuspended
        suspended = workspace.isSuspended
        (createdAt, updatedAt, version) = (workspace.createdAt, workspace.updatedAt, workspace.version)
        self.members = members
    }

    package static let noun = "WorkspaceRecord"
    package static let sample = WorkspaceRecordJSON(
        WorkspaceAccess.sample.workspace, plan: WorkspaceAccess.sample.plan)
}

/// A member of a workspace.
package struct MemberJSON: JSONNoun {
    let user: UserID
    let kind: User.Kind
    let externalId: Nullable<String>
    /// Null for a service account.
    let email: Nullable<String>
    let name: String
    let status: String
    let role: Role

    package init(_ user: User, role: Role) {
        (self.user, kind, externalId) = (user.id, user.kind, Nullable(user.externalID?.rawValue))
        (email, name, status) = (Nullable(user.address?.rawValue), user.name, user.status.rawValue)
        self.role = role
    }

    package static let noun = "Member"
    package static let sample = MemberJSON(
        User(
            id: UserID(rawValue: "usr_a1"), email: EmailAddress(normalised: "ada@example.com"), name: "Ada",
            createdAt: Timestamp(millisecondsSinceEpoch: 0)), role: .owner)
}
