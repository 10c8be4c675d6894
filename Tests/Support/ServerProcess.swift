import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The real binary, serving. It is killed with the last reference to it.
public final class ServerProcess: Sendable {
    /// The server did not come up; its output says why.
    public struct NotReady: Error, CustomStringConvertible {
        /// All that it said.
        public let output: String
        public var description: String { "the server did not come up:\n\(output)" }
    }

    /// What a demonstration tells the person who started it.
    public struct Greeting: Sendable {
        /// The account's address.
        public let email: String
        /// The account's password.
        public let password: String
        /// The account's key.
        public let key: String
        /// The line to try it with, as it was printed.
        public let curlLine: String
    }

    /// Where it listens, on 127.0.0.1.
    public let port: Int
    /// What a demonstration said; nil for `serve`.
    public let greeting: Greeting?
    /// The files that its output is copied into: standard output, standard error.
    public let outputFiles: [String]
    private let child: ChildProcess
    private let output: CapturedOutput
    private let errors: CapturedOutput

    /// Starts the binary and waits until it says that it listens.
    ///
    /// - Parameters:
    ///   - arguments: `serve …` or `demo …`; the port must be 0.
    ///   - logs: where its output is kept, as `<name>.out` and `<name>.err`.
    public init(
        _ arguments: [String], environment: [String: String] = [:], logs: TemporaryDirectory, name: String = "server"
    ) throws {
        outputFiles = [logs.file("\(name).out"), logs.file("\(name).err")]
        child = try ChildProcess(CommandRunner.binary(), arguments, input: "", environment: environment)
        output = CapturedOutput(reading: child.standardOutput, copyingTo: outputFiles[0])
        errors = CapturedOutput(reading: child.standardError, copyingTo: outputFiles[1])
        let isDemonstration = arguments.first == "demo"
        let (said, problems) = (output, errors)
        func failure() -> NotReady { NotReady(output: said.text + problems.text) }
        if isDemonstration {
            guard let found = output.wait(seconds: 60, for: Self.greeting) else { throw failure() }
            (port, greeting) = found
        } else {
            guard let found = errors.wait(seconds: 60, for: Self.port) else { throw failure() }
            (port, greeting) = (found, nil)
        }
    }

    /// `serve` on a free port over the files in `files`; keys may regenerate themselves there unless the environment
    /// says otherwise.
    public static func serve(
        _ files: InstallationFiles, _ arguments: [String] = [], environment: [String: String] = [:],
        name: String = "server"
    ) throws -> ServerProcess {
        try ServerProcess(
            ["serve", "--address", "127.0.0.1:0"] + files.flags + arguments,
            environment: ["KEYBEARER_REGENERATE_BY_KEY": "open"].merging(environment) { $1 },
            logs: files.directory, name: name)
    }

    /// `demo` on a free port, with its files in the deployment's directory.
    public static func demo(
        _ files: InstallationFiles, _ arguments: [String] = [], environment: [String: String] = [:],
        name: String = "demo"
    ) throws -> ServerProcess {
        try ServerProcess(
            ["demo", "--port", "0", "--directory", files.directory.path] + arguments, environment: environment,
            logs: files.directory, name: name)
    }

    /// All that it has said so far.
    public var text: String { output.text + errors.text }

    /// Stops it as an operator does (`SIGTERM`) and waits for its end.
    ///
    /// - Returns: the exit code; minus 9 when it did not end by itself and was killed.
    @discardableResult
    public func terminate() -> Int32 {
        child.signal(SIGTERM)
        return waitForEnd()
    }

    /// Sends `SIGHUP` and returns immediately.
    public func hangUp() { child.signal(SIGHUP) }

    /// Waits until it has said these words on standard error; false when it has not within a minute.
    public func says(_ words: String) -> Bool {
        errors.wait(seconds: 60) { $0.contains(words) ? true : nil } ?? false
    }

    /// Sends `SIGTERM` and returns immediately.
    public func beginTermination() { child.signal(SIGTERM) }

    /// Waits for the end of what ``beginTermination()`` began.
    @discardableResult
    public func waitForEnd() -> Int32 {
        if !output.waitForEnd(seconds: 60) || !errors.waitForEnd(seconds: 60) { child.signal(SIGKILL) }
        return child.wait() ?? 0
    }

    /// Ends it immediately, and waits until it is gone.
    public func kill9() {
        child.signal(SIGKILL)
        _ = child.wait()
    }

    /// Stops it from running on, as a hypervisor may, until ``resume()``. When this returns it stands still.
    public func suspend() {
        child.signal(SIGSTOP)
        child.waitUntilStopped()
    }

    /// Lets it run on.
    public func resume() { child.signal(SIGCONT) }

    private static func port(in text: String) -> Int? {
        let plain = text.firstMatch(of: /Listening on https?:\/\/\S+:(\d+)\n/)?.1
        // With the log as JSON there is no line beside it.
        return (plain ?? text.firstMatch(of: /"message":"Listening\.","port":"(\d+)"/)?.1).flatMap { Int($0) }
    }

    private static func greeting(in text: String) -> (Int, Greeting?)? {
        guard let stop = text.range(of: "Stop with Ctrl-C.") else { return nil }
        let said = text[..<stop.lowerBound]
        guard let port = said.firstMatch(of: /localhost:(\d+)\//).flatMap({ Int($0.1) }),
            let email = said.firstMatch(of: /E-mail +(\S+)/)?.1,
            let password = said.firstMatch(of: /Password +(\S+)/)?.1,
            let curl = said.firstMatch(of: /(curl .*Bearer (\S+)".*)\n/)
        else { return nil }
        return (
            port,
            Greeting(
                email: String(email), password: String(password), key: String(curl.2), curlLine: String(curl.1))
        )
    }
}

/// The files of one deployment in a directory of its own: database and master keys.
public struct InstallationFiles: Sendable {
    /// Where they are.
    public let directory: TemporaryDirectory

    /// An empty directory.
    public init() throws {
        directory = try TemporaryDirectory()
    }

    /// The database.
    public var database: String { directory.file("keybearer.db") }
    /// The file with the master keys.
    public var masterKeys: String { directory.file("keybearer.keys") }
    /// The flags that name both.
    public var flags: [String] { ["--database", database, "--master-key-file", masterKeys] }

    /// Runs `keybearer <words> --database … --master-key-file …`.
    public func run(_ words: String..., stdin: String = "", environment: [String: String] = [:]) throws
        -> CommandResult
    {
        try CommandRunner.run(words + flags, stdin: stdin, environment: environment)
    }

    /// Makes the database, the master keys, and an operator's account.
    ///
    /// - Returns: the operator's password.
    @discardableResult
    public func initialise(email: String = "ada@example.com", name: String = "Ada") throws -> String {
        let password = "correct horse battery staple"
        let result = try run("init", "--email", email, "--name", name, "--password-stdin", stdin: password + "\n")
        guard result.status == 0 else { throw ServerProcess.NotReady(output: result.stderr) }
        return password
    }
}
