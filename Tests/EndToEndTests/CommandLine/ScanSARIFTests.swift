import Foundation
import TestSupport
import Testing

@testable import KeybearerCLI

extension EndToEndTests {
    /// What code hosts read of a scan. The options of a scan (``ScanOptions``) come from flags and settings.
    @Suite struct ScanSARIFTests {
        private let key = "tdc_mhSV82nDJu2hxSJZJpdCgRy3GWlxIgLU1KkTKC"
        private let directory: TemporaryDirectory

        init() throws { directory = try TemporaryDirectory() }

        private func scan(_ words: String..., environment: [String: String] = [:]) throws -> CommandResult {
            try CommandRunner.run(
                program: CommandRunner.binary(), ["scan"] + words, environment: environment, stdin: "")
        }

        private func run(_ result: CommandResult) throws -> [String: Any] {
            #expect(!result.stdout.contains(key) && !result.stderr.contains(key))
            let document = try #require(result.object, "\(result.stderr)")
            #expect(document["version"] as? String == "2.1.0")
            return try #require((document["runs"] as? [[String: Any]])?.first)
        }

        @Test func aFindHasRuleLevelLocationAndFingerprint() throws {
            try "one\n  \(key)\ntdc_old4f9Kq02LmZx81PbTq3\n".write(
                toFile: directory.file("a b.txt"), atomically: true, encoding: .utf8)
            let result = try scan("--format", "sarif", directory.path)
            #expect(result.status == 1)
            let run = try run(result)
            let finds = try #require(run["results"] as? [[String: Any]])
            #expect(finds.map { $0["ruleId"] as? String } == ["keybearer-secret-key", "keybearer-possible-key"])
            #expect(finds.map { $0["level"] as? String } == ["error", "warning"])
            let location = try #require((finds[0]["locations"] as? [[String: Any]])?.first)
            let physical = try #require(location["physicalLocation"] as? [String: Any])
            let uri = (physical["artifactLocation"] as? [String: Any])?["uri"] as? String
            #expect(uri == "file://\(directory.path)/a%20b.txt")
            #expect(physical["region"] as? [String: Int] == ["startLine": 2, "startColumn": 3])
            #expect((finds[0]["partialFingerprints"] as? [String: String])?["keybearerSecret/v1"]?.count == 32)
            let driver = (run["tool"] as? [String: Any])?["driver"] as? [String: Any]
            #expect((driver?["rules"] as? [[String: Any]])?.count == 3)
        }

        @Test func whatWasNotReadIsANotification() throws {
            let result = try scan("--format", "sarif", directory.file("none"))
            #expect(result.status == 2)
            let invocation = try #require((try run(result)["invocations"] as? [[String: Any]])?.first)
            #expect(invocation["executionSuccessful"] as? Bool == false)
            #expect((invocation["toolExecutionNotifications"] as? [Any])?.count == 1)
        }

        @Test func pathsAreURIs() {
            #expect(ScanOutput.uri("./a b/ü.txt") == "a%20b/%C3%BC.txt")
            #expect(ScanOutput.uri("/a%") == "file:///a%25")
        }

        @Test func thePrefixIsThatOfTheSettings() throws {
            try "acme_old4f9Kq02LmZx81PbTq3".write(toFile: directory.file("a"), atomically: true, encoding: .utf8)
            #expect(try scan(directory.path).status == 0)
            #expect(try scan(directory.path, environment: ["KEYBEARER_KEY_PREFIX": "acme_"]).status == 1)
            #expect(try scan(directory.path, "--key-prefix", "acme_").status == 1)
            #expect(try scan(directory.path, "--key-prefix", "A").status == 78)
        }
    }
}
