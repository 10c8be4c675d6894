/// Where a page comes from: scheme, host and port (RFC 6454).
///
/// Two origins are equal when all three are: the host in lower case, and a port that is left out is the scheme's own.
/// A host with a dot at its end is another host, as it is to browsers.
public struct Origin: Sendable, Hashable, CustomStringConvertible {
    /// How a page was fetched.
    public enum Scheme: String, Sendable {
        case http
        case https

        /// The port of addresses that name none.
        public var defaultPort: Int { self == .https ? 443 : 80 }
    }

    public let scheme: Scheme
    /// The host in lower case, an IPv6 address in brackets.
    public let host: String
    public let port: Int

    /// Why a text is no origin, as a sentence for the operator.
    public struct Problem: Error, Hashable, CustomStringConvertible {
        public let description: String

        /// Wraps a sentence.
        package init(description: String) {
            self.description = description
        }
    }

    /// Reads `https://host` or `https://host:port`, with nothing behind it; `null` and all other schemes are refused.
    public init(parsing text: String) throws(Problem) {
        guard let mark = text.firstRange(of: "://"),
            let scheme = Scheme(rawValue: text[..<mark.lowerBound].lowercased())
        else {
            throw Problem(description: "it does not begin with https:// or http://")
        }
        try self.init(scheme: scheme, parsing: text[mark.upperBound...])
    }

    /// Reads the origin of a page that may show others in a frame: `https:`, and a name or an IPv4 address, since content
    /// security policies cannot name an IPv6 address.
    public init(embedding text: String) throws(Problem) {
        try self.init(parsing: text)
        if scheme != .https { throw Problem(description: "it does not begin with https://") }
        if host.hasPrefix("[") { throw Problem(description: "browsers take no IPv6 address here") }
    }

    /// Reads an origin; nil where ``init(parsing:)`` throws.
    public init?(_ text: String) {
        guard let origin = try? Origin(parsing: text) else { return nil }
        self = origin
    }

    /// Reads `host` or `host:port`, as in the `Host` header.
    public init?(scheme: Scheme, authority: String) {
        guard let origin = try? Origin(scheme: scheme, parsing: authority[...]) else { return nil }
        self = origin
    }

    private init(scheme: Scheme, parsing authority: Substring) throws(Problem) {
        if authority.utf8.contains(UInt8(ascii: "@")) { throw Problem(description: "it holds a user name") }
        if let end = authority.firstIndex(where: { "/?#\\".contains($0) }) {
            throw Problem(description: "it has something behind the host: leave out '\(authority[end...])'")
        }
        var host = authority
        var port: Substring?
        // The colons of an IPv6 address stand before its closing bracket.
        let colon = authority.lastIndex(of: ":")
        if let colon, authority.lastIndex(of: "]").map({ $0 < colon }) ?? true {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        self.scheme = scheme
        self.host = try Self.host(host)
        self.port = try Self.port(port ?? "") ?? scheme.defaultPort
    }

    /// A host's one spelling.
    private static func host(_ text: Substring) throws(Problem) -> String {
        if text.first == "[", text.last == "]" {
            let inside = text.dropFirst().dropLast()
            guard inside.utf8.contains(UInt8(ascii: ":")), let address = IPAddress(inside) else {
                throw Problem(description: "it holds no IPv6 address between the brackets")
            }
            // Mapped IPv4 is another host than the IPv4 address, to browsers.
            return address.isV4 ? "[::ffff:\(address)]" : "[\(address)]"
        }
        if text.isEmpty { throw Problem(description: "it names no host") }
        if !text.utf8.allSatisfy({ $0 < 0x80 }) {
            throw Problem(description: "its host is not in ASCII: write it in its xn-- form")
        }
        let isName = text.utf8.allSatisfy { $0.isASCIILetterOrDigit || "-._".utf8.contains($0) }
        guard isName, text.utf8.count <= 253, text.first != "." else {
            throw Problem(description: "its host is no name and no address")
        }
        return text.lowercased()
    }

    /// A port; nil for the scheme's own, where nothing stands behind the colon.
    private static func port(_ text: Substring) throws(Problem) -> Int? {
        if text.isEmpty { return nil }
        let isNumber = text.utf8.count <= 5 && text.utf8.allSatisfy { (48...57).contains($0) }
        guard isNumber, let number = Int(text), (1...65_535).contains(number) else {
            throw Problem(description: "its port is no number from 1 to 65535")
        }
        return number
    }

    /// The origin as browsers write it: the scheme's own port is left out.
    public var description: String {
        "\(scheme.rawValue)://\(host)" + (port == scheme.defaultPort ? "" : ":\(port)")
    }
}
