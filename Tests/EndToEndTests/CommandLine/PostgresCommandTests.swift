import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Secrets in connection strings; `CommandScriptTests` has the commands on PostgreSQL.
    @Suite struct PostgresCommandTests {
        private let directory: TemporaryDirectory

        init() throws { directory = try TemporaryDirectory() }

        private func run(_ arguments: String..., database: String) throws -> CommandResult {
            let options = ["--database", database, "--master-key-file", directory.file("keybearer.keys")]
            return try CommandRunner.run(arguments + options)
        }

        @Test func aPasswordInTheAddressIsNeverSaid() throws {
            let address = "postgres://ada:topsecret@127.0.0.1:1/keybearer?sslmode=disable"
            let made = try run(
                "init", "--email", "ada@example.com", "--generate-password", database: PostgresDatabase().address)
            #expect(made.status == 0, "\(made.stderr)")
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
    }
}
