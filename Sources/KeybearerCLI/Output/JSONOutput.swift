import Keybearer
import KeybearerServer

/// An account as `--json` prints it.
struct AccountJSON: Encodable {
    let id: String
    let email: String
    let name: String
    let status: String
    let `operator`: Bool
    let createdAt: String
    let key: KeyJSON
    let workspaces: [MembershipJSON]
    /// Only where the command made it up.
    let password: String?

    init(_ account: Account, password: String? = nil) {
        self.password = password
        id = account.user.id.rawValue
        email = account.user.email.rawValue
        name = account.user.name
        status = account.user.status.rawValue
        `operator` = account.user.isOperator
        createdAt = account.user.createdAt.description
        key = KeyJSON(account.key)
        workspaces = account.workspaces.map(MembershipJSON.init)
    }
}

/// One of an account's workspaces as `--json` prints it.
struct MembershipJSON: Encodable {
    let id: String
    let name: String
    let role: String
    let plan: String

    init(_ access: WorkspaceAccess) {
        id = access.workspace.id.rawValue
        name = access.workspace.name
        role = access.role.rawValue
        plan = access.plan.id.rawValue
    }
}

/// A workspace as `--json` prints it.
struct WorkspaceJSON: Encodable {
    let id: String
    let name: String
    let plan: String
    let createdAt: String
    let members: Int?

    init(_ workspace: Workspace, members: Int? = nil) {
        id = workspace.id.rawValue
        name = workspace.name
        plan = workspace.planID.rawValue
        createdAt = workspace.createdAt.description
        self.members = members
    }
}

/// A plan as `--json` prints it.
struct PlanJSON: Encodable {
    let id: String
    let name: String
    let features: [String]
    let hourlyLimit: Int
    let billingURL: String?

    init(_ plan: Plan) {
        id = plan.id.rawValue
        name = plan.name
        features = plan.features.sorted().map(\.rawValue)
        hourlyLimit = plan.hourlyLimit
        billingURL = plan.billingURL?.description
    }
}

/// An operator token as `--json` prints it; the secret only where it was made.
struct OperatorTokenJSON: Encodable {
    let id: String
    let name: String
    let scopes: [String]
    let createdAt: String
    let token: String?

    init(_ token: OperatorToken, secret: OperatorSecret? = nil) {
        id = token.id.rawValue
        name = token.name
        scopes = token.scopes.sorted().map(\.rawValue)
        createdAt = token.createdAt.description
        self.token = secret?.characters
    }
}
