import Foundation

/// An empty database for one test: a role and its schema on the server that `scripts/with-postgres` starts.
package struct PostgresDatabase: Sendable {
    /// There is no server to test with. That is a failure, not a reason to leave tests out.
    package struct Missing: Error, CustomStringConvertible {
        package var description: String { "KEYBEARER_TEST_POSTGRES is not set: run the tests by `make test`" }
    }

    /// psql did not do what it was told.
    package struct Failed: Error {
        let words: String
    }

    /// The connection string, which leads to the schema.
    package let address: String
    /// The role, and its schema.
    package let name: String
    private let server: String

    /// Makes the role and the schema, which it finds by its own name.
    package init() throws {
        guard let server = ProcessInfo.processInfo.environment["KEYBEARER_TEST_POSTGRES"] else { throw Missing() }
        self.server = server
        name = "test_\(UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased())"
        address = server.replacingOccurrences(of: "//keybearer@", with: "//\(name)@")
        try Self.run("CREATE ROLE \(name) LOGIN; CREATE SCHEMA \(name) AUTHORIZATION \(name)", at: server)
    }

    /// Runs a statement as the database's own role.
    package func run(_ sql: String) throws { try Self.run(sql, at: address) }

    /// Runs a statement as the superuser.
    package func administrate(_ sql: String) throws { try Self.run(sql, at: server) }

    /// The connection string with another user, database or parameters.
    ///
    /// - Parameter user: with a password behind a colon, where there is one.
    package func address(user: String? = nil, database: String? = nil, parameters: String = "") -> String {
        var text = server.replacingOccurrences(of: "//keybearer@", with: "//\(user ?? name)@")
        if let database, let slash = text.lastIndex(of: "/") {
            text = text[...slash] + database
        }
        return parameters.isEmpty ? text : "\(text)?\(parameters)"
    }

    /// The host and the port of the server.
    package var host: String {
        let place = server.split(separator: "@").last ?? ""
        return String(place.prefix { $0 != "/" })
    }

    /// Ends every connection to it.
    package func endConnections() throws {
        try Self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(name)'", at: server)
    }

    /// Runs a statement in a transaction that stays open until it is released.
    package func hold(_ sql: String) throws -> HeldTransaction { try HeldTransaction(sql, at: address) }

    private static func run(_ sql: String, at address: String) throws {
        let result = try CommandRunner.run(
            program: "psql", ["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", sql])
        guard result.status == 0 else { throw Failed(words: result.stderr) }
    }
}

/// A transaction of somebody else, which holds its locks.
package struct HeldTransaction {
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
            guard !data.isEmpty else { throw PostgresDatabase.Failed(words: "it ended") }
            text += String(decoding: data, as: UTF8.self)
        }
    }

    /// Ends it.
    package func release() {
        try? input.fileHandleForWriting.close()
        // Not by the end of its input alone: a process that another test started may hold the pipe open.
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }
}
