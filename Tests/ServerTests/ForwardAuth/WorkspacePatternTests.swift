import Foundation
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// A ``WorkspacePattern`` over paths that another program might read in another way.
@Suite struct WorkspacePatternTests {
    @Test(
        "Patterns that say nothing clear are refused",
        arguments: [
            "", "workspaces/{workspace}", "/a", "/{workspace}/{workspace}", "/a//{workspace}", "/a%41/{workspace}",
        ])
    func patterns(text: String) {
        #expect(WorkspacePattern(text) == nil)
    }

    @Test(
        "A path that another program might read in another way is ambiguous",
        arguments: [
            ("/v1/eu/workspaces/ws_1", .workspace("ws_1")), ("/v1/eu/workspaces/ws_1/", .workspace("ws_1")),
            ("/v1/eu/workspaces/ws_1/things?x=//..", .workspace("ws_1")),
            ("/v1/eu/%77orkspaces/ws_1", .workspace("ws_1")),
            ("/v1/eu/workspaces/ws_1?\u{301}", .workspace("ws_1")),
            ("/v1/EU/workspaces/ws_1/Things", .workspace("ws_1")),
            ("/v1/eu/workspaces/ws_1/%C3%A4", .workspace("ws_1")),
            ("/", .other), ("/v1", .other), ("/V1/eu/workspaces", .other), ("/v1/eu/things/ws_1", .other),
            ("/v2/eu/workspaces/ws_1", .other), ("/v1/eu/workspaces2/ws_1", .other),
            ("/v1/eu/work-spaces/ws_1", .other),
            ("/v1/%C3%BCber/%C3%BCbersicht/x/y", .other), ("/x/v1/eu/workspaces/ws_1", .other),
            // Other spellings of the fixed segments.
            ("/v1/eu/WORKSPACES/ws_1", .ambiguous), ("/V1/eu/workspaces/ws_1", .ambiguous),
            ("/v1/eu/Workspaces/ws_1/x", .ambiguous), ("/v1/eu/%57orkspaces/ws_1", .ambiguous),
            ("/v1/eu/workspaces./ws_1", .ambiguous), ("/v1/eu/workspaces%20/ws_1", .ambiguous),
            ("/v1/eu/workspaces.%20./ws_1", .ambiguous), ("/v1/eu/%20workspaces/ws_1", .ambiguous),
            ("/v1/eu/wor%E2%84%AAspaces/ws_1", .ambiguous), ("/v1/eu/work%C5%BFpaces/ws_1", .ambiguous),
            ("/v1/eu/%EF%BD%97orkspaces/ws_1", .ambiguous), ("/v1/eu/work%E2%80%8Bspaces/ws_1", .ambiguous),
            ("/v1/eu/w%C3%B6rkspaces/ws_1", .ambiguous), ("/v1/eu/workspaces%C2%A0/ws_1", .ambiguous),
            ("/v1/eu/work%C2%ADspaces/ws_1", .ambiguous),
            // What is shortened, split or cut.
            ("/v1/eu//workspaces/ws_1", .ambiguous), ("//v1/eu/workspaces/ws_1", .ambiguous),
            ("/v1/eu/./workspaces/ws_1", .ambiguous), ("/x/../v1/eu/workspaces/ws_1", .ambiguous),
            ("/x/%2e%2E/v1/eu/workspaces/ws_1", .ambiguous), ("/x/.../v1/eu/workspaces/ws_1", .ambiguous),
            ("/x/..%20/v1/eu/workspaces/ws_1", .ambiguous), ("/x/%20/v1", .ambiguous),
            ("/v1/eu/workspaces;a=b/ws_1", .ambiguous), ("/v1/eu/workspaces%3Ba/ws_1", .ambiguous),
            ("/v1/eu/x%2f..%2fworkspaces/ws_1", .ambiguous), ("/v1/eu\\workspaces/ws_1", .ambiguous),
            ("/v1/eu/x%5c..%5cworkspaces/ws_1", .ambiguous), ("/v1/eu/%2577orkspaces/ws_1", .ambiguous),
            ("/v1/eu/%c0%af/ws_1", .ambiguous), ("/v1/eu/%ff/ws_1", .ambiguous), ("/v1/eu/%7/ws_1", .ambiguous),
            ("/v1/eu/workspaces%00/ws_1", .ambiguous), ("/v1/eu/workspaces%7F/ws_1", .ambiguous),
            ("/v1/eu/work\u{FFFD}spaces/ws_1", .ambiguous), ("/v1/eu/workspaces/ws_1#x", .ambiguous),
            ("/v1/eu/workspaces%0d%0a/ws_1", .ambiguous), ("http://x/v1/eu/workspaces/ws_1", .ambiguous),
            ("v1/eu/workspaces/ws_1", .ambiguous), ("", .ambiguous),
        ] as [(String, WorkspacePattern.Match)])
    func matches(path: String, expected: WorkspacePattern.Match) throws {
        let pattern = try #require(WorkspacePattern("/v1/*/workspaces/{workspace}"))
        #expect(pattern.match(path) == expected)
    }

    @Test("The short way over plain ASCII finds what the long one finds")
    func plainSkeletons() {
        let printable = (0x20..<0x7F).map { String(UnicodeScalar(UInt8($0))) }
        for one in printable {
            for (segment, skeleton) in [("v\(one)", "v1"), ("\(one)v1\(one)", "v1"), ("v\(one)1", "v.1"), (one, "x")] {
                let found = WorkspacePattern.hasSkeleton(segment.utf8, skeleton)
                #expect(found == (WorkspacePattern.skeleton(of: segment) == skeleton), "\(segment)")
            }
            #expect(
                WorkspacePattern.hasSkeleton("\(one)\(one)a".utf8, WorkspacePattern.skeleton(of: "\(one)\(one)a"))
                    == true)
        }
        #expect(WorkspacePattern.hasSkeleton("\u{301}".utf8, "") == nil)
    }

    /// What a server behind the gateway might do before it compares a path with its routes.
    private static let habits: [@Sendable (String) -> String] = [
        { $0.lowercased() },
        { $0.removingPercentEncoding ?? $0 },
        { $0.replacing("\\", with: "/") },
        { $0.replacing(/\/+/, with: "/") },
        { $0.replacing(/;[^\/]*/, with: "") },
        { $0.replacing(/[. ]+(?=\/|$)/, with: "") },
        { $0.precomposedStringWithCompatibilityMapping },
        { String(String.UnicodeScalarView($0.unicodeScalars.filter { !$0.properties.isDefaultIgnorableCodePoint })) },
        { path in
            var kept: [Substring] = []
            for segment in path.split(separator: "/", omittingEmptySubsequences: false) where segment != "." {
                if segment == ".." { kept = Array(kept.dropLast()) } else { kept.append(segment) }
            }
            return kept.joined(separator: "/")
        },
    ]

    /// The workspace that a server with such habits serves; nil when the path is not one of a workspace.
    private func served(_ path: String) -> String? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].isEmpty, parts[1] == "api", parts[2] == "workspaces" else { return nil }
        return parts[3].isEmpty ? nil : String(parts[3])
    }

    private static let pieces = [
        "api", "API", "Api", "ap%69", "ap%49", "%61pi", "%2561pi", "api.", "api%20", "a\u{200B}pi", "a%E2%80%8Bpi",
        "api;x",
        "workspaces", "WorkSpaces", "workspaces;a=b", "workspaces.", "workspace%73", "%EF%BD%97orkspaces",
        "wor%E2%84%AAspaces",
        "ws_mine", "ws_other", "ws_othe%72", "ws_other.", ".", "..", "%2e%2e", "", "%2f", "%5c", "\\", "x", "%3B",
    ]

    @Test("No server finds a workspace behind the gate that was not checked here, 40,000 times over")
    func noOtherWorkspace() throws {
        let pattern = try #require(WorkspacePattern("/api/workspaces/{workspace}"))
        let random = RandomSource.seeded(88)
        var found = (same: 0, ambiguous: 0)
        for _ in 0..<40_000 {
            var path = ""
            let isNearly = random.below(2) == 0
            for place in 0..<(3 + random.below(4)) {
                let choice =
                    switch (isNearly, place) {
                    case (true, 0): random.below(12)
                    case (true, 1): 12 + random.below(7)
                    case (true, 2): 19 + random.below(4)
                    default: random.below(Self.pieces.count)
                    }
                path += (random.below(20) == 0 ? "//" : "/") + Self.pieces[choice]
            }
            let match = pattern.match(path)
            if match == .ambiguous { found.ambiguous += 1 }
            guard match != .ambiguous else { continue }
            let checked: String? = if case .workspace(let id) = match { id } else { nil }
            for _ in 0..<6 {
                var read = path
                for _ in 0...random.below(6) { read = Self.habits[random.below(Self.habits.count)](read) }
                guard let served = served(read) else { continue }
                // An id that was checked may be read in its plain form: here, decoded.
                if served == checked || served.removingPercentEncoding == checked {
                    found.same += 1
                } else if checked.map({ WorkspaceID(parsing: $0) != nil }) ?? true {
                    // What is no id at all was refused already.
                    Issue.record("\(path) is read as \(read): \(served), not \(checked ?? "none")")
                    return
                }
            }
        }
        #expect(found.same > 500 && found.ambiguous > 5_000, "\(found)")
    }
}
