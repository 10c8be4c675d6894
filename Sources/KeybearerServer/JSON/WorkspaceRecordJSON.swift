package import Keybearer

/// A workspace, for its operator.
package struct WorkspaceRecordJSON: JSONNoun {
    let id: WorkspaceID
    let externalId: Nullable<String>
    let name: String
    let plan: PlanID
    /// Whether keys pass there: the plan has the feature, and the workspace is not suspended.
    let includesAPI: Bool
    let suspended: Bool
    let createdAt: Timestamp
    let updatedAt: Timestamp
    /// For `If-Match`.
    let version: Int
    /// How many members it has; only in lists.
    let members: Int?

    package init(_ workspace: Workspace, plan: Plan, members: Int? = nil) {
        (id, name) = (workspace.id, workspace.name)
        externalId = Nullable(workspace.externalID?.rawValue)
        self.plan = plan.id
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
    let externalId: Nullable<String>
    let email: String
    let name: String
    let status: String
    let role: Role

    package init(_ user: User, role: Role) {
        (self.user, externalId) = (user.id, Nullable(user.externalID?.rawValue))
        (email, name, status) = (user.email.rawValue, user.name, user.status.rawValue)
        self.role = role
    }

    package static let noun = "Member"
    package static let sample = MemberJSON(
        User(
            id: UserID(rawValue: "usr_a1"), email: EmailAddress(normalised: "ada@example.com"), name: "Ada",
            createdAt: Timestamp(millisecondsSinceEpoch: 0)), role: .owner)
}
