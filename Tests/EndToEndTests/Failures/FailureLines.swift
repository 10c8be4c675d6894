import Foundation
import TestSupport
import Testing

/// A database that cannot be used, and the line that a person reads of it.
struct FailureLine: Sendable {
    /// What is wrong, for the test's own messages.
    let name: String
    /// The setting `database`.
    let database: String
    /// What is run.
    var command = ["user", "list"]
    /// What stands behind `keybearer: ` on standard error.
    let line: String
    /// Whether there is a database at all: only where there is none, `doctor` advises to make one.
    var isThere = true
    /// Whether the failure is that no password was given.
    var lacksPassword = false
    /// Run as another user than root.
    var isUnprivileged = false
    /// Kept for as long as the database is broken.
    var holder: (any Sendable)?

    /// The setting `database`, with a password wherever one can stand: a server that trusts everybody does not look at it.
    var databaseWithPassword: String {
        let scheme = "postgres://"
        guard !lacksPassword, database.hasPrefix(scheme), !database.contains(FailureRunner.password),
            let end = database.firstIndex(of: "@")
        else { return database }
        return database[..<end] + ":\(FailureRunner.password)" + database[end...]
    }
}

/// Runs commands on databases that cannot be used, and looks for the password in all that they say.
struct FailureRunner {
    /// In every connection string that may hold one.
    static let password = "topsecret0815"
    let directory: TemporaryDirectory

    func check(_ one: FailureLine, sourceLocation: SourceLocation = #_sourceLocation) throws {
        if one.database.contains("://"), !one.lacksPassword {
            try #require(
                one.databaseWithPassword.contains(Self.password), "\(one.name)", sourceLocation: sourceLocation)
        }
        let result = try run(one.command, one)
        #expect(result.status == 69, "\(one.name): \(result.stderr)", sourceLocation: sourceLocation)
        let said = result.stderr.split(separator: "\n").last.map(String.init)
        #expect(said == "keybearer: \(one.line)", "\(one.name)", sourceLocation: sourceLocation)
        let doctor = try run(["doctor"], one)
        #expect(doctor.status == 78, "\(one.name): \(doctor.stdout)", sourceLocation: sourceLocation)
        #expect(doctor.stdout.contains("keybearer init") != one.isThere, "\(one.name)", sourceLocation: sourceLocation)
        let logged = try run(one.command + ["--log-level", "debug", "--log-format", "json"], one)
        var results = [result, doctor, logged]
        // What fails later than at the start is served.
        if one.command == ["user", "list"] {
            results.append(try run(["serve", "--address", "127.0.0.1:0", "--database-wait", "0s"], one))
        }
        for text in results.flatMap({ [$0.stdout, $0.stderr] }) {
            #expect(!text.contains(Self.password), "\(one.name)", sourceLocation: sourceLocation)
            #expect(!text.contains("not available for the moment"), "\(one.name)", sourceLocation: sourceLocation)
        }
    }

    private func run(_ words: [String], _ one: FailureLine) throws -> CommandResult {
        let arguments =
            words + ["--database", one.databaseWithPassword, "--master-key-file", directory.file("keybearer.keys")]
        guard one.isUnprivileged, getuid() == 0 else {
            // One that serves in spite of it is not waited for.
            return try CommandRunner.start(arguments).finish(within: 30)
        }
        let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
        return try CommandRunner.run(program: "setpriv", nobody + [CommandRunner.binary()] + arguments)
    }
}
