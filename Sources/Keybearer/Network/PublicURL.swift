/// Where clients reach a server: an origin, and the path below which everything is, where it is not the whole origin.
public struct PublicURL: Sendable, Hashable, CustomStringConvertible {
    /// The origin of every page.
    public let origin: Origin
    /// Empty, or such as `/developers`: without a slash at its end.
    public let path: String

    /// Reads `https://host` or `https://host:port`, with or without a path. A slash at the end means nothing.
    ///
    /// Clients, proxies and cookies must read the path in the same way. So it has letters, digits, `-`, `_` and `~` between
    /// single slashes: no dots, no escapes.
    ///
    /// - Throws: a sentence for the operator.
    public init(parsing text: String) throws(Origin.Problem) {
        let host = text.firstRange(of: "://")?.upperBound ?? text.startIndex
        let slash = text[host...].firstIndex(of: "/") ?? text.endIndex
        origin = try Origin(parsing: String(text[..<slash]))
        var path = text[slash...]
        if path.last == "/" { path = path.dropLast() }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = segments.allSatisfy { segment in
            !segment.isEmpty && segment.utf8.allSatisfy { $0.isASCIILetterOrDigit || "-_~".utf8.contains($0) }
        }
        guard path.isEmpty || isPlain && path.utf8.count <= 100 else {
            throw Origin.Problem(
                description: "its path '\(path)' is refused: use at most 100 letters, digits, '-', '_' and '~' between "
                    + "single slashes")
        }
        self.path = String(path)
    }

    /// Reads a URL; nil where ``init(parsing:)`` throws.
    public init?(_ text: String) {
        guard let url = try? PublicURL(parsing: text) else { return nil }
        self = url
    }

    /// The URL without a slash at its end.
    public var description: String { origin.description + path }
}
