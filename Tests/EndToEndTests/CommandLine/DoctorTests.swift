import Foundation
import GRDB
import TestSupport
import Testing

extension EndToEndTests {
    /// `doctor` on databases whose contents only a test can write: ``DatabaseExamination``. `CommandScriptTests` has
    /// the rest.
    @Suite struct DoctorTests {
        /// One line of `doctor --json`.
        private struct Finding: Decodable {
            let state: String
            let subject: String
            let message: String
            let mend: String?
        }

        @Test func accountsThatShareAnAddressAreAWarning() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
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

        @Test func aDatabaseThatIsMissingForeignOrDamagedIsBroken() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
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
            _ files: InstallationFiles
        ) throws -> (status: Int32, findings: [Finding]) {
            let result = try files.run("doctor", "--json")
            return (result.status, try JSONDecoder().decode([Finding].self, from: Data(result.stdout.utf8)))
        }

        private static func expectBroken(_ files: InstallationFiles, _ subject: String, mend: String) throws {
            let (status, findings) = try examine(files)
            #expect(status == 78, "\(subject)")
            let broken = findings.filter { $0.state == "broken" }
            #expect(broken.contains { $0.subject == subject && $0.mend?.contains(mend) == true }, "\(findings)")
            #expect(broken.allSatisfy { $0.mend != nil }, "what is broken names its mend")
            let text = try files.run("doctor")
            #expect(text.status == 78 && text.stdout.contains("mend: "))
        }
    }
}
