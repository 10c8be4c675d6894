import Foundation
import Keybearer

/// Where an original path names its workspace, such as `/workspaces/{workspace}`: the operator's setting.
///
/// It stands for the beginning of a path. `{workspace}` is one segment, `*` is any one segment, all else is itself.
public struct WorkspacePattern: Sendable, Hashable {
    /// What a path comes to.
    enum Match: Equatable {
        /// The pattern does not speak of this path.
        case other
        /// The workspace's id as it is in the path.
        case workspace(String)
        /// The path can be read in more than one way: what is checked here might not be what is served behind.
        case ambiguous
    }

    private enum Segment: Hashable {
        case workspace
        case any
        case fixed(Fixed)
    }

    /// A segment that is itself.
    struct Fixed: Sendable, Hashable {
        private let text: String
        private let skeleton: String

        init(_ text: String) {
            self.text = text
            skeleton = WorkspacePattern.skeleton(of: text)
        }

        /// Whether a segment is written just so.
        func isExactly(_ segment: String) -> Bool { text.utf8.elementsEqual(segment.utf8) }

        /// Whether a program that does not look closely might take a segment for this one: it ignores the case, takes
        /// other forms of the same letters for them, or leaves out invisible characters, and dots and blanks at an end.
        func mayBe(_ segment: String) -> Bool {
            WorkspacePattern.hasSkeleton(segment.utf8, skeleton) ?? (WorkspacePattern.skeleton(of: segment) == skeleton)
        }
    }

    private let segments: [Segment]

    /// Reads a pattern; nil when it does not begin with a slash, does not hold `{workspace}` exactly once, or holds
    /// an empty segment.
    public init?(_ text: String) {
        guard text.hasPrefix("/"), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x25 && $0 != 0x3F }) else {
            return nil
        }
        let trimmed = text.hasSuffix("/") ? text.dropLast() : text[...]
        let parts = trimmed.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.filter({ $0 == "{workspace}" }).count == 1, !parts.contains("") else { return nil }
        segments = parts.map { part in
            switch part {
            case "{workspace}": .workspace
            case "*": .any
            default: .fixed(Fixed(part))
            }
        }
    }

    /// Finds the workspace in a request's target.
    ///
    /// Escapes are decoded once, as a server behind a gateway does. A path that other programs might read in another
    /// way is ambiguous and must be refused: with it, one workspace could be checked and another served. That is a path
    /// that they might shorten or split further (see ``isUnclear(_:)``), and one whose fixed segments are the pattern's
    /// in another spelling (see ``Fixed/mayBe(_:)``).
    func match(_ target: String) -> Match {
        // By bytes: to a string, a question mark with an accent behind it is another character.
        let path = Substring(target.utf8.prefix { $0 != UInt8(ascii: "?") })
        guard path.first == "/", !path.utf8.contains(UInt8(ascii: "#")) else { return .ambiguous }
        var given: [String] = []
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let hasEscapes = part.utf8.contains(UInt8(ascii: "%"))
            guard let decoded = hasEscapes ? String(part).removingPercentEncoding : String(part) else {
                return .ambiguous
            }
            if decoded.isEmpty ? index < parts.count - 1 : Self.isUnclear(decoded) { return .ambiguous }
            given.append(decoded)
        }
        guard given.count >= segments.count else { return .other }
        var workspace: String?
        var isExact = true
        for (expected, segment) in zip(segments, given) {
            switch expected {
            case .workspace: workspace = segment
            case .any: break
            case .fixed(let fixed):
                if fixed.isExactly(segment) { continue }
                guard fixed.mayBe(segment) else { return .other }
                isExact = false
            }
        }
        return isExact ? workspace.map { .workspace($0) } ?? .other : .ambiguous
    }

    /// Whether other programs might take a segment for several, for none, or for its beginning alone: slashes,
    /// backslashes and percent signs that were escaped, control characters, `;` and what is not UTF-8; and segments of
    /// nothing but dots and blanks.
    private static func isUnclear(_ segment: String) -> Bool {
        // The usual segment of letters, digits, `-` and `_`: seen without Unicode's tables.
        let isUsual = segment.utf8.allSatisfy { byte in
            byte.isASCIILetterOrDigit
                || "-_".utf8.contains(byte)
        }
        if isUsual { return segment.isEmpty }
        return segment.unicodeScalars.contains {
            $0.value < 0x20 || $0.value == 0x7F || "/\\%;\u{FFFD}".unicodeScalars.contains($0)
        }
            || segment.unicodeScalars.allSatisfy { $0 == "." || $0.properties.isWhitespace }
    }

    /// Whether a segment has this skeleton, found without Foundation: nil where the segment is not in plain ASCII.
    static func hasSkeleton(_ segment: String.UTF8View, _ skeleton: String) -> Bool? {
        guard segment.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { return nil }
        func isLeftOut(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ".") || byte == UInt8(ascii: " ") }
        let beginning = segment.drop(while: isLeftOut)
        return beginning.dropLast(beginning.reversed().prefix(while: isLeftOut).count)
            .lazy.map { (65...90).contains($0) ? $0 | 0x20 : $0 }.elementsEqual(skeleton.utf8)
    }

    /// What is left of a segment without what such a program does not see.
    static func skeleton(of segment: String) -> String {
        let folded = segment.folding(
            options: [.caseInsensitive, .diacriticInsensitive, .widthInsensitive], locale: nil
        )
        .precomposedStringWithCompatibilityMapping
        let visible = folded.unicodeScalars.filter { !$0.properties.isDefaultIgnorableCodePoint }
        return String(String.UnicodeScalarView(visible)).lowercased()
            .trimmingCharacters(in: CharacterSet(charactersIn: ".").union(.whitespaces))
    }
}
