package import Keybearer

/// An account, for its operator: without its key.
package struct UserJSON: JSONNoun {
    let id: UserID
    let kind: User.Kind
    let externalId: Nullable<String>
    /// Null for a service account.
    let email: Nullable<String>
    let emailVerified: Bool
    let name: String
    let status: String
    let hasPassword: Bool
    /// Null where the plans' limits hold.
    let limit: Nullable<LimitJSON>
    /// From where the key may be used; null for everywhere.
    let allowedNetworks: Nullable<[String]>
    let `operator`: Bool
    let createdAt: Timestamp
    let updatedAt: Timestamp
    /// For `If-Match`.
    let version: Int
    let key: KeyJSON
    let workspaces: [UserWorkspaceJSON]

    package init(_ account: Account, key: APIKey? = nil) {
        let user = account.user
        (id, kind, externalId) = (user.id, user.kind, Nullable(user.externalID?.rawValue))
        email = Nullable(user.address?.rawValue)
        (emailVerified, name, status) = (user.isEmailVerified, user.name, user.status.rawValue)
        (hasPassword, `operator`) = (user.hasPassword, user.isOperator)
        limit = Nullable(user.limit.map { LimitJSON($0) })
        allowedNetworks = Nullable(user.allowedNetworks?.texts)
        (createdAt, updatedAt, version) = (user.createdAt, user.updatedAt, user.version)
        self.key = KeyJSON(key ?? account.key)
        workspaces = account.workspaces.map { UserWorkspaceJSON($0) }
    }

    package static let noun = "User"
    package static let sample = UserJSON(sampleAccount)
    static let sampleAccount = Account(
        user: User(
            id: UserID(rawValue: "usr_a1"), email: EmailAddress(normalised: "ada@example.com"), name: "Ada",
            createdAt: Timestamp(millisecondsSinceEpoch: 0)),
        key: APIKey(
            id: KeyID(rawValue: "key_a1"), version: 1, shownPrefix: "tdc_a1b2",
            generatedAt: Timestamp(millisecondsSinceEpoch: 0)),
        workspaces: [.sample])
}

/// One of an account's workspaces, for its operator.
package struct UserWorkspaceJSON: JSONNoun {
    let id: WorkspaceID
    let externalId: Nullable<String>
    let name: String
    let role: Role
    let plan: PlanID

    package init(_ access: WorkspaceAccess) {
        id = access.workspace.id
        externalId = Nullable(access.workspace.externalID?.rawValue)
        (name, role, plan) = (access.workspace.name, access.role, access.plan.id)
    }

    package static let noun = "UserWorkspace"
    package static let sample = UserWorkspaceJSON(.sample)
}
