import Keybearer
import NIOCore

/// What responses say of an account whatever is asked, made at the first response for it.
///
/// One piece of memory, with what the gate answers first: where many accounts are asked for, each line of the
/// processor's cache that a response reads is waited for, and every text of an account is a piece of its own.
enum ResponseFragments {
    private static let headLength = 8

    /// The lengths of the first two parts, four bytes each, then the gate's identity and the profile's two parts.
    static func make(_ account: Account) -> [UInt8] {
        let identity = GateIdentity.make(account)
        let (first, second) = ProfileBytes.parts(of: account)
        let lengths = [identity.count, first.utf8.count].flatMap { length in
            (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
        }
        return lengths + identity + Array(first.utf8) + Array(second.utf8)
    }

    /// Calls `body` with the identity headers of a request that names no workspace.
    @inline(__always)
    static func withIdentity<Result>(
        _ account: CachedAccount, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try withFragments(of: account) { fragments in
            let end = headLength + length(0, fragments)
            return try body(UnsafeRawBufferPointer(rebasing: fragments[headLength..<end]))
        }
    }

    /// Calls `body` with the profile's parts, up to the last use and behind it.
    static func withProfile<Result>(
        _ account: CachedAccount, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try withFragments(of: account) { fragments in
            let start = headLength + length(0, fragments)
            let middle = start + length(1, fragments)
            return try body(
                UnsafeRawBufferPointer(rebasing: fragments[start..<middle]),
                UnsafeRawBufferPointer(rebasing: fragments[middle...]))
        }
    }

    @inline(__always)
    private static func withFragments<Result>(
        of account: CachedAccount, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try account.responseBytes.withBytes(madeBy: { make(account.account) }, body)
    }

    private static func length(_ part: Int, _ fragments: UnsafeRawBufferPointer) -> Int {
        Int(UInt32(littleEndian: fragments.loadUnaligned(fromByteOffset: part * 4, as: UInt32.self)))
    }
}

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
        var first = #"{"id":"\#(user.id)","kind":"\#(user.kind.rawValue)","email":"#
        first += user.address.map { JSONText.quote($0.rawValue) } ?? "null"
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
