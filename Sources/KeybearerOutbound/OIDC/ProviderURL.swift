package import Keybearer

/// An address of a provider: `https:`, or `http:` on this machine alone, as in a test.
package struct ProviderURL: Sendable, Hashable, CustomStringConvertible {
    /// As it was written.
    package let text: String
    /// Whether it is on this machine.
    package let isLoopback: Bool

    /// Reads an absolute URL without a fragment.
    ///
    /// - Parameter allowsQuery: whether it may have a query, which an issuer must not.
    /// - Throws: a sentence for the operator.
    package init(parsing text: String, allowsQuery: Bool = false) throws(Origin.Problem) {
        guard text.utf8.count <= 2_048 else { throw Origin.Problem(description: "it is longer than 2,048 bytes") }
        guard text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && !"\"<>\\^`{|}#".utf8.contains($0) }) else {
            throw Origin.Problem(description: "it holds characters that a URL must escape, or a fragment")
        }
        if !allowsQuery, text.contains("?") { throw Origin.Problem(description: "it has a query") }
        guard let mark = text.firstRange(of: "://") else {
            throw Origin.Problem(description: "it does not begin with https://")
        }
        let end = text[mark.upperBound...].firstIndex { "/?".contains($0) } ?? text.endIndex
        let origin = try Origin(parsing: String(text[..<end]))
        let host = origin.host.hasPrefix("[") ? String(origin.host.dropFirst().dropLast()) : origin.host
        isLoopback = host == "localhost" || IPAddress(host)?.isLoopback == true
        guard origin.scheme == .https || isLoopback else {
            throw Origin.Problem(description: "it begins with http:// and is not on this machine")
        }
        self.text = text
    }

    /// Where a provider describes itself (OpenID Connect Discovery 1.0 §4): one slash stands between.
    var discoveryURL: String {
        (text.hasSuffix("/") ? String(text.dropLast()) : text) + "/.well-known/openid-configuration"
    }

    package var description: String { text }
}
