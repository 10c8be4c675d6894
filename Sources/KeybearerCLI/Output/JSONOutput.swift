import Keybearer

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

/// A key's record as `--json` prints it; the key itself only where it was asked for.
struct KeyJSON: Encodable {
    var key: String?
    let prefix: String
    let generatedAt: String
    let lastUsedAt: String?
    let lastUsedIp: String?

    init(_ record: APIKey, secret: SecretKey? = nil) {
        key = secret?.characters
        prefix = record.shownPrefix
        generatedAt = record.generatedAt.description
        lastUsedAt = record.lastUse?.at.description
        lastUsedIp = record.lastUse?.address.textIfAny
    }

    private enum Field: String, CodingKey {
        case key, prefix, generatedAt, lastUsedAt, lastUsedIp
    }

    /// Writes nulls for what never happened and for a local socket, and leaves out a key that is not shown.
    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encodeIfPresent(key, forKey: .key)
        try fields.encode(prefix, forKey: .prefix)
        try fields.encode(generatedAt, forKey: .generatedAt)
        try fields.encode(lastUsedAt, forKey: .lastUsedAt)
        try fields.encode(lastUsedIp, forKey: .lastUsedIp)
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
