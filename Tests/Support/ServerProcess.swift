import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The real binary, serving. It is killed with the last reference to it.
package final class ServerProcess: Sendable {
    /// The server did not come up; its output says why.
    package struct NotReady: Error, CustomStringConvertible {
        /// All that it said.
        package let output: String
        package var description: String { "the server did not come up:\n\(output)" }
    }

    /// What a demonstration tells the person who started it.
    package struct Greeting: Sendable {
        /// The account's address.
        package let email: String
        /// The account's password.
        package let password: String
        /// The account's key.
        package let key: String
        /// The line to try it with, as it was printed.
        package let curlLine: String
    }

    /// Where it listens, on 127.0.0.1.
    package let port: Int
    /// What a demonstration said; nil for `serve`.
    package let greeting: Greeting?
    /// The files that its output is copied into: standard output, standard error.
    package let outputFiles: [String]
    private let child: ChildProcess
    private let output: CapturedOutput
    private let errors: CapturedOutput

    /// Starts the binary and waits until it says that it listens.
    ///
    /// - Parameters:
    ///   - arguments: `serve …` or `demo …`; the port must be 0.
    ///   - logs: where its output is kept, as `<name>.out` and `<name>.err`.
    package init(
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
    package static func serve(
        _ files: InstallationFiles, _ arguments: [String] = [], environment: [String: String] = [:],
        name: String = "server"
    ) throws -> ServerProcess {
        try ServerProcess(
            ["serve", "--address", "127.0.0.1:0"] + files.flags + arguments,
            environment: ["KEYBEARER_REGENERATE_BY_KEY": "open"].merging(environment) { $1 },
            logs: files.directory, name: name)
    }

    /// `demo` on a free port, with its files in the deployment's directory.
    package static func demo(
        _ files: InstallationFiles, _ arguments: [String] = [], environment: [String: String] = [:],
        name: String = "demo"
    ) throws -> ServerProcess {
        try ServerProcess(
            ["demo", "--port", "0", "--directory", files.directory.path] + arguments, environment: environment,
            logs: files.directory, name: name)
    }

    /// All that it has said so far.
    package var text: String { output.text + errors.text }

    /// Stops it as an operator does (`SIGTERM`) and waits for its end.
    ///
    /// - Returns: the exit code; minus 9 when it did not end by itself and was killed.
    @discardableResult
    package func terminate() -> Int32 {
        child.signal(SIGTERM)
        return waitForEnd()
    }

    /// Sends `SIGHUP` and returns immediately.
    package func hangUp() { child.signal(SIGHUP) }

    /// Waits until it has said these words on standard error; false when it has not within a minute.
    package func says(_ words: String) -> Bool {
        errors.wait(seconds: 60) { $0.contains(words) ? true : nil } ?? false
    }

    /// Sends `SIGTERM` and returns immediately.
    package func beginTermination() { child.signal(SIGTERM) }

    /// Waits for the end of what ``beginTermination()`` began.
    @discardableResult
    package func waitForEnd() -> Int32 {
        if !output.waitForEnd(seconds: 60) || !errors.waitForEnd(seconds: 60) { child.signal(SIGKILL) }
        return child.wait() ?? 0
    }

    /// Ends it immediately, and waits until it is gone.
    package func kill9() {
        child.signal(SIGKILL)
        _ = child.wait()
    }

    /// Stops it from running on, as a hypervisor may, until ``resume()``. When this returns it stands still.
    package func suspend() {
        child.signal(SIGSTOP)
        child.waitUntilStopped()
    }

    /// Lets it run on.
    package func resume() { child.signal(SIGCONT) }

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
package struct InstallationFiles: Sendable {
    /// Where they are.
    package let directory: TemporaryDirectory

    /// An empty directory.
    package init() throws {
        directory = try TemporaryDirectory()
    }

    /// The database.
    package var database: String { directory.file("keybearer.db") }
    /// The file with the master keys.
    package var masterKeys: String { directory.file("keybearer.keys") }
    /// The flags that name both.
    package var flags: [String] { ["--database", database, "--master-key-file", masterKeys] }

    /// Runs `keybearer <words> --database … --master-key-file …`.
    package func run(_ words: String..., stdin: String = "", environment: [String: String] = [:]) throws
        -> CommandResult
    {
        try CommandRunner.run(words + flags, stdin: stdin, environment: environment)
    }

    /// Makes the database, the master keys, and an operator's account.
    ///
    /// - Returns: the operator's password.
    @discardableResult
    package func initialise(email: String = "ada@example.com", name: String = "Ada") throws -> String {
        let password = "correct horse battery staple"
        let result = try run("init", "--email", email, "--name", name, "--password-stdin", stdin: password + "\n")
        guard result.status == 0 else { throw ServerProcess.NotReady(output: result.stderr) }
        return password
    }
}
