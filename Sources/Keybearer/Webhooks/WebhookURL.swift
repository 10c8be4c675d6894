/// Where an endpoint is: `https:`, a host and a port; or `http:`, where the operator allows private targets.
///
/// There is one spelling of a host: a name is in lower case and ends with no dot, and an address is written as addresses are
/// (`127.1`, `0x7f000001` and `2130706433` are refused). Whether its addresses may be called is looked at each time:
/// ``WebhookTargets``.
package struct WebhookURL: Sendable, Hashable, CustomStringConvertible {
    /// The most bytes of a URL.
    package static let mostBytes = 2_048

    /// As it is called: scheme and host in lower case, without the scheme's own port.
    package let text: String
    /// Scheme, host and port.
    package let origin: Origin
    /// The host without the brackets of an IPv6 address.
    package let host: String
    /// Its address, where the host is one.
    package let address: IPAddress?

    /// Reads a URL.
    ///
    /// - Throws: a sentence for whoever wrote it.
    package init(parsing text: String) throws(Origin.Problem) {
        guard text.utf8.count <= Self.mostBytes else {
            throw Origin.Problem(description: "it is longer than 2,048 bytes")
        }
        guard text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && !"\"<>\\^`{|}".utf8.contains($0) }) else {
            throw Origin.Problem(description: "it holds characters that a URL must escape")
        }
        guard !text.contains("#") else {
            throw Origin.Problem(description: "it has a fragment: leave out what follows #")
        }
        guard let mark = text.firstRange(of: "://") else {
            throw Origin.Problem(description: "it does not begin with https://")
        }
        let end = text[mark.upperBound...].firstIndex { "/?".contains($0) } ?? text.endIndex
        origin = try Origin(parsing: String(text[..<end]))
        // What is called is what was looked at: clients compare the host byte for byte.
        self.text = origin.description + text[end...]
        host = origin.host.hasPrefix("[") ? String(origin.host.dropFirst().dropLast()) : origin.host
        address = IPAddress(host)
        if address == nil { try Self.check(name: host) }
    }

    /// Reads what the store keeps; nil for what is none.
    package init?(_ text: String) {
        guard let url = try? WebhookURL(parsing: text) else { return nil }
        self = url
    }

    /// Resolvers and clients read some names as addresses, each in its own way.
    private static func check(name: String) throws(Origin.Problem) {
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 63 }) else {
            throw Origin.Problem(description: "its host has an empty part, or one of more than 63 characters")
        }
        let last = labels.last ?? ""
        if last.utf8.allSatisfy({ (48...57).contains($0) }) || last.hasPrefix("0x") {
            throw Origin.Problem(description: "its host is an address in no usual form: write four numbers with dots")
        }
    }

    package var description: String { text }
}
