import HTTPTypes
import HummingbirdCore
import Keybearer

extension RequestContext {
    /// Whether the browser keeps the session's cookie, which is `Secure`: over HTTPS, and under the names of its own machine.
    var keepsSessions: Bool { isHTTPS || SecureContext.isLocal(authority: request.head.authority ?? "") }
}

/// The origins that browsers take as secure without HTTPS.
enum SecureContext {
    /// Whether a host with or without a port is the browser's own machine: `localhost` and the names below it,
    /// `127.0.0.0/8` and `[::1]`.
    static func isLocal(authority: String) -> Bool {
        let host = host(of: authority).lowercased()
        if host.hasPrefix("[") { return IPAddress(host.dropFirst().dropLast())?.isLoopback ?? false }
        let name = host.hasSuffix(".") ? host.dropLast() : host[...]
        if name == "localhost" || name.hasSuffix(".localhost") { return true }
        return IPAddress(host[...]).map { $0.isV4 && $0.isLoopback } ?? false
    }

    /// A host without its port.
    static func host(of authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return String(authority[...end]) }
        return String(authority.prefix { $0 != ":" })
    }

    /// A port with its colon; empty where none is given.
    static func port(of authority: String) -> String { String(authority.dropFirst(host(of: authority).count)) }
}
