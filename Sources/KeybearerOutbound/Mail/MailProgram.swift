import Foundation
package import Keybearer
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Hands mails to a program of the `sendmail -t -i` convention, which every mail server and msmtp have: the mail comes on
/// its standard input, and the recipient is in the mail's own header.
///
/// No shell is involved, and nothing of a mail is in an argument or in the environment. The program has a time limit, and
/// of what it says a limited number of bytes is kept.
package struct MailProgram: MailTransport {
    /// How long the program may take.
    package static let patience: Duration = .seconds(30)
    /// How many bytes of what it says are kept.
    static let mostOutput = 1_024

    /// An absolute path, and the words behind it.
    private let words: [String]
    private let patience: Duration

    /// - Parameter words: an absolute path, and the arguments before `-t -i`.
    package init(words: [String], patience: Duration = Self.patience) {
        self.words = words
        self.patience = patience
    }

    package func send(_ message: [UInt8]) async throws(MailFailure) {
        let (words, patience) = (words + ["-t", "-i"], patience)
        let run = Run()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, MailFailure>, Never>) in
                // A thread of its own: it waits for the program.
                Thread.detachNewThread {
                    continuation.resume(returning: Self.run(words, message, patience, run))
                }
            }
        } onCancel: {
            // A server that stops waits for no mail: the claim runs out, and another node sends it.
            run.isCancelled.store(true, ordering: .relaxed)
        }
        try result.get()
    }

    private static func run(
        _ words: [String], _ message: [UInt8], _ patience: Duration, _ run: Run
    ) -> Result<Void, MailFailure> {
        do throws(MailFailure) {
            let deadline = ContinuousClock.now.advanced(by: patience)
            return .success(try MailProcess.start(words).run(message, until: deadline, run))
        } catch {
            return .failure(error)
        }
    }
}

/// Tells the thread that waits for a program that nobody waits for it any more.
private final class Run: Sendable {
    let isCancelled = Atomic<Bool>(false)
}

/// One run of the program.
private struct MailProcess {
    private let process: pid_t
    /// The program's standard input. Its other end stays open here too, so that a program that reads nothing raises no
    /// signal.
    private let input: (reading: Int32, writing: Int32)
    /// What the program says, on both of its outputs.
    private let output: Int32

    /// What of this process's environment the program gets.
    private static let variables = ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"]

    static func start(_ words: [String]) throws(MailFailure) -> MailProcess {
        let (input, output) = (try pipe(), try pipe())
        defer { close(output.writing) }
        // Where whoever started this process ignores it, the kernel forgets how children ended.
        signal(SIGCHLD, SIG_DFL)
        #if canImport(Darwin)
        var (actions, attributes): (posix_spawn_file_actions_t?, posix_spawnattr_t?) = (nil, nil)
        #else
        var (actions, attributes) = (posix_spawn_file_actions_t(), posix_spawnattr_t())
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (source, target) in [(input.reading, 0), (output.writing, 1), (output.writing, 2)] {
            posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
        }
        // A group of its own, so that whatever it starts ends with it; and signals as a shell would leave them.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGHUP, SIGTERM, SIGINT, SIGCHLD] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        var flags = Int32(POSIX_SPAWN_SETPGROUP) | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
        #if canImport(Darwin)
        flags |= Int32(POSIX_SPAWN_CLOEXEC_DEFAULT)
        #else
        for file in openFiles() { posix_spawn_file_actions_addclose(&actions, file) }
        #endif
        posix_spawnattr_setflags(&attributes, Int16(flags))
        let environment = ProcessInfo.processInfo.environment
        let settings = variables.compactMap { name in environment[name].map { "\(name)=\($0)" } }
        var process = pid_t()
        let problem = withStrings(words) { arguments in
            withStrings(settings) { posix_spawn(&process, words[0], &actions, &attributes, arguments, $0) }
        }
        guard problem == 0 else {
            for file in [input.reading, input.writing, output.reading] { close(file) }
            throw MailFailure("The program cannot be started: \(String(cString: strerror(problem))).")
        }
        for file in [input.writing, output.reading] { _ = fcntl(file, F_SETFL, O_NONBLOCK) }
        return MailProcess(process: process, input: input, output: output.reading)
    }

    /// The files of this process that a program would inherit. One that is closed meanwhile is no failure.
    private static func openFiles() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 > 2 && fcntl($0, F_GETFD) & FD_CLOEXEC == 0 }
    }

    /// Writes the mail, and waits for the end.
    func run(
        _ message: [UInt8], until deadline: ContinuousClock.Instant, _ run: Run
    ) throws(MailFailure) {
        defer { for file in [input.reading, output] { close(file) } }
        var (written, isWriting, said, status) = (0, true, [UInt8](), Int32(0))
        defer { if isWriting { close(input.writing) } }
        var isSpeaking = true
        while true {
            let ended = waitpid(process, &status, WNOHANG)
            if ended == process { break }
            // Nobody knows how it ended: the mail is not counted as sent.
            guard ended == 0 || errno == EINTR else { throw MailFailure("The end of the program was not seen.") }
            guard ContinuousClock.now < deadline, !run.isCancelled.load(ordering: .relaxed) else {
                stop()
                throw MailFailure("The program took too long and was ended.")
            }
            // One that is -1 is not looked at: what the program has closed would be ready all the time.
            var files = [
                pollfd(fd: isSpeaking ? output : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isWriting ? input.writing : -1, events: Int16(POLLOUT), revents: 0),
            ]
            poll(&files, nfds_t(files.count), 10)
            isSpeaking = isSpeaking && files[0].revents & Int16(POLLHUP) == 0
            Self.read(output, into: &said)
            guard isWriting, files[1].revents != 0 else { continue }
            let count = message[written...].withUnsafeBytes { write(input.writing, $0.baseAddress, $0.count) }
            written += max(0, count)
            // One that has closed its end reads nothing more: its status says how it ended.
            if written == message.count || count < 0 && errno == EPIPE {
                close(input.writing)
                isWriting = false
            }
        }
        Self.read(output, into: &said)
        if status == 0 { return }
        let code = status & 0x7f == 0 ? "status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"
        throw MailFailure("The program ended with \(code): \(String(decoding: said, as: UTF8.self))")
    }

    /// Ends the program and whatever it started.
    private func stop() {
        kill(-process, SIGTERM)
        for _ in 0..<100 where waitpid(process, nil, WNOHANG) == 0 { usleep(10_000) }
        kill(-process, SIGKILL)
        waitpid(process, nil, 0)
    }

    /// Reads what is there, and keeps its beginning.
    private static func read(_ file: Int32, into said: inout [UInt8]) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            #if canImport(Glibc)
            let count = Glibc.read(file, &buffer, buffer.count)
            #elseif canImport(Musl)
            let count = Musl.read(file, &buffer, buffer.count)
            #else
            let count = Darwin.read(file, &buffer, buffer.count)
            #endif
            guard count > 0 else { return }
            said += buffer.prefix(min(count, MailProgram.mostOutput - said.count))
        }
    }

    /// A pipe of which no other program inherits an end.
    private static func pipe() throws(MailFailure) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        #if canImport(Glibc)
        let problem = Glibc.pipe(&ends)
        #elseif canImport(Musl)
        let problem = Musl.pipe(&ends)
        #else
        let problem = Darwin.pipe(&ends)
        #endif
        guard problem == 0 else { throw MailFailure("There are too many open files.") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func withStrings<Value>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Value
    ) -> Value {
        let copies = strings.map { strdup($0) } + [nil]
        defer { for copy in copies { free(copy) } }
        return body(copies)
    }
}
