import Foundation
import GRDB
import TestSupport
import Testing

extension EndToEndTests {
    /// `doctor` finds what is broken and says how to mend it.
    @Suite struct DoctorTests {
        /// One line of `doctor --json`.
        private struct Finding: Decodable {
            let state: String
            let subject: String
            let message: String
            let mend: String?
        }

        @Test func aSoundInstallationHasNoBrokenFinding() throws {
            let files = try InstallationFiles()
            try files.initialise()
            let (status, findings) = try Self.examine(files)
            #expect(status == 0)
            #expect(!findings.contains { $0.state == "broken" })
            let sound = findings.filter { $0.state == "ok" }.map(\.subject)
            #expect(
                sound == ["settings", "master keys", "database", "keys", "addresses", "regenerate-by-key", "servers"])
            let text = try files.run("doctor", "--public-url", "https://yourapp.com")
            #expect(text.status == 0 && !text.stdout.contains("warning") && text.stderr.isEmpty)
        }

        @Test func aKeyThatMayRegenerateItselfIsAWarning() throws {
            let files = try InstallationFiles()
            try files.initialise()
            let (status, findings) = try Self.examine(files, ["--regenerate-by-key", "open"])
            let finding = try #require(findings.first { $0.subject == "regenerate-by-key" })
            #expect(status == 0 && finding.state == "warning" && finding.message.contains("the setting says so"))
            #expect(finding.mend?.contains("Set regenerate-by-key to closed") == true)
        }

        @Test func accountsThatShareAnAddressAreAWarning() throws {
            let files = try InstallationFiles()
            try files.initialise()
            for name in ["one", "two"] {
                let made = try files.run(
                    "user", "create", "\(name)@example.com", "--name", name, "--password-stdin",
                    stdin: "long enough secret\n")
                #expect(made.status == 0, "\(made.stderr)")
            }
            // As earlier versions stored what was typed.
            try DatabaseQueue(path: files.database).write { db in
                for (name, email) in [("one", "\u{E9}va@example.com"), ("two", "e\u{301}va@example.com")] {
                    try db.execute(sql: "UPDATE users SET email = ? WHERE name = ?", arguments: [email, name])
                }
            }
            let (status, findings) = try Self.examine(files)
            let finding = try #require(findings.first { $0.subject == "addresses" })
            #expect(status == 0 && finding.state == "warning" && finding.message.contains(" = usr_"))
            #expect(finding.mend?.contains("keybearer user delete") == true)
            #expect(try files.run("user", "list").stdout.contains("va@example.com"))
        }

        @Test func settingsThatCannotWorkAreBroken() throws {
            let files = try InstallationFiles()
            try files.initialise()
            try Self.expectBroken(files, "https", mend: "trusted-proxies", ["--address", "0.0.0.0:8080"])
            try Self.expectBroken(files, "settings", mend: "Change the setting", ["--lease", "1h"])
            let local = ["--public-url", "http://yourapp.com", "--address", "[::1]:80"]
            let (status, findings) = try Self.examine(files, local)
            #expect(status == 0)
            #expect(!findings.contains { $0.state == "broken" })
        }

        @Test func masterKeysThatAreMissingOpenOrForeignAreBroken() throws {
            let files = try InstallationFiles()
            try files.initialise()
            let ring = try Data(contentsOf: URL(fileURLWithPath: files.masterKeys))
            func install(_ contents: Data, mode: Int = 0o600) {
                _ = FileManager.default.createFile(
                    atPath: files.masterKeys, contents: contents, attributes: [.posixPermissions: mode])
            }
            try FileManager.default.removeItem(atPath: files.masterKeys)
            try Self.expectBroken(files, "master keys", mend: "from its backup")
            install(ring, mode: 0o644)
            try Self.expectBroken(files, "master keys", mend: "chmod 600")
            install(Data("active mk_x nonsense\n".utf8))
            try Self.expectBroken(files, "master keys", mend: "from its backup")
            let other = try InstallationFiles()
            try other.initialise()
            install(try Data(contentsOf: URL(fileURLWithPath: other.masterKeys)))
            try Self.expectBroken(files, "keys", mend: "master mk_")
            install(ring)
            #expect(try Self.examine(files).status == 0)
        }

        @Test func aDatabaseThatIsMissingForeignOrDamagedIsBroken() throws {
            let files = try InstallationFiles()
            try files.initialise()
            let sound = try Data(contentsOf: URL(fileURLWithPath: files.database))
            func install(_ contents: Data) throws {
                for suffix in ["", "-wal", "-shm"] {
                    try? FileManager.default.removeItem(atPath: files.database + suffix)
                }
                _ = FileManager.default.createFile(
                    atPath: files.database, contents: contents, attributes: [.posixPermissions: 0o600])
            }
            var damaged = sound
            for offset in stride(from: 4_096, to: sound.count, by: 97) { damaged[offset] ^= 0x5A }
            try install(damaged)
            try Self.expectBroken(files, "database", mend: "backup")
            try install(Data("this is no database, whatever its name says".utf8))
            try Self.expectBroken(files, "database", mend: "backup")
            try FileManager.default.removeItem(atPath: files.database)
            try Self.expectBroken(files, "database", mend: "keybearer init")
            try install(sound)
            #expect(try Self.examine(files).status == 0)
        }

        private static func examine(
            _ files: InstallationFiles, _ arguments: [String] = []
        ) throws -> (status: Int32, findings: [Finding]) {
            let result = try CommandRunner.run(["doctor", "--json"] + files.flags + arguments)
            return (result.status, try JSONDecoder().decode([Finding].self, from: Data(result.stdout.utf8)))
        }

        private static func expectBroken(
            _ files: InstallationFiles, _ subject: String, mend: String, _ arguments: [String] = []
        ) throws {
            let (status, findings) = try examine(files, arguments)
            #expect(status == 78, "\(subject)")
            let broken = findings.filter { $0.state == "broken" }
            #expect(broken.contains { $0.subject == subject && $0.mend?.contains(mend) == true }, "\(findings)")
            #expect(broken.allSatisfy { $0.mend != nil }, "what is broken names its mend")
            let text = try CommandRunner.run(["doctor"] + files.flags + arguments)
            #expect(text.status == 78 && text.stdout.contains("mend: "))
        }
    }
}
