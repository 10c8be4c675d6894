import Keybearer
import NIOCore

/// The JSON of `/api/v1/me`, of which all but last use and budget is encoded once per account.
enum ProfileJSON {
    /// What does not change with requests: the part up to the last use, and the part behind it.
    static func parts(of account: Account) -> (first: String, second: String) {
        let user = account.user
        var first = #"{"id":"\#(user.id)","email":"# + JSONText.quote(user.email.rawValue)
        first += #","name":"# + JSONText.quote(user.name) + #","createdAt":"\#(user.createdAt)","#
        first += #""key":{"prefix":"\#(account.key.shownPrefix)","generatedAt":"\#(account.key.generatedAt)","#
        let workspaces = account.workspaces.map { WorkspaceBody($0).profileText }
        let second = #"},"workspaces":["# + workspaces.joined(separator: ",") + #"],"rateLimit":"#
        return (first, second)
    }

    /// Makes the whole success envelope.
    static func make(_ account: CachedAccount, lastUse: LastUse?, rateLimit: RateLimitStatus) -> ByteBuffer {
        ResponseFragments.withProfile(account) { first, second in
            var buffer = ByteBufferAllocator().buffer(capacity: first.count + second.count + 256)
            buffer.writeStaticString(#"{"ok":true,"data":"#)
            buffer.writeBytes(first)
            if let lastUse {
                buffer.writeStaticString(#""lastUsedAt":""#)
                buffer.writeString(lastUse.at.description)
                if let address = lastUse.address.textIfAny {
                    buffer.writeStaticString(#"","lastUsedIp":""#)
                    buffer.writeString(address)
                    buffer.writeStaticString("\"")
                } else {
                    buffer.writeStaticString(#"","lastUsedIp":null"#)
                }
            } else {
                buffer.writeStaticString(#""lastUsedAt":null,"lastUsedIp":null"#)
            }
            buffer.writeBytes(second)
            buffer.writeStaticString(#"{"limit":"#)
            buffer.writeString(ASCIIText.make(capacity: 20) { $0.number(Int64(rateLimit.limit)) })
            buffer.writeStaticString(#","remaining":"#)
            buffer.writeString(ASCIIText.make(capacity: 20) { $0.number(Int64(rateLimit.remaining)) })
            buffer.writeStaticString(#","resetAt":""#)
            buffer.writeString(rateLimit.resetAt.description)
            buffer.writeStaticString("\"}}}")
            return buffer
        }
    }
}

/// A workspace as the API shows it.
struct WorkspaceBody: Encodable {
    let id: String
    let name: String
    let role: String
    let plan: String
    let features: [String]
    let createdAt: String

    init(_ access: WorkspaceAccess) {
        id = access.workspace.id.rawValue
        name = access.workspace.name
        role = access.role.rawValue
        plan = access.plan.id.rawValue
        features = access.plan.features.sorted().map(\.rawValue)
        createdAt = access.workspace.createdAt.description
    }

    /// The form inside a profile, which has no `createdAt`.
    var profileText: String {
        let quoted = features.map(JSONText.quote).joined(separator: ",")
        return #"{"id":"\#(id)","name":"# + JSONText.quote(name) + #","role":"\#(role)","plan":"#
            + JSONText.quote(plan) + #","features":[\#(quoted)]}"#
    }
}

/// A key's record as the API shows it; the key itself only in the answer that made it.
struct KeyBody: Encodable {
    let key: String?
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

    /// Writes nulls for what never happened, and leaves out a key that is not shown.
    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encodeIfPresent(key, forKey: .key)
        try fields.encode(prefix, forKey: .prefix)
        try fields.encode(generatedAt, forKey: .generatedAt)
        try fields.encode(lastUsedAt, forKey: .lastUsedAt)
        try fields.encode(lastUsedIp, forKey: .lastUsedIp)
    }
}
