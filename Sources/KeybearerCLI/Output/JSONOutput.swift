import Keybearer
import KeybearerServer

/// An account that a command made, as `--json` prints it.
struct NewUserJSON: Encodable {
    let user: UserJSON
    /// Only where the command made it up.
    let password: String?

    func encode(to encoder: any Encoder) throws {
        try user.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(password, forKey: .password)
    }

    private enum CodingKeys: String, CodingKey {
        case password
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

/// An operator token as `--json` prints it; the secret only where it was made.
struct OperatorTokenJSON: Encodable {
    let id: String
    let name: String
    let scopes: [String]
    let createdAt: String
    let expiresAt: String?
    let prefix: String?
    let lastUsedAt: String?
    let lastUsedIp: String?
    let token: String?

    init(_ token: OperatorToken, secret: OperatorSecret? = nil) {
        id = token.id.rawValue
        name = token.name
        scopes = token.scopes.sorted().map(\.rawValue)
        createdAt = token.createdAt.description
        expiresAt = token.expiresAt?.description
        prefix = token.shownPrefix
        lastUsedAt = token.lastUse?.at.description
        lastUsedIp = token.lastUse?.address.description
        self.token = secret?.characters
    }
}
