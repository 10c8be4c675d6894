import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The commands on PostgreSQL, and the way there and back.
    @Suite struct PostgresCommandTests {
        private let directory: TemporaryDirectory
        private let database: PostgresDatabase

        init() throws {
            directory = try TemporaryDirectory()
            database = try PostgresDatabase()
        }

        private func run(_ arguments: String..., database: String? = nil) throws -> CommandResult {
            let options = [
                "--database", database ?? self.database.address, "--master-key-file", directory.file("keybearer.keys"),
            ]
            return try CommandRunner.run(arguments + options)
        }

        private func initialise(_ database: String? = nil) throws {
            let result = try run("init", "--email", "ada@example.com", "--generate-password", database: database)
            #expect(result.status == 0, "\(result.stderr)")
        }

        @Test func nothingIsServedWhereNothingWasMade() throws {
            let result = try run("user", "list")
            #expect(result.status == 66)
            #expect(result.stderr.contains("keybearer init"))
        }

        @Test func aKeyGoesToPostgresAndBack() throws {
            let file = directory.file("one.db")
            try initialise(file)
            let key = try run("key", "show", "ada@example.com", database: file).line
            #expect(key.hasPrefix("tdc_"))
            let there = try run("migrate", "--from", "sqlite:\(file)", "--to", database.address)
            #expect(there.status == 0, "\(there.stderr)")
            #expect(there.stdout.contains("api_keys"))
            #expect(there.stderr.contains("100 %"))
            #expect(try run("key", "show", "ada@example.com").line == key)
            // The same again finds that all is done.
            let again = try run("migrate", "--from", "sqlite:\(file)", "--to", database.address)
            #expect(again.status == 0 && again.stderr.contains("Nothing was changed"), "\(again.stderr)")
            // What is not empty is not written over, and the source stays usable.
            let other = directory.file("other.db")
            try initialise(other)
            let refused = try run("migrate", "--from", "sqlite:\(other)", "--to", database.address)
            #expect(refused.status == 65 && refused.stderr.contains("holds accounts already"), "\(refused.stderr)")
            #expect(try run("user", "list", database: other).status == 0)
            let back = directory.file("back.db")
            let here = try run("migrate", "--from", database.address, "--to", "sqlite:\(back)")
            #expect(here.status == 0, "\(here.stderr)")
            #expect(try run("key", "show", "ada@example.com", database: back).line == key)
        }

        @Test func whatIsOnlyForTheEmbeddedDatabaseSaysSo() throws {
            try initialise()
            let backup = try run("backup", directory.file("copy.db"))
            #expect(backup.status == 65)
            #expect(backup.stderr.contains("pg_dump"))
            #expect(try run("restore", directory.file("copy.db"), "--yes").status == 65)
            let nodes = try run("node", "list", "--json")
            #expect((nodes.json as? [Any])?.isEmpty == true)
        }

        @Test func aPasswordInTheAddressIsNeverSaid() throws {
            let address = "postgres://ada:topsecret@127.0.0.1:1/keybearer?sslmode=disable"
            try initialise()
            for arguments in [
                ["doctor"], ["user", "list"], ["serve", "--database-wait", "0s"],
                ["migrate", "--from", address, "--to", address],
            ] {
                let options = ["--database", address, "--master-key-file", directory.file("keybearer.keys")]
                let result = try CommandRunner.run(arguments + options + ["--log-level", "debug"])
                #expect(result.status != 0)
                #expect(!(result.stdout + result.stderr).contains("topsecret"), "\(arguments)")
            }
            let malformed = try run("user", "list", database: "mysql://ada:topsecret@127.0.0.1/keybearer")
            #expect(malformed.status == 78)
            #expect(!malformed.stderr.contains("topsecret"))
        }

        @Test func doctorLooksAtTheServer() throws {
            try initialise()
            let result = try run("doctor", "--json")
            let findings = try #require(result.json as? [[String: Any]])
            let subjects = findings.compactMap { $0["subject"] as? String }
            #expect(subjects.contains("server") && subjects.contains("replication") && subjects.contains("keys"))
            // The server of the tests lives without a disk that can be relied on.
            let durability = findings.first { $0["subject"] as? String == "durability" }
            #expect(durability?["state"] as? String == "broken")
        }
    }
}
