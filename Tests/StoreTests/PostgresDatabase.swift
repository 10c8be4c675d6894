import Foundation
import Keybearer
import KeybearerPostgres
import Testing

/// An empty database for one test: a role and its schema on the server that `scripts/with-postgres` starts.
struct PostgresDatabase: Sendable {
    /// There is no server to test with. That is a failure, not a reason to leave tests out.
    struct Missing: Error, CustomStringConvertible {
        var description: String { "KEYBEARER_TEST_POSTGRES is not set: run the tests by `make test`" }
    }

    /// The connection string, which leads to the schema.
    let address: String
    private let server: String
    private let name: String

    /// Makes the role and the schema, which it finds by its own name.
    init() throws {
        guard let server = ProcessInfo.processInfo.environment["KEYBEARER_TEST_POSTGRES"] else { throw Missing() }
        self.server = server
        name = "test_\(UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased())"
        address = server.replacingOccurrences(of: "//keybearer@", with: "//\(name)@")
        try Self.run("CREATE ROLE \(name) LOGIN; CREATE SCHEMA \(name) AUTHORIZATION \(name)", at: server)
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

    /// Ends every connection to it.
    func endConnections() throws {
        try Self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(name)'", at: server)
    }

    /// Runs a statement in a transaction that stays open until it is released.
    func hold(_ sql: String) throws -> HeldTransaction { try HeldTransaction(sql, at: address) }

    private static func run(_ sql: String, at address: String) throws {
        try run("psql", ["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", sql])
    }

    /// Runs a program to its end.
    static func run(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(program) failed")
    }
}

/// A transaction of somebody else, which holds its locks.
struct HeldTransaction {
    private let process = Process()
    private let input = Pipe()

    fileprivate init(_ sql: String, at address: String) throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["psql", "--no-psqlrc", "--quiet", "-d", address]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data("BEGIN; \(sql);\n\\echo held\n".utf8))
        var text = ""
        while !text.contains("held") {
            let data = output.fileHandleForReading.availableData
            try #require(!data.isEmpty, "psql ended")
            text += String(decoding: data, as: UTF8.self)
        }
    }

    /// Ends it.
    func release() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
