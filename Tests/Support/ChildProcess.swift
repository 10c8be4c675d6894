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

/// A process that a test started, with the read ends of its output.
///
/// It inherits the environment without any `KEYBEARER_…` variable, so that the machine's own settings reach no test.
final class ChildProcess: Sendable {
    struct CannotStart: Error {
        let program: String
        let code: Int32
    }

    let processID: pid_t
    let standardOutput: Int32
    let standardError: Int32
    private let isReaped = Lock(false)
    /// A pipe is made before it is marked as not to be inherited: a child started in between would hold it open.
    private static let oneAtATime = Lock(())

    init(_ program: String, _ arguments: [String], input: String, environment: [String: String]) throws {
        // More would wait for the child to read.
        precondition(input.utf8.count <= 32_768, "standard input is limited to what a pipe holds")
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("KEYBEARER_") }
        variables.merge(environment) { $1 }
        (processID, standardOutput, standardError) = try Self.start(
            [program] + arguments, variables.map { "\($0)=\($1)" }, input: Array(input.utf8))
    }

    private static func start(
        _ words: [String], _ variables: [String], input: [UInt8]
    ) throws -> (processID: pid_t, output: Int32, errors: Int32) {
        try oneAtATime.withLock { _ in
            let (inputEnd, inputSource) = try pipe()
            let (output, outputEnd) = try pipe()
            let (errors, errorEnd) = try pipe()
            defer { for descriptor in [inputEnd, inputSource, outputEnd, errorEnd] { close(descriptor) } }
            _ = input.withUnsafeBytes { write(inputSource, $0.baseAddress, $0.count) }
            do {
                let processID = try spawn(words, variables, input: inputEnd, output: outputEnd, errors: errorEnd)
                return (processID, output, errors)
            } catch {
                close(output)
                close(errors)
                throw error
            }
        }
    }

    deinit {
        signal(SIGKILL)
        _ = wait()
    }

    /// Sends a signal, unless the process has been waited for: its id may belong to another by then.
    func signal(_ number: Int32) {
        isReaped.withLock { isReaped in
            if !isReaped { _ = kill(processID, number) }
        }
    }

    /// Waits until a stop signal has stopped it.
    func waitUntilStopped() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(processID), &information, WSTOPPED | WNOWAIT) < 0, errno == EINTR {}
    }

    /// Waits for the end.
    ///
    /// - Returns: the exit code, or minus the signal that ended it; nil when it was waited for before.
    func wait() -> Int32? {
        // Left as a zombie here, so that signal() stays safe until the lock is held.
        var information = siginfo_t()
        while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        return isReaped.withLock { isReaped in
            guard !isReaped else { return nil }
            isReaped = true
            var status: Int32 = 0
            while waitpid(processID, &status, 0) < 0, errno == EINTR {}
            return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
        }
    }

    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        #if canImport(Glibc)
        let outcome = Glibc.pipe(&ends)
        #elseif canImport(Musl)
        let outcome = Musl.pipe(&ends)
        #elseif canImport(Darwin)
        let outcome = Darwin.pipe(&ends)
        #endif
        guard outcome == 0 else { throw CannotStart(program: "pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ words: [String], _ variables: [String], input: Int32, output: Int32, errors: Int32
    ) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #else
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        var texts: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { for text in texts + settings { free(text) } }
        var processID = pid_t()
        let code = posix_spawnp(&processID, words[0], &actions, &attributes, &texts, &settings)
        guard code == 0 else { throw CannotStart(program: words[0], code: code) }
        return processID
    }
}
