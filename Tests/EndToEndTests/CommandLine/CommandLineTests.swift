import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The commands, as a person and as a script use them.
    @Suite struct CommandLineTests {
        private static func mode(of path: String) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            return try #require(attributes[.posixPermissions] as? NSNumber).intValue
        }

        @Test func theHelpOfEveryCommandIsPrinted() throws {
            let dump = try CommandRunner.run(["--experimental-dump-help"])
            let root = try #require(dump.object?["command"] as? [String: Any], "\(dump.stderr)")
            var asked: [[String]] = []
            func walk(_ command: [String: Any], _ path: [String]) {
                asked.append(path + ["--help"])
                asked.append(["help"] + path)
                for child in command["subcommands"] as? [[String: Any]] ?? [] {
                    guard let name = child["commandName"] as? String, name != "help" else { continue }
                    walk(child, path + [name])
                }
            }
            walk(root, [])
            #expect(asked.contains(["help", "serve"]) && asked.contains(["user", "create", "--help"]))
            for words in asked {
                let result = try CommandRunner.run(words)
                #expect(result.status == 0 && result.stderr.isEmpty, "\(words): \(result.status) \(result.stderr)")
                let path = words.filter { !["help", "--help"].contains($0) }
                #expect(result.stdout.contains((["USAGE: keybearer"] + path).joined(separator: " ")), "\(words)")
            }
        }

        @Test func initMakesEverythingOnceAndKeepsWhatIsThere() throws {
            let files = try InstallationFiles()
            let arguments = ["init", "--email", "ada@example.com", "--generate-password"] + files.flags
            let first = try CommandRunner.run(arguments)
            #expect(first.status == 0, "\(first.stderr)")
            #expect(first.line.count == 20 && first.stdout == first.line + "\n", "only the password is on stdout")
            #expect(!first.stderr.contains(first.line))
            #expect(try Self.mode(of: files.masterKeys) == 0o600)
            #expect(try Self.mode(of: files.database) == 0o600)
            let ring = try String(contentsOfFile: files.masterKeys, encoding: .utf8)
            let shown = try files.run("user", "show", "ada@example.com", "--json")
            #expect(shown.object?["operator"] as? Bool == true)

            let again = try CommandRunner.run(arguments)
            #expect(again.status == 0 && again.stdout.isEmpty, "\(again.stderr)")
            for piece in ["\(files.masterKeys) exists", "\(files.database) exists", "ada@example.com"] {
                #expect(again.stderr.contains(piece), "\(again.stderr)")
            }
            #expect(!again.stderr.contains("Made") && !again.stderr.contains("Changed"), "\(again.stderr)")
            let other = try files.run(
                "init", "--email", "eve@example.com", "--password-stdin", stdin: "a good secret\n")
            #expect(other.status == 0, "\(other.stderr)")
            #expect(try String(contentsOfFile: files.masterKeys, encoding: .utf8) == ring)
        }

        @Test func initRefusesADatabaseWhoseMasterKeysAreGone() throws {
            let files = try InstallationFiles()
            try files.initialise()
            try FileManager.default.removeItem(atPath: files.masterKeys)
            let result = try files.run("init", "--email", "eve@example.com", "--generate-password")
            #expect(result.status == 73)
            #expect(result.stderr.contains("restore the file") && result.stdout.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: files.masterKeys))
        }

        @Test func serveRefusesMasterKeysThatAreMissingOpenOrSamples() throws {
            let files = try InstallationFiles()
            try files.initialise()
            let ring = try String(contentsOfFile: files.masterKeys, encoding: .utf8)
            func serve() throws -> CommandResult {
                // One that starts in spite of it is not waited for.
                try CommandRunner.start(["serve", "--address", "127.0.0.1:0"] + files.flags).finish(within: 20)
            }
            func write(_ text: String, mode: Int = 0o600) throws {
                try text.write(toFile: files.masterKeys, atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: files.masterKeys)
            }
            for mode in [0o644, 0o640, 0o604, 0o620] {
                try write(ring, mode: mode)
                let result = try serve()
                #expect(result.status == 77 && result.stderr.contains("chmod 600"), "mode \(String(mode, radix: 8))")
            }
            let counting = Data((0..<32).map { UInt8($0) })
            let samples = [
                counting, Data(repeating: 7, count: 32), Data(String(repeating: "ab", count: 16).utf8),
                Data("0123456789abcdef0123456789abcdef".utf8),
            ]
            for sample in samples {
                try write("active mk_0123456789ABCDEFGHIJKL \(sample.base64EncodedString())\n")
                let result = try serve()
                #expect(result.status == 78 && result.stderr.contains("sample or not random"), "\(result.stderr)")
                #expect(!result.stderr.contains(sample.base64EncodedString()))
            }
            let malformed = [
                ("", "holds no key"), ("active mk_x AAAA\n", "32 bytes long"), ("nonsense\n", "line 1"),
            ]
            for (text, word) in malformed {
                try write(text)
                let result = try serve()
                #expect(result.status == 78 && result.stderr.contains(word), "\(result.stderr)")
            }
            try FileManager.default.removeItem(atPath: files.masterKeys)
            let missing = try serve()
            #expect(missing.status == 66 && missing.stderr.contains(files.masterKeys))
        }

        @Test func exitCodesTellWhatWasWrong() throws {
            let files = try InstallationFiles()
            #expect(try files.run("user", "list").status == 66, "no database")
            try files.initialise()
            #expect(try CommandRunner.run(["user", "show"] + files.flags).status == 64, "usage")
            #expect(try CommandRunner.run(["nonsense"]).status == 64, "usage")
            #expect(try files.run("user", "create", "eve@example.com", "--name", "Eve").status == 64, "no password")
            #expect(try files.run("user", "list", "--limit", "0").status == 64, "usage")
            #expect(try files.run("user", "show", "nobody@example.com").status == 67, "no such user")
            #expect(try files.run("key", "regenerate", "usr_0123456789ABCDEFGHIJKL").status == 67, "no such user")
            #expect(try files.run("user", "delete", "ada@example.com").status == 65, "without --yes")
            let short = try files.run(
                "user", "create", "eve@example.com", "--name", "Eve", "--password-stdin", stdin: "short\n")
            #expect(short.status == 65 && short.stderr.contains("password: Use at least 8 characters."))
            #expect(!short.stderr.contains("short\n") && short.stdout.isEmpty)
            let address = try files.run("user", "create", "eve", "--name", "Eve", "--generate-password")
            #expect(address.status == 65 && address.stderr.contains("email:"))
            #expect(try files.run("user", "set-password", "ada@example.com", "--password-stdin").status == 66, "empty")
            #expect(try files.run("restore", files.database).status == 65, "without --yes")
            #expect(try files.run("serve", "--lease", "9").status == 78, "setting")
            #expect(try CommandRunner.run(["--version"]).status == 0)
            #expect(try CommandRunner.run(["--help"]).stdout.contains("USAGE"))
        }

        @Test func accountsLiveTheirWholeLifeByCommand() throws {
            let files = try InstallationFiles()
            try files.initialise()
            let made = try files.run(
                "user", "create", "eve@example.com", "--name", "Eve", "--password-stdin", "--json",
                stdin: "a good secret\n")
            let account = try #require(made.object, "\(made.stderr)")
            let id = try #require(account["id"] as? String)
            #expect(id.hasPrefix("usr_") && account["status"] as? String == "active")
            let record = try #require(account["key"] as? [String: Any])
            #expect(record["key"] == nil && (record["prefix"] as? String)?.hasPrefix("tdc_") == true)
            let memberships = try #require(account["workspaces"] as? [[String: Any]])
            #expect(memberships.map { $0["role"] as? String } == ["owner"])
            #expect(memberships.map { $0["plan"] as? String } == ["free"])

            let listed = try #require(try files.run("user", "list", "--json").json as? [[String: Any]])
            #expect(listed.map { $0["email"] as? String } == ["ada@example.com", "eve@example.com"])
            let secondPage = try files.run("user", "list", "--json", "--page", "2", "--limit", "1").json
            #expect((secondPage as? [[String: Any]])?.count == 1)
            #expect(try files.run("user", "show", id, "--json").object?["email"] as? String == "eve@example.com")
            #expect(try files.run("user", "show", "EVE@Example.com").stdout.contains(id), "any spelling of the address")

            #expect(try files.run("user", "disable", id).status == 0)
            #expect(try files.run("user", "show", id, "--json").object?["status"] as? String == "disabled")
            #expect(try files.run("user", "enable", id).status == 0)
            #expect(try files.run("user", "show", id, "--json").object?["status"] as? String == "active")
            let generated = try files.run("user", "set-password", id, "--generate-password")
            #expect(generated.status == 0 && generated.stdout == generated.line + "\n" && generated.line.count == 20)
            #expect(try files.run("user", "delete", id, "--yes").status == 0)
            #expect(try files.run("user", "show", id).status == 67)
        }

        @Test func keysAreShownAndRegeneratedOnStandardOutputAlone() throws {
            let files = try InstallationFiles()
            try files.initialise()
            let key = try CommandLineOutput.onlyKey(on: files.run("key", "show", "ada@example.com"))
            #expect(try files.run("key", "show", "ada@example.com", "--json").object?["key"] as? String == key)
            let metadata = try files.run("key", "show", "ada@example.com", "--metadata")
            #expect(!metadata.stdout.contains(key) && metadata.stdout.contains(key.prefix(8)))
            let noSecret = try files.run("key", "show", "ada@example.com", "--metadata", "--json").object
            #expect(noSecret?["key"] == nil && noSecret?["prefix"] as? String == String(key.prefix(8)))

            func regenerate(_ idempotencyKey: String) throws -> CommandResult {
                try files.run("key", "regenerate", "ada@example.com", "--idempotency-key", idempotencyKey)
            }
            let second = try CommandLineOutput.onlyKey(on: regenerate("one"))
            #expect(second != key)
            #expect(try CommandLineOutput.onlyKey(on: regenerate("one")) == second, "a replay makes no second change")
            #expect(try CommandLineOutput.onlyKey(on: files.run("key", "show", "ada@example.com")) == second)
            let third = try files.run("key", "regenerate", "ada@example.com", "--json").object?["key"] as? String
            #expect(third != nil && third != second)
            #expect(try regenerate("one").status == 65, "what the replay names has been replaced since")
            #expect(try regenerate("with space").status == 65)
        }

        @Test func workspacesAndPlansByCommand() throws {
            let files = try InstallationFiles()
            try files.initialise()
            #expect(
                try files.run("user", "create", "eve@example.com", "--name", "Eve", "--generate-password").status == 0)
            let made = try files.run("workspace", "create", "Testing", "--owner", "ada@example.com")
            let id = made.line
            #expect(id.hasPrefix("ws_") && made.stdout == id + "\n")
            let plans = try #require(try files.run("plan", "list", "--json").json as? [[String: Any]])
            #expect(plans.map { $0["id"] as? String } == ["free", "pro"])
            #expect(plans.last?["features"] as? [String] == ["api_webhooks"])
            let unknown = try files.run("plan", "put", "team", "--name", "Team", "--feature", "api_webhook")
            #expect(
                unknown.status == 65
                    && unknown.stderr.contains("Unknown: 'api_webhook'. Use these features: api_webhooks."))
            let place = ["plan", "put", "team", "--name", "Team", "--position", "9223372036854775807"]
            #expect(try CommandRunner.run(place + files.flags).stderr.contains("position: Use"))
            let put = try files.run(
                "plan", "put", "team", "--name", "Team", "--hourly-limit", "5000", "--feature", "api_webhooks",
                "--billing-url", "https://billing.example.com/team", "--position", "2")
            #expect(put.status == 0, "\(put.stderr)")
            for (flag, value) in [
                ("--billing-url", "javascript:alert(1)"), ("--billing-url", "//evil.example"),
                ("--billing-url", "/\t/evil.example"), ("--billing-url", "/billing"), ("--feature", "time_travel"),
            ] {
                let result = try files.run("plan", "put", "team", "--name", "Team", flag, value)
                #expect(result.status == 65, "\(flag) \(value): \(result.stderr)")
            }
            #expect(try files.run("workspace", "set-plan", id, "team").status == 0)
            #expect(try files.run("workspace", "set-plan", id, "none").status == 67)
            #expect(try files.run("workspace", "set-plan", "Testing", "team").status == 64)
            #expect(try files.run("workspace", "add-member", id, "eve@example.com", "--role", "admin").status == 0)
            #expect(try files.run("workspace", "add-member", id, "eve@example.com", "--role", "king").status == 64)
            let listed = try #require(try files.run("workspace", "list", "--json").json as? [[String: Any]])
            let testing = listed.first { $0["id"] as? String == id }
            #expect(testing?["plan"] as? String == "team" && testing?["members"] as? Int == 2)
            #expect(try files.run("workspace", "remove-member", id, "ada@example.com").status == 65, "the last Owner")
            #expect(try files.run("workspace", "remove-member", id, "eve@example.com").status == 0)
            #expect(try files.run("plan", "list").stdout.contains("https://billing.example.com/team"))
            let used = try files.run("plan", "delete", "team")
            #expect(used.status == 65 && used.stderr.contains("1 workspace is on the plan 'team'"), "\(used.stderr)")
            #expect(try files.run("workspace", "set-plan", id, "pro").status == 0)
            let deleted = try files.run("plan", "delete", "team")
            #expect(deleted.status == 0 && deleted.stderr.contains("Changed \(files.database)"), "\(deleted.stderr)")
            #expect(try files.run("plan", "delete", "team").status == 67)
            let first = try files.run(
                "plan", "put", "start", "--name", "Start", "--position", "-1")
            #expect(first.status == 0, "\(first.stderr)")
            let starting = try files.run("plan", "delete", "start")
            #expect(starting.status == 65 && starting.stderr.contains("New workspaces start on the plan 'start'"))
        }
    }
}
