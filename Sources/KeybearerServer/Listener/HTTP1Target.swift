import NIOHTTP1

/// The targets of requests that are no paths (RFC 9112 §3.2).
enum HTTP1Target {
    /// A request whose target is `http://host/path` as the same request for `/path` with that `Host`: the target wins,
    /// whatever `Host` said. `*` and the target of `CONNECT` stay as they are.
    ///
    /// The scheme says nothing of how the request came here, and is forgotten.
    ///
    /// - Returns: nil when the target is malformed, or of another scheme than `http` and `https`.
    static func inOriginForm(_ head: HTTPRequestHead) -> HTTPRequestHead? {
        if head.method == .CONNECT || (head.method == .OPTIONS && head.uri == "*") { return head }
        guard let colon = head.uri.firstRange(of: "://"),
            ["http", "https"].contains(head.uri[..<colon.lowerBound].lowercased())
        else { return nil }
        let rest = head.uri[colon.upperBound...].utf8
        let authority = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        guard !authority.isEmpty, authority.first != UInt8(ascii: ":"), HostText.isValid(authority) else { return nil }
        var plain = head
        let path = Substring(rest[authority.endIndex...])
        plain.uri = path.utf8.first == UInt8(ascii: "/") ? String(path) : "/\(path)"
        plain.headers.replaceOrAdd(name: "host", value: String(Substring(authority)))
        return plain
    }
}
