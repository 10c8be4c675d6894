import Foundation
import Keybearer
import KeybearerPostgres
import Testing

/// An empty database for one test: a schema of its own on the server that `scripts/with-postgres` starts.
struct PostgresDatabase: Sendable {
    /// There is no server to test with. That is a failure, not a reason to leave tests out.
    struct Missing: Error, CustomStringConvertible {
        var description: String { "KEYBEARER_TEST_POSTGRES is not set: run the tests by `make test`" }
    }

    /// The connection string, which leads to the schema.
    let address: String

    /// Makes the schema.
    init() throws {
        guard let server = ProcessInfo.processInfo.environment["KEYBEARER_TEST_POSTGRES"] else { throw Missing() }
        let schema = "test_\(UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased())"
        let separator = server.contains("?") ? "&" : "?"
        address = "\(server)\(separator)options=-csearch_path%3D\(schema)"
        try Self.run("CREATE SCHEMA \(schema)", at: server)
    }

    /// Opens it as a process of its own would, with the clock that the tests hold.
    func open(
        clock: PostgresStore.Clock = .caller, lease: Duration = .seconds(2)
    ) throws -> PostgresStore {
        var options = PostgresStore.Options()
        options.clock = clock
        options.connections = 4
        options.lease = lease
        return try PostgresStore.open(address, options: options)
    }

    /// Runs a statement as the server's administrator.
    func run(_ sql: String) throws { try Self.run(sql, at: address) }

    /// - Throws: when psql fails.
    static func run(_ sql: String, at address: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", sql]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "psql failed")
    }
}
