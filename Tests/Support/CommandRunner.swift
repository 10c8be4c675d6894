import Foundation
import Keybearer
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What a command left behind.
package struct CommandResult: Sendable {
    /// The exit code, or minus the number of the signal that ended it.
    package let status: Int32
    /// All that it wrote to standard output.
    package let stdout: String
    /// All that it wrote to standard error.
    package let stderr: String
    /// After the process had ended and was waited for.
    package let endedAt: MonotonicTime

    /// The first line of standard output.
    package var line: String { String(stdout.prefix { $0 != "\n" }) }
    /// Standard output as JSON; nil when it is none.
    package var json: Any? { try? JSONSerialization.jsonObject(with: Data(stdout.utf8)) }
    /// Standard output as a JSON object; nil when it is none.
    package var object: [String: Any]? { json as? [String: Any] }
}

/// Runs `keybearer` and other programs to their end.
package enum CommandRunner {
    /// The binary under test is not where the tests look for it: a failure, never a reason to skip.
    package struct NoBinary: Error, CustomStringConvertible {
        let path: String
        package var description: String { "there is no keybearer binary at \(path); build it, or set KEYBEARER_BINARY" }
    }

    /// The binary under test: what `KEYBEARER_BINARY` names, or the one that was built beside the test bundle.
    package static func binary() throws -> String {
        let beside = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundlePath
        let bundle = beside ?? Bundle.main.executablePath ?? CommandLine.arguments[0]
        let path =
            ProcessInfo.processInfo.environment["KEYBEARER_BINARY"]
            ?? URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("keybearer").path
        guard FileManager.default.isExecutableFile(atPath: path) else { throw NoBinary(path: path) }
        return path
    }

    /// Runs `keybearer` with arguments and waits for its end.
    package static func run(
        _ arguments: [String], stdin: String = "", environment: [String: String] = [:]
    ) throws -> CommandResult {
        try start(arguments, stdin: stdin, environment: environment).finish()
    }

    /// Starts `keybearer` with arguments.
    package static func start(
        _ arguments: [String], stdin: String = "", environment: [String: String] = [:]
    ) throws -> RunningCommand {
        try RunningCommand(binary(), arguments, stdin: stdin, environment: environment)
    }

    /// Runs any program, found on the search path, and waits for its end.
    package static func run(
        program: String, _ arguments: [String], environment: [String: String] = [:], stdin: String = ""
    ) throws -> CommandResult {
        try RunningCommand(program, arguments, stdin: stdin, environment: environment).finish()
    }
}

/// A command that runs.
package final class RunningCommand: Sendable {
    private let child: ChildProcess
    /// What it said on standard error while somebody waited for that.
    private let said = Lock<[UInt8]>([])

    init(_ program: String, _ arguments: [String], stdin: String, environment: [String: String]) throws {
        child = try ChildProcess(program, arguments, input: stdin, environment: environment)
    }

    /// Ends it immediately, as a power cut would.
    package func kill9() { child.signal(SIGKILL) }

    /// Waits until it has said these words on standard error, and stops it as an operator does (`SIGTERM`).
    package func terminate(whenItSays words: String) {
        said.withLock { said in
            while !String(decoding: said, as: UTF8.self).contains(words) {
                let more = Self.read(child.standardError)
                if more.isEmpty { return }
                said += more
            }
        }
        child.signal(SIGTERM)
    }

    /// Waits for its end. For one caller, once.
    ///
    /// - Parameter seconds: after which it is killed; the status says so then.
    package func finish(within seconds: Int64 = 120) -> CommandResult {
        var texts: [Int32: [UInt8]] = [child.standardOutput: [], child.standardError: said.withLock { $0 }]
        var open = [child.standardOutput, child.standardError]
        let deadline = MonotonicTime.now().advanced(byMilliseconds: seconds * 1_000)
        while !open.isEmpty {
            let left = deadline.milliseconds(since: .now())
            if left <= 0 {
                child.signal(SIGKILL)
                break
            }
            var polled = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            poll(&polled, nfds_t(polled.count), Int32(left))
            for entry in polled where entry.revents != 0 {
                let more = Self.read(entry.fd)
                texts[entry.fd]? += more
                if more.isEmpty { open.removeAll { $0 == entry.fd } }
            }
        }
        let status = child.wait() ?? .min
        let endedAt = MonotonicTime.now()
        func text(_ descriptor: Int32) -> String {
            close(descriptor)
            return String(decoding: texts[descriptor] ?? [], as: UTF8.self)
        }
        return CommandResult(
            status: status, stdout: text(child.standardOutput), stderr: text(child.standardError), endedAt: endedAt)
    }

    private static func read(_ descriptor: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
            #if canImport(Glibc)
            count = max(0, Glibc.read(descriptor, buffer.baseAddress, buffer.count))
            #elseif canImport(Musl)
            count = max(0, Musl.read(descriptor, buffer.baseAddress, buffer.count))
            #elseif canImport(Darwin)
            count = max(0, Darwin.read(descriptor, buffer.baseAddress, buffer.count))
            #endif
        }
    }
}
