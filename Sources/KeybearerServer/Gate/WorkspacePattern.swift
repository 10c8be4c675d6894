import Foundation

/// Where an original path names its workspace, such as `/workspaces/{workspace}`: the operator's setting.
///
/// It stands for the beginning of a path. `{workspace}` is one segment, `*` is any one segment, all else is itself.
public struct WorkspacePattern: Sendable, Hashable {
    /// What a path comes to.
    enum Match: Equatable {
        /// The pattern does not speak of this path.
        case other
        /// The workspace's id as it stands in the path.
        case workspace(String)
        /// The path can be read in more than one way: what is checked here might not be what is served behind.
        case ambiguous
    }

    private let segments: [String]

    /// Reads a pattern; nil when it does not begin with a slash, does not hold `{workspace}` exactly once, or holds
    /// an empty segment.
    public init?(_ text: String) {
        guard text.hasPrefix("/"), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x25 && $0 != 0x3F }) else {
            return nil
        }
        let trimmed = text.hasSuffix("/") ? text.dropLast() : text[...]
        segments = trimmed.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard segments.filter({ $0 == "{workspace}" }).count == 1, !segments.contains("") else { return nil }
    }

    /// Finds the workspace in a request's target.
    ///
    /// Escapes are decoded once, as a server behind a gateway does. A path that other programs might read in another way
    /// is ambiguous and must be refused: with it, one workspace could be checked and another served. That is a path that
    /// they might shorten or split further (see ``isUnclear(_:)``), and one whose fixed segments are the pattern's in
    /// another spelling (see ``mayMean(_:_:)``).
    func match(_ target: String) -> Match {
        // By bytes: to a string, a question mark with an accent behind it is another character.
        let path = Substring(target.utf8.prefix { $0 != UInt8(ascii: "?") })
        guard path.first == "/", !path.utf8.contains(UInt8(ascii: "#")) else { return .ambiguous }
        var given: [String] = []
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            guard let decoded = String(part).removingPercentEncoding else { return .ambiguous }
            if decoded.isEmpty ? index < parts.count - 1 : Self.isUnclear(decoded) { return .ambiguous }
            given.append(decoded)
        }
        guard given.count >= segments.count else { return .other }
        var workspace: String?
        var isExact = true
        for (expected, segment) in zip(segments, given) {
            if expected == "{workspace}" {
                workspace = segment
            } else if expected != "*", !expected.utf8.elementsEqual(segment.utf8) {
                guard Self.mayMean(segment, expected) else { return .other }
                isExact = false
            }
        }
        return isExact ? workspace.map { .workspace($0) } ?? .other : .ambiguous
    }

    /// Whether other programs might take a segment for several, for none, or for its beginning alone: slashes, backslashes
    /// and percent signs that were escaped, control characters, `;` and what is not UTF-8; and segments of nothing but
    /// dots and blanks.
    private static func isUnclear(_ segment: String) -> Bool {
        segment.unicodeScalars.contains {
            $0.value < 0x20 || $0.value == 0x7F || "/\\%;\u{FFFD}".unicodeScalars.contains($0)
        }
            || segment.unicodeScalars.allSatisfy { $0 == "." || $0.properties.isWhitespace }
    }

    /// Whether a program that does not look closely might take a segment for a fixed one: it ignores the case, takes
    /// other forms of the same letters for them, or leaves out invisible characters, and dots and blanks at an end.
    private static func mayMean(_ segment: String, _ expected: String) -> Bool {
        skeleton(of: segment) == skeleton(of: expected)
    }

    private static func skeleton(of segment: String) -> String {
        let folded = segment.folding(
            options: [.caseInsensitive, .diacriticInsensitive, .widthInsensitive], locale: nil
        )
        .precomposedStringWithCompatibilityMapping
        let visible = folded.unicodeScalars.filter { !$0.properties.isDefaultIgnorableCodePoint }
        return String(String.UnicodeScalarView(visible)).lowercased()
            .trimmingCharacters(in: CharacterSet(charactersIn: ".").union(.whitespaces))
    }
}
