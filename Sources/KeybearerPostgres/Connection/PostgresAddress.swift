import CLibPQ

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A connection string as libpq reads it: `postgres://…`, or keywords such as `host=db dbname=keybearer`.
///
/// Its parts come from libpq's own parser, so that what is shown can never be a part of a password that another parser
/// would have taken for a host.
package struct PostgresAddress: Sendable, Equatable {
    /// The connection string. It may hold a password.
    package let text: String
    private let parts: [String: String]

    /// Reads a connection string; nil when libpq does not accept it, or when a character that must be escaped makes its
    /// parts other ones than were meant.
    package init?(_ text: String) {
        guard Self.isConnectionString(text), let parts = Self.parse(text), Self.isMeant(parts, by: text) else {
            return nil
        }
        self.text = text
        self.parts = parts
    }

    /// Whether a text is meant as a connection string: it begins with libpq's scheme, or with a name and `=`.
    package static func isConnectionString(_ text: String) -> Bool {
        if isURL(text) { return true }
        return text.prefixMatch(of: /\s*[A-Za-z_]+\s*=/) != nil
    }

    private static func isURL(_ text: String) -> Bool {
        text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    }

    private static func parse(_ text: String) -> [String: String]? {
        var message: UnsafeMutablePointer<CChar>?
        // The message repeats parts of the text: it is never looked at.
        defer { PQfreemem(message) }
        guard let options = PQconninfoParse(text, &message) else { return nil }
        defer { PQconninfoFree(options) }
        var parts: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { parts[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return parts
    }

    /// A password with `/`, `@` or `?` that is not escaped ends early: its rest would be a port, a host or a name.
    private static func isMeant(_ parts: [String: String], by text: String) -> Bool {
        let ports = parts["port"] ?? ""
        guard ports.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ",") }) else { return false }
        guard isURL(text) else { return true }
        guard let path = text.split(separator: "://", maxSplits: 1).last?.prefix(while: { $0 != "?" }) else {
            return false
        }
        if path.count(where: { $0 == "@" }) > 1 { return false }
        return !["user", "host", "dbname"].contains { parts[$0]?.contains(/[@?&=]/) ?? false }
    }
}

extension PostgresAddress: CustomStringConvertible {
    /// What may be shown: `postgres://user@host:port/database`. A part with characters that no name needs is shown as
    /// `…`: it may be something else than its place says.
    package var description: String {
        if parts["host"] == nil, parts["hostaddr"] == nil, let service = parts["service"] {
            return "the PostgreSQL service \(Self.plain(service))"
        }
        let user = parts["user"].map { Self.plain($0) + "@" } ?? ""
        let database = parts["dbname"].map { "/" + Self.plain($0) } ?? ""
        return "postgres://\(user)\(hosts)\(database)"
    }

    /// Hosts with their ports, comma-separated.
    private var hosts: String {
        let hosts = (parts["host"] ?? parts["hostaddr"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
        let ports = (parts["port"] ?? "").split(separator: ",", omittingEmptySubsequences: false)
        return hosts.enumerated().map { index, host in
            let port = ports.count == 1 ? ports.first : ports.dropFirst(index).first
            return Self.host(String(host)) + (port.map { $0.isEmpty ? "" : ":\($0)" } ?? "")
        }.joined(separator: ",")
    }

    /// A name, an address, or the directory of a socket.
    private static func host(_ text: String) -> String {
        let isAddress = text.wholeMatch(of: /[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(%\w+)?/) != nil
        let isDirectory = text.wholeMatch(of: /[\/@][\p{L}\p{N}._\-\/]*/) != nil
        return isAddress || isDirectory ? "[\(text)]" : plain(text)
    }

    private static func plain(_ text: String) -> String {
        text.wholeMatch(of: /[\p{L}\p{N}._\-]*/) == nil ? "…" : text
    }

    /// All that tells this database from another one, without what opens it: the same text for the same place.
    package var identity: String {
        let secrets: Set<String> = [
            "password", "sslpassword", "passfile", "sslkey", "sslcert", "sslrootcert", "sslmode", "connect_timeout",
            "application_name", "fallback_application_name", "client_encoding", "target_session_attrs",
        ]
        return parts.filter { !secrets.contains($0.key) && !$0.value.isEmpty }.sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value)" }.joined(separator: "\n")
    }
}
