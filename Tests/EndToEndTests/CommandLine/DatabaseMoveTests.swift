import Foundation
import GRDB
import TestSupport
import Testing

extension EndToEndTests {
    /// A ``DatabaseMove`` by `migrate` (``MigrateCommand``), killed at every stage, in both directions: at no moment
    /// can both databases be written to, and the same command again finishes.
    @Suite struct DatabaseMoveTests {
        private let directory: TemporaryDirectory
        private let original: String
        private let key: String

        static let stages = ["marked", "copying", "verifying", "verified", "built", "committed", "moved"]

        init() throws {
            let files = try InstallationFiles()
            try files.copyInitialised()
            (directory, original) = (files.directory, files.database)
            key = try files.run("key", "show", "ada@example.com").line
        }

        private func run(_ words: String..., on database: String) throws -> CommandResult {
            try CommandRunner.run(
                words + ["--database", database, "--master-key-file", directory.file("keybearer.keys")])
        }

        private func migrate(
            _ source: String, to target: String, killedAt stage: String? = nil, undo: Bool = false
        ) throws -> CommandResult {
            try CommandRunner.run(
                ["migrate", "--from", source, "--to", target, "--master-key-file", directory.file("keybearer.keys")]
                    + (undo ? ["--undo"] : []),
                environment: stage.map { ["KEYBEARER_TEST_KILL_AT": $0] } ?? [:])
        }

        private func serves(_ database: String) throws -> Bool {
            let shown = try run("key", "show", "ada@example.com", on: database)
            let listed = try run("user", "list", on: database)
            #expect((shown.status == 0) == (listed.status == 0))
            return shown.status == 0 && shown.line == key
        }

        private func expectKillsToBeFinished(
            at stages: [String], _ places: () throws -> (source: String, target: String)
        ) throws {
            for stage in stages {
                let (source, target) = try places()
                let killed = try migrate(source, to: target, killedAt: stage)
                #expect(killed.status == -9, "\(stage): \(killed.status) \(killed.stderr)")
                // Never both: and the source refuses from the mark on.
                let refused = try run("user", "list", on: source)
                #expect(refused.status == 69, "\(stage): \(refused.stderr)")
                let state = stage == "moved" ? "was moved to" : "is being moved to"
                #expect(refused.stderr.contains("this database \(state)"), "\(stage): \(refused.stderr)")
                for words in [
                    ["doctor"], ["serve", "--address", "127.0.0.1:0"], ["key", "regenerate", "ada@example.com"],
                ] {
                    let result = try CommandRunner.run(
                        words + ["--database", source, "--master-key-file", directory.file("keybearer.keys")])
                    #expect(
                        result.status != 0 && (result.stdout + result.stderr).contains("this database \(state)"),
                        "\(stage) \(words): \(result.stdout) \(result.stderr)")
                }
                let hasArrived = stage == "committed" || stage == "moved"
                #expect(try serves(target) == hasArrived, "\(stage)")
                // Another target is refused, with what to do.
                let other = try migrate(source, to: directory.file("elsewhere-\(stage).db"))
                #expect(other.status != 0 && other.stderr.contains(state), "\(stage): \(other.stderr)")
                let again = try migrate(source, to: target)
                #expect(again.status == 0, "\(stage): \(again.stderr)")
                #expect(try serves(target) && !serves(source), "\(stage)")
            }
            #expect(!FileManager.default.fileExists(atPath: directory.file("elsewhere-marked.db")))
            let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            #expect(!left.contains { $0.contains(".migrating-") }, "\(left)")
        }

        private func copyOfOriginal() throws -> String {
            let copy = directory.file("\(UUID().uuidString).db")
            try FileManager.default.copyItem(atPath: original, toPath: copy)
            return copy
        }

        @Test func fromAFileToPostgres() throws {
            try expectKillsToBeFinished(at: Self.stages.filter { $0 != "built" }) {
                (try copyOfOriginal(), try PostgresDatabase().address)
            }
        }

        @Test func fromPostgresToAFile() throws {
            try expectKillsToBeFinished(at: Self.stages) {
                let source = try PostgresDatabase().address
                #expect(try migrate(copyOfOriginal(), to: source).status == 0)
                return (source, directory.file("\(UUID().uuidString).db"))
            }
        }

        @Test func anInterruptedMoveIsTakenBack() throws {
            let file = try copyOfOriginal()
            let shared = try PostgresDatabase()
            #expect(try migrate(file, to: shared.address, undo: true).status == 65)
            for stage in ["marked", "verified"] {
                #expect(try migrate(file, to: shared.address, killedAt: stage).status == -9)
                let undone = try migrate(file, to: shared.address, undo: true)
                #expect(undone.status == 0, "\(undone.stderr)")
                #expect(try serves(file))
                // Nothing is left in the target: not even an empty schema.
                let looked = try run("doctor", on: shared.address)
                #expect(looked.status == 78 && looked.stdout.contains("there is no database at"), "\(looked.stdout)")
            }
            #expect(try migrate(file, to: shared.address, killedAt: "committed").status == -9)
            let late = try migrate(file, to: shared.address, undo: true)
            #expect(late.status == 65 && late.stderr.contains("holds everything already"), "\(late.stderr)")
            #expect(try migrate(file, to: shared.address).status == 0)
            #expect(try migrate(file, to: shared.address, undo: true).status == 65)
            // And the other way.
            let back = directory.file("back.db")
            #expect(try migrate(shared.address, to: back, killedAt: "built").status == -9)
            #expect(try migrate(shared.address, to: back, undo: true).status == 0)
            #expect(try serves(shared.address) && !FileManager.default.fileExists(atPath: back))
            let regenerated = try run("key", "regenerate", "ada@example.com", on: shared.address)
            #expect(regenerated.status == 0, "\(regenerated.stderr)")
        }

        @Test func aMoveIsNotTakenBackWhileNobodyKnowsWhetherItArrived() throws {
            let file = try copyOfOriginal()
            let shared = try PostgresDatabase()
            #expect(try migrate(file, to: shared.address, killedAt: "committed").status == -9)
            try shared.administrate("ALTER ROLE \(shared.name) NOLOGIN")
            let blind = try migrate(file, to: shared.address, undo: true)
            #expect(blind.status == 69, "\(blind.stderr)")
            #expect(blind.stderr.contains("cannot undo: whether postgres://"), "\(blind.stderr)")
            #expect(try !serves(file))
            try shared.administrate("ALTER ROLE \(shared.name) LOGIN")
            #expect(try migrate(file, to: shared.address, undo: true).stderr.contains("holds everything already"))
            #expect(try migrate(file, to: shared.address).status == 0)
            #expect(try serves(shared.address) && !serves(file))
        }

        /// - Parameter refusals: how often the target cannot be looked at after the answer was lost.
        @Test(arguments: [0, 1]) func aLostResponseToTheCommitLeavesOneDatabase(refusals: Int) throws {
            let file = try copyOfOriginal()
            let shared = try PostgresDatabase()
            let port = try #require(shared.host.split(separator: ":").last.flatMap { Int($0) })
            let loser = try CommitLoser(before: port, filling: "users", thenRefusing: refusals)
            let target = shared.address(parameters: "sslmode=disable&gssencmode=disable")
                .replacingOccurrences(of: shared.host, with: "127.0.0.1:\(loser.port)")
            let moved = try migrate(file, to: target)
            #expect(loser.hasLost)
            #expect(try serves(shared.address) && !serves(file), "\(moved.stderr)")
            #expect((moved.status == 0) == (refusals == 0), "\(moved.stderr)")
            if refusals > 0 { #expect(moved.stderr.contains("is not known. Run the same command"), "\(moved.stderr)") }
            #expect(try migrate(file, to: target).status == 0)
            #expect(try serves(shared.address) && !serves(file))
        }

        @Test func aRefusedMoveLeavesNothing() throws {
            let file = try copyOfOriginal()
            let foreign = try PostgresDatabase()
            try foreign.run("CREATE TABLE users (id INT)")
            let full = try copyOfOriginal()
            for target in [foreign.address, full, directory.file("nowhere/new.db"), "postgres://ada@127.0.0.1:1/none"] {
                let refused = try migrate(file, to: target)
                #expect(refused.status != 0, "\(target)")
                #expect(try serves(file), "\(target): \(refused.stderr)")
            }
            #expect(try run("serve", on: foreign.address).status != 0)
            #expect(try run("doctor", on: foreign.address).stdout.contains("another program's tables"))
            // To itself.
            #expect(try migrate(file, to: file).status == 65)
            #expect(try serves(file))
        }

        @Test func theMarkIsAStepThatVersion01DoesNotKnow() throws {
            let file = try copyOfOriginal()
            let shared = try PostgresDatabase()
            let secret = "topsecret0815"
            #expect(try migrate(file, to: shared.address(user: "\(shared.name):\(secret)")).status == 0)
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)).range(of: Data(secret.utf8)) == nil)
            // Version 0.1 refuses a file with a step that it does not know.
            let names = try DatabaseQueue(path: file).read {
                try String.fetchAll($0, sql: "SELECT identifier FROM grdb_migrations")
            }
            #expect(names.contains { $0.hasPrefix("moved ") && $0.contains("postgres://") })
            let back = directory.file("back.db")
            #expect(try migrate(shared.address, to: back).status == 0)
            // Version 0.1 refuses where a step needs more than the steps that it knows.
            try shared.run(
                """
                DO $$ BEGIN
                    IF NOT EXISTS (SELECT 1 FROM schema_migrations WHERE identifier LIKE 'moved %' AND needs > 1000) THEN
                        RAISE 'no mark';
                    END IF;
                END $$
                """)
        }

        @Test(arguments: ["", "garbage", "tables"]) func whatIsNoDatabaseIsRefused(_ kind: String) throws {
            let path = directory.file("\(kind)-no.db")
            if kind == "tables" {
                try DatabaseQueue(path: path).write { try $0.execute(sql: "CREATE TABLE other (id)") }
            } else {
                try Data(repeating: 0x41, count: kind.isEmpty ? 0 : 8_192).write(to: URL(fileURLWithPath: path))
            }
            for command in ["serve", "doctor", "user"] {
                let words = command == "user" ? ["user", "list"] : [command]
                let result = try CommandRunner.run(
                    words + ["--database", path, "--master-key-file", directory.file("keybearer.keys")])
                #expect(result.status != 0, "\(command)")
                let said = result.stdout + result.stderr
                #expect(
                    said.contains(kind.isEmpty ? "there is no database" : "it is not a database of Keybearer"),
                    "\(said)")
            }
            if kind.isEmpty { #expect(try Data(contentsOf: URL(fileURLWithPath: path)).isEmpty) }
        }
    }
}
