import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// A server that starts before its database. That it serves when the database comes up is in Tests/python/cluster.
    @Suite struct DatabaseWaitTests {
        private let files: InstallationFiles

        init() throws {
            files = try InstallationFiles()
            try files.copyInitialised()
        }

        private func serve(_ database: String, wait: String) throws -> RunningCommand {
            try CommandRunner.start([
                "serve", "--address", "127.0.0.1:0", "--database", database, "--master-key-file", files.masterKeys,
                "--database-wait", wait,
            ])
        }

        @Test func waitingIsBoundedAndLogged() throws {
            let result = try serve("postgres://ada:topsecret@127.0.0.1:1/kb", wait: "2s").finish(within: 60)
            #expect(result.status == 69)
            let lines = result.stderr.split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first?.contains("warning") == true && lines.first?.contains("connection refused") == true)
            #expect(lines.last?.hasPrefix("keybearer: cannot connect to postgres://ada@127.0.0.1:1/kb: ") == true)
            #expect(!result.stderr.contains("topsecret"))
        }

        @Test func aStopEndsTheWaiting() throws {
            let starting = try FakePostgres(.failure(state: "57P03", message: "the database system is starting up"))
            let server = try serve("postgres://ada@127.0.0.1:\(starting.port)/kb", wait: "1h")
            server.terminate(whenItSays: "Waiting for the database.")
            let result = server.finish(within: 60)
            #expect(result.status == 0)
            #expect(result.stderr.contains("Stopped while waiting for the database."))
            #expect(result.stdout.isEmpty)
        }

        @Test func whatDoesNotPassByItselfIsNotWaitedFor() throws {
            let strict = try FakePostgres(.failure(state: "28P01", message: "password authentication failed"))
            let result = try serve("postgres://ada@127.0.0.1:\(strict.port)/kb", wait: "1h").finish(within: 60)
            #expect(result.status == 69)
            #expect(!result.stderr.contains("Waiting"))
        }

        @Test func aCommandNamesTheDatabaseThatItChanged() throws {
            let record = "Changed \(files.database).\n"
            for words in [["plan", "put", "x", "--name", "X"], ["user", "disable", "ada@example.com"]] {
                let result = try CommandRunner.run(words + files.flags)
                #expect(result.status == 0 && result.stderr.hasSuffix(record), "\(result.stderr)")
            }
            for words in [["plan", "list"], ["user", "show", "ada@example.com"], ["key", "show", "ada@example.com"]] {
                let result = try CommandRunner.run(words + files.flags)
                #expect(result.status == 0 && !result.stderr.contains("Changed"), "\(result.stderr)")
            }
            let refused = try files.run("user", "create", "ada@example.com", "--name", "Ada", "--generate-password")
            #expect(refused.status == 65 && !refused.stderr.contains("Changed"))
        }
    }
}
