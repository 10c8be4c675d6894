import Keybearer
import NIOCore

/// The envelope around a ``Profile``, of which all but last use and rate limit is encoded once per account: what
/// `/api/v1/me` answers without encoding anything.
struct ProfileBytes: ResponseValue {
    private let body: ByteBuffer

    static var content: ResponseContent { Success<Profile>.content }

    init(_ account: CachedAccount, lastUse: LastUse?, rateLimit: RateLimitStatus) {
        body = ResponseFragments.withProfile(account) { first, second in
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

    func response() -> APIResponse { APIResponse.json(body) }

    /// What does not change with requests: the part up to the last use, and the part behind it.
    static func parts(of account: Account) -> (first: String, second: String) {
        let user = account.user
        var first = #"{"id":"\#(user.id)","email":"# + JSONText.quote(user.email.rawValue)
        first += #","name":"# + JSONText.quote(user.name) + #","createdAt":"\#(user.createdAt)","#
        first += #""key":{"prefix":"\#(account.key.shownPrefix)","generatedAt":"\#(account.key.generatedAt)","#
        let workspaces = account.workspaces.map { text(of: Profile.WorkspaceJSON($0)) }
        let second = #"},"workspaces":["# + workspaces.joined(separator: ",") + #"],"rateLimit":"#
        return (first, second)
    }

    private static func text(of workspace: Profile.WorkspaceJSON) -> String {
        let features = workspace.features.map { JSONText.quote($0.rawValue) }.joined(separator: ",")
        return #"{"id":"\#(workspace.id)","name":"# + JSONText.quote(workspace.name)
            + #","role":"\#(workspace.role.rawValue)","plan":"# + JSONText.quote(workspace.plan.rawValue)
            + #","features":[\#(features)]}"#
    }
}
