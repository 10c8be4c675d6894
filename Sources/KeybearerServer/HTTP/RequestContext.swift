import HTTPTypes
import Hummingbird
import Keybearer
import NIOCore
import Synchronization

/// One request as handlers see it: parsed, with the client's address decided and the path's parameters named.
struct RequestContext: Sendable {
    /// The request itself.
    let request: Request
    /// Who the client is, by the trusted-proxy rules.
    let client: IPAddress
    /// Names the request in answers and logs.
    let requestID: String
    /// The path's parameters, such as `workspaceID`, as they are in the path.
    var parameters: [String: String]
    /// Whether it came over HTTPS, or from a tool on the same machine.
    var isSecure = false
    /// Tells the connection that the body is about to be read.
    var requestBody: @Sendable () -> Void = {}
    /// The whole body, where the route takes one: read before the credential was decided.
    var content = ByteBuffer()
    /// The memory that the body takes: given back with the exchange.
    var contentHolding: BodyMemory.Holding?
    /// Whether the client used `https:`, be it to this server or to a trusted proxy.
    var isHTTPS = false
    /// The trace that it is part of, with this server as its latest part.
    var trace: TraceContext?
    /// What the access log gets of it; nil where there is none.
    var logged: LoggedRequest?

    /// The address of this server as the client wrote it, for examples that are shown back to it.
    var baseURL: String {
        (isHTTPS ? "https://" : "http://") + (plainAuthority.isEmpty ? "localhost" : plainAuthority)
    }

    /// The host with its port as the client wrote it, to be shown; empty where it holds more than a host's characters.
    var plainAuthority: String {
        let authority = request.head.authority ?? ""
        let isPlain = authority.utf8.allSatisfy { byte in
            byte.isASCIILetterOrDigit
                || ".-:[]".utf8.contains(byte)
        }
        return isPlain ? authority : ""
    }

    /// The fields of the request.
    var headers: HTTPFields { request.headers }

    /// What the client says it is, as it is kept of a key's uses.
    var clientName: String { headers[.userAgent].map { ClientName.visible($0.utf8) } ?? "" }

    /// The query's parameters; the last wins. Malformed escapes make it nil.
    var query: [String: String]? {
        guard let path = request.head.path, let mark = path.firstIndex(of: "?") else { return [:] }
        return FormText.parse(path[path.index(after: mark)...])
    }

    /// The form that a page sent.
    func form() throws -> [String: String] {
        let type = headers[.contentType]?.split(separator: ";").first?.lowercased()
        guard type == "application/x-www-form-urlencoded" else {
            throw KeybearerError(.unsupportedMediaType, "Send a form.")
        }
        guard let form = FormText.parse(Substring(String(buffer: content))) else {
            throw KeybearerError(.badRequest, "The form could not be read.")
        }
        return form
    }

    /// A header that makes sense once; nil where it was not sent.
    ///
    /// - Throws: `BAD_REQUEST` where it was sent several times.
    func single(_ name: HTTPField.Name) throws(KeybearerError) -> String? {
        let values = headers[values: name]
        guard values.count <= 1 else { throw KeybearerError(.badRequest, "Send \(name.rawName) once.") }
        return values.first
    }

    /// All that is asked for, byte for byte: what an idempotency key belongs to.
    var asked: [UInt8] {
        Array("\(request.method.rawValue) \(request.head.path ?? "")\n".utf8) + Array(content.readableBytesView)
    }

    /// The key that admitted the request, in the version in which it did.
    func authority(of account: CachedAccount) -> Authority {
        let (user, key) = (account.account.user, account.account.key)
        return Authority(.key(key.id, version: key.version, of: user.id), from: client)
    }

    /// Accepts no body or an empty JSON object; anything else is a mistake that should be noticed.
    func requireNoContent() throws(KeybearerError) {
        guard content.readableBytes > 0 else { return }
        let members = try JSONInput.object(self)
        if !members.isEmpty {
            throw KeybearerError.validation(
                Dictionary(uniqueKeysWithValues: members.keys.prefix(20).map { ($0, "This field is not known.") }))
        }
    }
}

/// Names requests, so that an answer, a log line and a person's report can be brought together: `req_`, eight random
/// characters of this process, and a count.
enum RequestIdentifier {
    private static let counter = Atomic<UInt64>(0)
    static let prefix: String = {
        let alphabet = Array("0123456789abcdefghijkmnpqrstuvwxyz")
        return "req_" + String((0..<8).compactMap { _ in alphabet.randomElement() })
    }()

    static func next() -> String { text(nextNumber()) }

    /// The identifier with this number.
    static func text(_ number: UInt64) -> String { prefix + String(number, radix: 16) }

    /// How many characters the identifier with this number has.
    static func length(of number: UInt64) -> Int {
        prefix.utf8.count + max(1, (UInt64.bitWidth - number.leadingZeroBitCount + 3) / 4)
    }

    /// The count alone, for whoever writes the digits itself.
    static func nextNumber() -> UInt64 { counter.wrappingAdd(1, ordering: .relaxed).newValue }
}
