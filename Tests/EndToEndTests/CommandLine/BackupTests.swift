import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Backup and restore, as an operator does them: ``BackupCommand``, and ``RestoreCommand``, which looks for
    /// ``RunningNodes``.
    @Suite struct BackupTests {
        @Test func aRestoreBringsBackTheStateAndNothingElse() throws {
            let deployed = try Deployed(["--lease", "500ms"])
            let backup = deployed.files.directory.file("monday.backup")
            let browser = try Browser(port: deployed.server.port)
            try browser.signIn(email: Deployed.ada, password: deployed.password)
            #expect(try deployed.outcome(of: deployed.key) == "200")
            try deployed.command("backup", backup)
            let mode = try FileManager.default.attributesOfItem(atPath: backup)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o600)
            #expect(try deployed.files.run("backup", backup).status == 65, "a backup is never written over")
            let newKey = try deployed.command("key", "regenerate", Deployed.ada)
            _ = try deployed.makeAccount("late@example.com")

            let refused = try deployed.files.run("restore", backup, "--yes")
            #expect(refused.status == 75 && refused.stderr.contains("a server runs on this database"))
            #expect(try deployed.outcome(of: newKey) == "200")
            #expect(deployed.server.terminate() == 0)
            let restored = try deployed.files.run("restore", backup, "--yes")
            #expect(restored.status == 0, "\(restored.stderr)")
            #expect(restored.stderr.contains("All sessions have ended."))
            #expect(restored.stderr.contains("live again in their old form"))

            let server = try ServerProcess.serve(deployed.files, name: "after")
            let connection = try RawConnection(port: server.port)
            #expect(try connection.roundTrip(RawRequest.get(key: deployed.key)).status == 200, "it lives again")
            #expect(try connection.roundTrip(RawRequest.get(key: newKey)).status == 401)
            #expect(try deployed.files.run("user", "show", "late@example.com").status == 67)
            let later = try Browser(port: server.port, token: browser.token)
            #expect(try later.get("/account")["location"]?.hasPrefix("/sign-in") == true)
            try later.signIn(email: Deployed.ada, password: deployed.password)
            #expect(try later.get("/account").status == 200)
        }

        @Test func whatIsNoBackupChangesNothing() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            let key = try files.run("key", "show", "ada@example.com").line
            let texts = ["", "not a database", String(repeating: "SQLite format 3\0", count: 1_000)]
            for (number, text) in texts.enumerated() {
                let path = files.directory.file("\(number).backup")
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                let result = try files.run("restore", path, "--yes")
                #expect(result.status == 65, "\(number): \(result.status) \(result.stderr)")
            }
            let missing = try files.run("restore", files.directory.file("none.backup"), "--yes")
            #expect(missing.status != 0, "\(missing.status) \(missing.stderr)")
            #expect(try files.run("key", "show", "ada@example.com").line == key)
            #expect(try files.run("doctor").status == 0)
        }
    }
}
