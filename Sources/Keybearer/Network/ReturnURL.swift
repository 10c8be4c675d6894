/// Where a product's pages are to which the dashboard may lead back: an origin and the beginning of a path.
///
/// Compared by origin and by whole segments of the path, after both were read: `https://app.example/back` allows
/// `https://app.example/back/1?x=2`, and neither `https://app.example.evil` nor `/backdoor`.
public struct AllowedReturnURL: Sendable, Hashable {
    private let origin: Origin
    private let segments: [Substring]

    /// Reads `https://host`, or the same with a path behind it.
    ///
    /// - Throws: a sentence for the operator.
    public init(parsing text: String) throws(Origin.Problem) {
        let parts = try ReturnURL.parts(of: text)
        guard parts.rest.isEmpty else {
            throw Origin.Problem(description: "it has a query or a fragment: leave it out")
        }
        origin = parts.origin
        segments = parts.segments
    }

    /// Whether a URL is at this place or below it.
    func allows(_ url: ReturnURL) -> Bool { url.origin == origin && url.segments.starts(with: segments) }
}

/// A page of the product to which the dashboard leads back.
public struct ReturnURL: Sendable, Hashable, CustomStringConvertible {
    /// As the product wrote it.
    public let description: String
    fileprivate let origin: Origin
    fileprivate let segments: [Substring]

    /// Reads an absolute `https:` or `http:` URL, where one of the allowed places holds it.
    ///
    /// - Throws: a sentence for whoever sent it.
    public init(parsing text: String, allowed: [AllowedReturnURL]) throws(Origin.Problem) {
        let parts = try Self.parts(of: text)
        description = text
        origin = parts.origin
        segments = parts.segments
        guard allowed.contains(where: { $0.allows(self) }) else {
            throw Origin.Problem(description: "it is at none of the places that the setting portal-return-urls names")
        }
    }

    /// Reads what the store keeps: it was allowed when it was put there.
    package init?(stored text: String) {
        guard let parts = try? Self.parts(of: text) else { return nil }
        (description, origin, segments) = (text, parts.origin, parts.segments)
    }

    /// The URL with one more parameter in its query.
    package func adding(_ name: String, _ value: String) -> String {
        let mark = description.firstIndex(of: "#") ?? description.endIndex
        let (page, fragment) = (description[..<mark], description[mark...])
        return page + (page.contains("?") ? "&" : "?") + "\(name)=\(value)" + fragment
    }

    /// The parts by which URLs are compared. Whatever a browser could read in another way is refused: what is not
    /// visible ASCII, backslashes, user names, dot segments and escapes of the path's own characters.
    fileprivate static func parts(
        of text: String
    ) throws(Origin.Problem) -> (origin: Origin, segments: [Substring], rest: Substring) {
        guard text.utf8.count <= 2_048 else { throw Origin.Problem(description: "it is longer than 2,048 bytes") }
        guard text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && !"\"<>\\^`{|}".utf8.contains($0) }) else {
            throw Origin.Problem(description: "it holds characters that a URL must escape")
        }
        guard let mark = text.firstRange(of: "://") else {
            throw Origin.Problem(description: "it does not begin with https:// or http://")
        }
        let end = text[mark.upperBound...].firstIndex { "/?#".contains($0) } ?? text.endIndex
        let origin = try Origin(parsing: String(text[..<end]))
        let path = text[end...].prefix { $0 != "?" && $0 != "#" }
        let segments = path.split(separator: "/")
        let isPlain = segments.allSatisfy { segment in
            let read = segment.lowercased().replacing("%2e", with: ".").replacing("%3b", with: ";")
            // Some servers read `..;x` as `..`.
            let name = read.prefix { $0 != ";" }
            return name != "." && name != ".." && !read.contains("%2f") && !read.contains("%5c")
        }
        guard isPlain, !path.contains("//") else {
            throw Origin.Problem(description: "its path has segments that browsers read in another way")
        }
        return (origin, segments, text[path.endIndex...])
    }
}
