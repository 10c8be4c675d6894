import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The database's file is replaced under a running server (``FileWatch``, ``MainFile``): it answers nothing more,
    /// from memory or from the file.
    @Suite struct ReplacedFileTests {
        enum Replacement: String, CaseIterable {
            case moveAnotherOver
            case removeAndCreate
            case remove
            case copyOlderBackupOver
            case copyAnotherOver
            /// The same database as far as the backup, and then another history that is longer than the server's.
            case copyDivergedOver
            case emptyIt
        }

        private func readiness(_ deployed: Deployed) throws -> String {
            try RawConnection(port: deployed.server.port).roundTrip(RawRequest.text("GET", "/readyz")).text
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }

        private func awaitReadiness(_ wanted: String, _ deployed: Deployed) throws {
            let deadline = MonotonicTime.now().advanced(byMilliseconds: 30_000)
            var found = ""
            while found != wanted, MonotonicTime.now() < deadline { found = try readiness(deployed) }
            try #require(found == wanted)
        }

        private func replace(_ file: String, _ kind: Replacement, backup: String, other: String) throws {
            func run(_ words: String...) throws {
                let result = try CommandRunner.run(program: words[0], Array(words.dropFirst()))
                try #require(result.status == 0, "\(result.stderr)")
            }
            switch kind {
            case .moveAnotherOver: try run("mv", backup, file)
            case .removeAndCreate:
                try run("rm", file)
                try run("cp", backup, file)
            case .remove: try run("rm", file)
            case .copyOlderBackupOver: try run("cp", backup, file)
            case .copyAnotherOver, .copyDivergedOver: try run("cp", other, file)
            case .emptyIt: try run("truncate", "-s", "0", file)
            }
        }

        /// Goes on from a backup in another way, for longer than the server has.
        private func diverge(_ other: InstallationFiles, from backup: String, _ deployed: Deployed) throws {
            try FileManager.default.copyItem(atPath: backup, toPath: other.database)
            for _ in 0..<4 {
                let result = try CommandRunner.run([
                    "key", "regenerate", Deployed.ada, "--database", other.database, "--master-key-file",
                    deployed.files.masterKeys,
                ])
                try #require(result.status == 0, "\(result.stderr)")
            }
        }

        @Test(arguments: Replacement.allCases)
        func aServerNoticesAndStopsResponding(_ kind: Replacement) throws {
            var deployed = try Deployed()
            let backup = deployed.files.directory.file("backup.db")
            #expect(try deployed.outcome(of: deployed.key) == "200")
            try deployed.command("backup", backup)
            let other = try InstallationFiles()
            if kind == .copyDivergedOver {
                try diverge(other, from: backup, deployed)
            } else {
                try other.initialise()
            }
            // A change behind the backup, whose pages the write-ahead log still holds.
            let key = try deployed.command("key", "regenerate", Deployed.ada)
            #expect(try deployed.outcome(of: key) == "200")
            // A start moves the log into the file: what the server knows of it is behind where the copy went its own way.
            if kind == .copyDivergedOver { try deployed.restart() }
            try awaitReadiness("ready", deployed)
            // The server has looked at the file as it is at least once.
            let start = MonotonicTime.now()
            while MonotonicTime.now().milliseconds(since: start) < 1_500 {
                #expect(try deployed.outcome(of: key) == "200")
            }
            try replace(deployed.files.database, kind, backup: backup, other: other.database)
            try awaitReadiness("database_replaced", deployed)
            for old in [deployed.key, key] {
                let outcome = try deployed.outcome(of: old)
                #expect(outcome == "503 UNAVAILABLE")
            }
            let response = try RawConnection(port: deployed.server.port).roundTrip(
                RawRequest.text(
                    "POST", "/api/v1/key/revoke", headers: [("Authorization", "Bearer \(key)")], body: ""))
            #expect(response.status == 503)
            #expect(try readiness(deployed) == "database_replaced")
            let lines = deployed.server.text.split(separator: "\n").filter {
                $0.contains("was replaced under this server")
            }
            #expect(lines.count == 1 && lines[0].contains("start it again"), "\(lines)")
            #expect(deployed.server.terminate() == 0)
        }

        @Test func whatCommandsDoBesideItReplacesNothing() throws {
            let deployed = try Deployed()
            for round in 0..<12 {
                _ = try deployed.makeAccount("user\(round)@example.com")
                try deployed.command("key", "regenerate", Deployed.ada)
                try deployed.command("backup", deployed.files.directory.file("backup\(round).db"))
                #expect(try deployed.command("doctor") != "")
                #expect(try readiness(deployed) == "ready")
            }
            #expect(!deployed.server.text.contains("was replaced"))
            #expect(deployed.server.terminate() == 0)
        }
    }
}
