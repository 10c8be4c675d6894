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
    /// Escapes are decoded once, as a server behind a gateway does. A path that other programs might shorten or split
    /// further (empty and dot segments, escaped slashes, backslashes, double escapes) is ambiguous and must be refused: with
    /// it, one workspace could be checked and another served.
    func match(_ target: String) -> Match {
        let path = target.prefix { $0 != "?" }
        guard path.first == "/" else { return .ambiguous }
        var given: [String] = []
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            guard let decoded = String(part).removingPercentEncoding else { return .ambiguous }
            let isLast = index == parts.count - 1
            let isEmptyInside = decoded.isEmpty && !isLast
            let isUnclear = decoded.utf8.contains { $0 == 0x2F || $0 == 0x5C || $0 == 0x25 || $0 < 0x20 || $0 == 0x3B }
            if isEmptyInside || isUnclear || decoded == "." || decoded == ".." { return .ambiguous }
            given.append(decoded)
        }
        guard given.count >= segments.count else { return .other }
        var workspace: String?
        for (expected, segment) in zip(segments, given) {
            if expected == "{workspace}" {
                workspace = segment
            } else if expected != "*", expected != segment {
                return .other
            }
        }
        return workspace.map { .workspace($0) } ?? .other
    }
}
