import ArgumentParser
import Foundation
import GRDB
@testable import KeybearerCLI
import TestSupport
import Testing

extension EndToEndTests {
    /// What commands write to the ``Console``, and where: one document of ``JSONOutput`` (``OperatorTokenCommand``
    /// among them), documented exit codes, ``VisibleText``.
    @Suite struct CommandOutputTests {
        private typealias Status = KeybearerCLI.Failure.Status

        /// A command with `--json` for each of those that have the flag.
        private static let jsonCommands: [[String]] = [
            ["user", "create", "eve@example.com", "--name", "Eve", "--generate-password"], ["user", "list"],
            ["user", "show", "ada@example.com"], ["key", "show", "ada@example.com"],
            ["key", "show", "ada@example.com", "--metadata"], ["key", "regenerate", "ada@example.com"],
            ["key", "history", "ada@example.com"], ["mail", "list"],
            ["workspace", "create", "Testing", "--owner", "ada@example.com"], ["workspace", "list"], ["plan", "list"],
            ["usage", "show", "ada@example.com"], ["audit", "list"],
            ["operator-token", "create", "billing"], ["operator-token", "list"], ["node", "list"], ["doctor"],
            ["webhook", "add", "Orders", "https://1.1.1.1/", "--all-events"], ["webhook", "list"], ["event", "list"],
        ]

        /// Those that are given what another one printed.
        private static let jsonCommandsWithInput: [[String]] = [
            ["workspace", "show"], ["workspace", "members"], ["key", "lookup"],
            ["service-account", "create", "--name", "CI"], ["service-account", "list"],
        ]

        /// Those that are given a webhook.
        private static let jsonCommandsOfWebhooks: [[String]] = [
            ["webhook", "show"], ["webhook", "rotate"], ["webhook", "deliveries"],
        ]

        @Test func everyCommandWithJSONWritesOneDocument() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            for words in Self.jsonCommands {
                let result = try CommandRunner.run(words + ["--json"] + files.flags)
                #expect(result.status == 0, "\(words): \(result.stderr)")
                // A second document, or a line before the first, is no JSON.
                #expect(result.json != nil, "\(words): \(result.stdout)")
                guard words.starts(with: ["user", "create"]) else { continue }
                #expect((result.object?["password"] as? String)?.count == 20)
                #expect(!result.stderr.contains(try #require(result.object?["password"] as? String)))
            }
            let workspaces = try files.run("workspace", "list", "--json").json as? [[String: Any]]
            let workspace = try #require(workspaces?.first?["id"] as? String)
            let key = try files.run("key", "show", "ada@example.com").stdout
            for words in Self.jsonCommandsWithInput {
                let more = words[0] == "key" ? [] : [workspace]
                let result = try CommandRunner.run(words + more + ["--json"] + files.flags, stdin: key)
                #expect(result.status == 0 && result.json != nil, "\(words): \(result.stderr)")
            }
            let webhooks = try files.run("webhook", "list", "--json").json as? [[String: Any]]
            let webhook = try #require(webhooks?.first?["id"] as? String)
            for words in Self.jsonCommandsOfWebhooks {
                let result = try CommandRunner.run(words + [webhook, "--json"] + files.flags)
                #expect(result.status == 0 && result.json != nil, "\(words): \(result.stderr)")
            }
            let given = try files.run(
                "user", "create", "bob@example.com", "--name", "Bob", "--password-stdin", "--json",
                stdin: "a good secret\n")
            #expect(given.object?["id"] != nil && given.object?["password"] == nil)
        }

        @Test func theListOfCommandsWithJSONIsComplete() throws {
            let dump = try CommandRunner.run(["--experimental-dump-help"])
            let root = try #require(dump.object?["command"] as? [String: Any])
            var found: Set<[String]> = []
            func walk(_ command: [String: Any], _ path: [String]) {
                let flags = (command["arguments"] as? [[String: Any]] ?? []).compactMap { $0["valueName"] as? String }
                if flags.contains("json") { found.insert(path) }
                for child in command["subcommands"] as? [[String: Any]] ?? [] {
                    walk(child, path + [child["commandName"] as? String ?? ""])
                }
            }
            walk(root, [])
            let known = Self.jsonCommands + Self.jsonCommandsWithInput + Self.jsonCommandsOfWebhooks
            for path in found { #expect(known.contains { $0.starts(with: path) }, "\(path)") }
            #expect(found.count >= 11, "\(found)")
        }

        @Test func theDocumentedExitCodesAreThoseOfTheProgram() throws {
            let page = try Repository.text(of: "docs/errors.md")
            let section = try #require(page.components(separatedBy: "| Exit code | When |\n| --- | --- |\n").last)
            let rows = section.components(separatedBy: "\n").prefix { $0.hasPrefix("|") }
            #expect(Array(rows) == Status.allCases.map { "| \($0.rawValue) | \($0.when) |" })
        }

        @Test func whatPeopleWroteCommandsNoTerminal() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let name = "A\u{1B}[2J\u{9B}1m\u{7F}\u{202E}x\u{2066}\u{200B}\u{2028}\u{FEFF}\u{E0041}\r\nB"
            let queue = try DatabaseQueue(path: files.database)
            try queue.write { database in
                try database.execute(sql: "UPDATE users SET name = ?", arguments: [name])
                try database.execute(sql: "UPDATE workspaces SET name = ?", arguments: [name])
                try database.execute(sql: "UPDATE plans SET name = ?, billing_url = ?", arguments: [name, name])
            }
            try queue.close()
            let seen =
                #"A\u{001B}[2J\u{009B}1m\u{007F}\u{202E}x\u{2066}\u{200B}\u{2028}\u{FEFF}\u{E0041}\u{000D}\u{000A}B"#
            func expectVisible(_ result: CommandResult) {
                let bad = (result.stdout + result.stderr).unicodeScalars.filter {
                    $0 != "\n"
                        && [.control, .format, .lineSeparator, .paragraphSeparator].contains(
                            $0.properties.generalCategory)
                }
                #expect(bad.isEmpty, "\(bad)")
            }
            for words in [
                ["user", "list"], ["user", "show", "ada@example.com"], ["workspace", "list"], ["plan", "list"],
            ] {
                let text = try CommandRunner.run(words + files.flags)
                #expect(text.status == 0 && text.stdout.contains(seen), "\(words): \(text.stdout)")
                expectVisible(text)
                let json = try CommandRunner.run(words + ["--json"] + files.flags)
                expectVisible(json)
                let all = "\(try #require(json.json))"
                #expect(json.stdout.contains(#"\u202E"#) && all.unicodeScalars.contains("\u{202E}"), "\(words)")
            }
            let account = try files.run("user", "show", "ada@example.com", "--json").object
            #expect(account?["name"] as? String == name, "JSON says what is there")
            for words in [
                ["user", "show", "\u{1B}[2J\u{202E}"], ["nonsense\u{1B}[2J"], ["user", "list", "--\u{1B}[2J"],
            ] {
                let result = try CommandRunner.run(words)
                #expect(result.status != 0 && !result.stderr.isEmpty)
                expectVisible(result)
            }
            expectVisible(try CommandRunner.run(["serve"], environment: ["KEYBEARER_LEASE": "\u{1B}[2J"]))
        }

        @Test func whatNobodySeesIsWrittenOutUnlessItShapesWhatIsThere() {
            let shaping = "👩\u{200D}💻 ❤\u{FE0F} 1\u{FE0F}\u{20E3} می\u{200C}خواهم"
            #expect(VisibleText.escaped(shaping, keepsLines: false) == shaping)
            let hidden = "a\u{200D}b\u{FE0F}\u{3164}\u{2800}\u{E000}\u{115F}\u{34F}\u{200D}"
            #expect(
                VisibleText.escaped(hidden, keepsLines: false)
                    == #"a\u{200D}b\u{FE0F}\u{3164}\u{2800}\u{E000}\u{115F}\u{034F}\u{200D}"#)
        }

        @Test func theOwnFlagsOfACommandComeBeforeTheSettings() throws {
            for words in [["user", "create"], ["serve"], ["init"], ["plan", "put"]] {
                let help = try CommandRunner.run(words + ["--help"]).stdout
                let own = try #require(help.range(of: "\nOPTIONS:\n"), "\(help)")
                let settings = try #require(help.range(of: "\nSERVER SETTINGS:\n"), "\(help)")
                #expect(own.lowerBound < settings.lowerBound)
                let database = try #require(help.range(of: "  --database "))
                #expect(settings.lowerBound < database.lowerBound)
            }
        }
    }
}
