import Foundation
import GRDB
import TestSupport
import Testing

/// A deployment with a server beside which commands are run.
struct Deployed {
    let files: InstallationFiles
    private(set) var server: ServerProcess
    /// The operator's password.
    let password: String
    /// The operator's key; Ada's own workspace is on Pro.
    let key: String
    /// The workspace that Ada owns.
    let workspaceID: String

    static let ada = "ada@example.com"

    /// What all of them begin with.
    private struct Beginning {
        let files: PreparedFiles
        let password: String
        let key: String
        let workspaceID: String

        init() throws {
            let files = try InstallationFiles()
            password = try files.initialise(email: ada)
            try command(
                files, "plan", "put", "pro", "--name", "Pro", "--hourly-limit", "100000000", "--feature",
                "api_webhooks", "--position", "1")
            let shown = try #require(try files.run("user", "show", ada, "--json").object)
            let workspace = try #require((shown["workspaces"] as? [[String: Any]])?.first)
            workspaceID = try #require(workspace["id"] as? String)
            try command(files, "workspace", "set-plan", workspaceID, "pro")
            key = try CommandLineOutput.onlyKey(on: files.run("key", "show", ada))
            self.files = try PreparedFiles(of: files)
        }
    }

    private static let beginning = Result { try Beginning() }

    /// Makes the deployment and starts the server.
    init(_ arguments: [String] = []) throws {
        let beginning = try Self.beginning.get()
        files = try InstallationFiles()
        try beginning.files.copy(to: files)
        (password, key, workspaceID) = (beginning.password, beginning.key, beginning.workspaceID)
        server = try ServerProcess.serve(files, arguments)
    }

    /// Stops the server and starts another one.
    mutating func restart(_ arguments: [String] = []) throws {
        try #require(server.terminate() == 0)
        server = try ServerProcess.serve(files, arguments)
    }

    /// Runs a command that must succeed.
    ///
    /// - Returns: the first line of its standard output.
    @discardableResult
    func command(_ words: String...) throws -> String {
        let result = try CommandRunner.run(words + files.flags)
        #expect(result.status == 0, "\(words): \(result.stderr)")
        return result.line
    }

    private static func command(_ files: InstallationFiles, _ words: String...) throws {
        let result = try CommandRunner.run(words + files.flags)
        try #require(result.status == 0, "\(words): \(result.stderr)")
    }

    /// Makes an account on the first plan.
    ///
    /// - Returns: its key.
    func makeAccount(_ email: String) throws -> String {
        try command("user", "create", email, "--name", "Member", "--generate-password")
        return try command("key", "show", email)
    }

    /// The answer to a request with a key, on a connection of its own.
    func respond(to key: String, path: String = "/api/v1/me") throws -> RawResponse {
        try RawConnection(port: server.port).roundTrip(RawRequest.get(path, key: key))
    }

    /// The status, and the error's code for a failure: `200`, `401 UNAUTHORIZED`.
    func outcome(of key: String) throws -> String {
        let response = try respond(to: key)
        return ["\(response.status)", response.errorCode].compactMap(\.self).joined(separator: " ")
    }

    /// How many servers are registered in the file.
    func registeredServers() throws -> Int {
        try read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM nodes") ?? -1 }
    }

    /// What the database keeps about itself.
    func storedSetting(_ name: String) throws -> String? {
        try read { db in
            try String.fetchOne(db, sql: "SELECT value FROM stored_settings WHERE name = ?", arguments: [name])
        }
    }

    private func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        let file = try DatabaseQueue(path: files.database, configuration: configuration)
        defer { try? file.close() }
        return try file.read(body)
    }
}

/// What commands print.
enum CommandLineOutput {
    /// The key that a command printed: alone on standard output, and nowhere on standard error.
    static func onlyKey(on result: CommandResult) throws -> String {
        try #require(result.status == 0, "\(result.stderr)")
        let key = result.line
        #expect(result.stdout == key + "\n" && key.hasPrefix("tdc_") && key.count == 42)
        #expect(!result.stderr.contains(key) && result.stderr.contains(key.prefix(8)))
        return key
    }
}
