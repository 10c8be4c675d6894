import Foundation
import GRDB
import TestSupport
import Testing

extension EndToEndTests {
    /// Master keys that are not those of the database: by ``RingRequirement`` nothing starts, nothing is changed.
    @Suite struct RingTests {
        /// A database and master keys, and the master keys of another deployment.
        private struct Foreign {
            let files: InstallationFiles
            let other: InstallationFiles
            let key: String
            /// The id that a foreign ring lacks.
            let id: String
            /// The database with the other deployment's master keys.
            var flags: [String] { ["--database", files.database, "--master-key-file", other.masterKeys] }

            init() throws {
                files = try InstallationFiles()
                try files.copyInitialised()
                other = try InstallationFiles()
                try other.initialise(email: "eve@example.com")
                key = try files.run("key", "show", Deployed.ada).line
                id = try RingTests.activeID(files)
            }

            func run(_ words: String...) throws -> CommandResult { try CommandRunner.run(words + flags) }
        }

        private static func activeID(_ files: InstallationFiles) throws -> String {
            let text = try String(contentsOfFile: files.masterKeys, encoding: .utf8)
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("active ") })
            return String(line.split(separator: " ")[1])
        }

        private func expectRefusal(
            _ result: CommandResult, _ id: String, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(result.status == 78, "\(result.stderr)", sourceLocation: sourceLocation)
            #expect(
                result.stderr.contains("\(id) is missing") && result.stderr.contains("'master \(id) …'")
                    && result.stderr.contains("backup") && result.stderr.contains("no key or token was changed")
                    && result.stdout.isEmpty,
                "\(result.stderr)", sourceLocation: sourceLocation)
        }

        private static func install(_ text: String, at path: String) {
            _ = FileManager.default.createFile(
                atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        }

        @Test func commandsRefuseAForeignRingAndTheGoodKeyLives() throws {
            let foreign = try Foreign()
            let settings = try Self.storedSettings(foreign.files)
            let serving = try CommandRunner.start(
                ["serve", "--address", "127.0.0.1:0", "--password-cost", "18"] + foreign.flags)
            expectRefusal(serving.finish(within: 30), foreign.id)
            #expect(try Self.storedSettings(foreign.files) == settings)
            for words in [
                ["key", "regenerate", Deployed.ada], ["key", "show", Deployed.ada], ["master-key", "rotate"],
                ["user", "create", "bob@example.com", "--name", "Bob", "--generate-password"],
                ["operator-token", "create", "CI"],
                ["init", "--email", "bob@example.com", "--generate-password"],
                [
                    "migrate", "--from", "sqlite:\(foreign.files.database)", "--to",
                    "sqlite:\(foreign.files.directory.file("moved.db"))",
                ],
            ] {
                expectRefusal(try CommandRunner.run(words + foreign.flags), foreign.id)
            }
            #expect(!FileManager.default.fileExists(atPath: foreign.files.directory.file("moved.db")))
            #expect(FileManager.default.fileExists(atPath: foreign.other.masterKeys), "only what init made goes")
            let doctor = try foreign.run("doctor")
            #expect(doctor.status == 78 && doctor.stdout.contains("\(foreign.id) is missing"), "\(doctor.stdout)")
            // One advice: the problem's own.
            #expect(!doctor.stdout.contains("mend: Put"), "\(doctor.stdout)")
            // What ends or looks at something works: nobody waits for a backup to disable an account.
            #expect(try foreign.run("user", "list").status == 0)
            #expect(try foreign.run("user", "disable", Deployed.ada).status == 0)
            #expect(try foreign.run("user", "enable", Deployed.ada).status == 0)
            #expect(try foreign.files.run("key", "show", Deployed.ada).line == foreign.key)
            let server = try ServerProcess.serve(foreign.files)
            let connection = try RawConnection(port: server.port)
            #expect(try connection.roundTrip(RawRequest.get(key: foreign.key)).status != 401)
        }

        @Test func aRingWithTheRightIDAndAnotherSecretIsRefused() throws {
            let foreign = try Foreign()
            let text = try String(contentsOfFile: foreign.other.masterKeys, encoding: .utf8)
            Self.install(
                text.replacingOccurrences(of: try Self.activeID(foreign.other), with: foreign.id),
                at: foreign.other.masterKeys)
            let result = try foreign.run("key", "regenerate", Deployed.ada)
            #expect(result.status == 78 && result.stderr.contains("\(foreign.id) has another secret"))
            #expect(try foreign.files.run("key", "show", Deployed.ada).line == foreign.key)
        }

        @Test func restoreRefusesABackupOfAnotherRing() throws {
            let foreign = try Foreign()
            let backup = foreign.other.directory.file("other.backup")
            #expect(try foreign.other.run("backup", backup).status == 0)
            let refused = try foreign.files.run("restore", backup, "--yes")
            expectRefusal(refused, try Self.activeID(foreign.other))
            #expect(try foreign.files.run("key", "show", Deployed.ada).line == foreign.key)
            #expect(try foreign.files.run("doctor").status == 0)
            let left = try FileManager.default.contentsOfDirectory(atPath: foreign.files.directory.path)
            #expect(!left.contains { $0.contains("examining") })
        }

        @Test func serveRefusesADatabaseThatHasNoMasterKeys() throws {
            let files = try InstallationFiles()
            let other = try InstallationFiles()
            try other.copyInitialised()
            Self.install("", at: files.database)
            let serving = try CommandRunner.start(
                [
                    "serve", "--address", "127.0.0.1:0", "--database", files.database, "--master-key-file",
                    other.masterKeys,
                ])
            let result = serving.finish(within: 30)
            #expect(result.status != 0 && result.stderr.contains("keybearer init"), "\(result.stderr)")
        }

        @Test(arguments: [false, true])
        func ofInitsAtTheSameMomentExactlyOneWins(onPostgres: Bool) throws {
            let directory = try TemporaryDirectory()
            let postgres = onPostgres ? try PostgresDatabase() : nil
            let database = postgres?.address ?? directory.file("keybearer.db")
            let numbers = 0..<5
            func flags(_ number: Int) -> [String] {
                ["--database", database, "--master-key-file", directory.file("\(number).keys")]
            }
            let running = try numbers.map { number in
                try CommandRunner.start(
                    ["init", "--email", "ada\(number)@example.com", "--generate-password"] + flags(number))
            }
            let results = running.map { $0.finish() }
            let winners = numbers.filter { results[$0].status == 0 }
            let winner = try #require(winners.first, "\(results.map(\.stderr))")
            #expect(winners.count == 1)
            let text = try String(contentsOfFile: directory.file("\(winner).keys"), encoding: .utf8)
            let id = try #require(text.split(separator: " ").first { $0.hasPrefix("mk_") })
            for number in numbers where number != winner {
                // Whoever came after the winner had finished never made a file.
                #expect([78, 73].contains(results[number].status), "\(results[number].stderr)")
                #expect(results[number].stderr.contains(id) && results[number].stdout.isEmpty)
                #expect(!FileManager.default.fileExists(atPath: directory.file("\(number).keys")))
            }
            let shown = try CommandRunner.run(["key", "show", "ada\(winner)@example.com"] + flags(winner))
            #expect(shown.status == 0)
            #expect(try CommandRunner.run(["doctor"] + flags(winner)).stdout.contains("Every Secret Key opens"))
        }

        @Test func aServerThatLacksAMasterKeySaysSoUntilTheFileHasIt() throws {
            let deployed = try Deployed(["--lease", "500ms"])
            let copy = deployed.files.directory.file("copy.keys")
            func copyRing() throws {
                Self.install(try String(contentsOfFile: deployed.files.masterKeys, encoding: .utf8), at: copy)
            }
            try copyRing()
            let stale = try ServerProcess(
                [
                    "serve", "--address", "127.0.0.1:0", "--lease", "500ms", "--database", deployed.files.database,
                    "--master-key-file", copy,
                ], logs: deployed.files.directory, name: "stale")
            let connection = try RawConnection(port: stale.port)
            #expect(try connection.roundTrip(RawRequest.get(key: deployed.key)).status == 200)
            try deployed.command("master-key", "rotate")
            let id = try Self.activeID(deployed.files)
            let probe = try connection.roundTrip(RawRequest.text("GET", "/readyz"))
            #expect(probe.status == 503 && probe.text.contains("master_keys_missing"), "\(probe.text)")
            let fresh = try deployed.command("key", "regenerate", Deployed.ada)
            for key in [deployed.key, fresh] {
                let response = try connection.roundTrip(RawRequest.get(key: key))
                #expect(response.status == 503 && response.errorCode == "UNAVAILABLE")
            }
            #expect(try deployed.outcome(of: fresh) == "200", "the other server goes on")
            // Once of its own accord; each request that it cost names it too, under its id.
            let lines = stale.text.split(separator: "\n")
                .filter { $0.contains("\(id) is missing") && !$0.contains("A request failed") }
            #expect(lines.count == 1, "\(stale.text)")
            // The whole ring of now arrives.
            try copyRing()
            let deadline = Date().addingTimeInterval(30)
            var status = 0
            while status != 200, Date() < deadline {
                status = try connection.roundTrip(RawRequest.text("GET", "/readyz")).status
            }
            #expect(try connection.roundTrip(RawRequest.get(key: fresh)).status == 200)
            #expect(try connection.roundTrip(RawRequest.get(key: deployed.key)).status == 401)
            #expect(stale.text.contains("complete again"))
        }

        @Test func aDatabaseOfVersion01IsStampedByTheFirstThatOpensEveryKey() throws {
            let files = try InstallationFiles()
            let fixtures = Repository.url("Tests/Fixtures/0.1").path
            try FileManager.default.copyItem(atPath: fixtures + "/keybearer.db", toPath: files.database)
            let ring = try String(contentsOfFile: fixtures + "/master.keys", encoding: .utf8)
            // A ring without the line of one id: it is named, and nothing is noted.
            let lines = ring.split(separator: "\n").filter { !$0.hasPrefix("#") }
            let other = try InstallationFiles()
            try other.copyInitialised()
            Self.install(try String(contentsOfFile: other.masterKeys, encoding: .utf8), at: files.masterKeys)
            let live = try #require(lines.first { $0.hasPrefix("active") }).split(separator: " ")[1]
            expectRefusal(try files.run("key", "show", "usr_none"), String(live))
            #expect(try Self.fingerprints(files) == 0)
            Self.install(ring, at: files.masterKeys)
            #expect(try files.run("doctor").stdout.contains("Every Secret Key opens"))
            #expect(try Self.fingerprints(files) >= 1)
        }

        /// What the database keeps about itself.
        private static func storedSettings(_ files: InstallationFiles) throws -> [String: String] {
            let file = try DatabaseQueue(path: files.database)
            defer { try? file.close() }
            return try file.read { db in
                let rows = try Row.fetchAll(db, sql: "SELECT name, value FROM stored_settings")
                return Dictionary(uniqueKeysWithValues: rows.map { ($0["name"], $0["value"]) })
            }
        }

        /// How many master keys have a fingerprint.
        private static func fingerprints(_ files: InstallationFiles) throws -> Int {
            let file = try DatabaseQueue(path: files.database)
            defer { try? file.close() }
            return try file.read { db in
                try Int.fetchOne(db, sql: "SELECT count(*) FROM master_keys WHERE tag_fingerprint IS NOT NULL") ?? -1
            }
        }
    }
}
