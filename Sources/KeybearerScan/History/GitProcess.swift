import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One run of git on a repository that nobody trusts, whose output is read while it runs.
///
/// Nothing of the repository runs: no hook, filter, pager, monitor or helper, and nothing is fetched. Of this process's
/// environment git gets where programs are, and nothing else.
final class GitProcess: ByteSource {
    /// How many bytes of what it says on standard error are kept.
    private static let mostMessages = 2_048

    /// Settings that overrule those of the repository.
    private static let settings = [
        "core.fsmonitor=false", "core.hooksPath=/dev/null", "core.pager=cat", "core.sshCommand=false",
        "core.attributesFile=/dev/null", "core.askPass=false", "credential.helper=", "diff.external=",
        "gpg.program=false", "log.showSignature=false", "log.mailmap=false", "log.follow=false",
        "protocol.allow=never", "maintenance.auto=false", "gc.auto=0", "safe.bareRepository=all",
    ]

    private static let variables = [
        "LC_ALL=C", "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent", "GIT_ALLOW_PROTOCOL=none",
        "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
        "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1", "GIT_NO_REPLACE_OBJECTS=1", "GIT_PAGER=cat", "GIT_ASKPASS=false",
        "GIT_ATTR_NOSYSTEM=1", "GIT_FLUSH=0",
    ]

    private let process: pid_t
    private let output: Int32
    private let messages: Int32
    private let timeout: Duration
    private let block: UnsafeMutableRawBufferPointer
    private var said: [UInt8] = []
    /// Whether there was more than is kept.
    private var isCut = false
    private var status: Int32?

    /// Starts git.
    ///
    /// - Parameters:
    ///   - words: the command and its arguments.
    ///   - folder: the repository's.
    ///   - timeout: how long it may be silent.
    init(_ words: [String], in folder: RawPath, timeout: Duration) throws(Unreadable) {
        guard let program = Self.program else { throw Unreadable("git is not installed; the history was not read") }
        // The work tree that the repository names may be gone, or anywhere: nothing of it is wanted.
        let path = (folder.canonical ?? folder).bytes
        var arguments = [Array("git".utf8), Array("--git-dir=".utf8) + path, Array("--work-tree=".utf8) + path]
        let options = ["--no-pager", "--no-replace-objects", "--literal-pathspecs"]
        for word in options + Self.settings.flatMap({ ["-c", $0] }) + words { arguments.append(Array(word.utf8)) }
        let (output, messages) = (try Self.pipe(), try Self.pipe())
        defer {
            close(output.writing)
            close(messages.writing)
        }
        do throws(Unreadable) {
            process = try Self.spawn(program, arguments, output.writing, messages.writing)
        } catch {
            close(output.reading)
            close(messages.reading)
            throw error
        }
        (self.output, self.messages, self.timeout) = (output.reading, messages.reading, timeout)
        block = .allocate(byteCount: 1 << 18, alignment: 16)
    }

    deinit {
        if status == nil { _ = end() }
        close(output)
        close(messages)
        block.deallocate()
    }

    /// The absolute path of git: a folder that is not absolute could be the one that is looked at.
    private static var program: String? {
        programFolders.map { "\($0)/git" }.first { access($0, X_OK) == 0 }
    }

    private static var programFolders: [Substring] {
        (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").filter {
            $0.hasPrefix("/")
        }
    }

    private static func pipe() throws(Unreadable) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        #if canImport(Darwin)
        let result = Darwin.pipe(&ends)
        #elseif canImport(Musl)
        let result = Musl.pipe(&ends)
        #else
        let result = Glibc.pipe(&ends)
        #endif
        guard result == 0 else { throw Unreadable(systemError: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ program: String, _ arguments: [[UInt8]], _ output: Int32, _ messages: Int32
    ) throws(Unreadable) -> pid_t {
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
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, messages, 2)
        // A group of its own, so that whatever it starts ends with it; and signals as a shell would leave them.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGHUP, SIGTERM, SIGINT, SIGCHLD] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = Int32(POSIX_SPAWN_SETPGROUP) | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        let environment = (variables + ["PATH=" + programFolders.joined(separator: ":")]).map { Array($0.utf8) }
        var process = pid_t()
        let problem = withStrings(arguments) { arguments in
            withStrings(environment) { posix_spawn(&process, program, &actions, &attributes, arguments, $0) }
        }
        guard problem == 0 else { throw Unreadable("git cannot be started: \(String(cString: strerror(problem)))") }
        return process
    }

    private static func withStrings<Result>(
        _ strings: [[UInt8]], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { string in
            RawPath(bytes: string).withCharacters { strdup($0) }
        }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        return pointers.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("there is always the end") }
            return body(base)
        }
    }

    // MARK: - Output

    /// The next bytes of its standard output; nil at the end of a run that succeeded and said nothing else.
    ///
    /// - Throws: ``Unreadable`` when it was silent for too long, or did not succeed.
    func next() throws(Unreadable) -> UnsafeRawBufferPointer? {
        var isSpeaking = status == nil
        while isSpeaking {
            try waitForOutput()
            let count = read(output, block.baseAddress, block.count)
            if count > 0 { return UnsafeRawBufferPointer(rebasing: block[..<count]) }
            isSpeaking = count < 0 && errno == EINTR
        }
        try finish()
        return nil
    }

    /// Waits until there is output, or its end. Reads what it says on standard error meanwhile.
    private func waitForOutput() throws(Unreadable) {
        let limit = timeout.components
        let milliseconds = limit.seconds * 1_000 + limit.attoseconds / 1_000_000_000_000_000
        let deadline = ContinuousClock.now.advanced(by: timeout)
        var isSaying = true
        while true {
            var files = [
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isSaying ? messages : -1, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&files, 2, Int32(clamping: milliseconds))
            if count < 0, errno == EINTR { continue }
            if files[1].revents != 0 { isSaying = readMessages() }
            if files[0].revents != 0 { return }
            guard count > 0, ContinuousClock.now < deadline else {
                _ = end()
                throw Unreadable(
                    "git said nothing for \(limit.seconds) seconds and was ended; the history was not read to its end")
            }
        }
    }

    /// Reads what there is; false at the end.
    private func readMessages() -> Bool {
        let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { $1 = max(0, read(messages, $0.baseAddress, 4_096)) }
        guard isCut || said.count + bytes.count > Self.mostMessages else {
            said += bytes
            return !bytes.isEmpty
        }
        if !isCut {
            isCut = true
            said += bytes.prefix(Self.mostMessages - said.count)
            // A key that is cut looks like none, and would be shown.
            while let last = said.last, KeyPattern.isInToken(last) { said.removeLast() }
        }
        return !bytes.isEmpty
    }

    private func finish() throws(Unreadable) {
        guard status == nil else { return }
        let deadline = ContinuousClock.now.advanced(by: timeout)
        // Both of its outputs are at their end soon before it ends; what it started may hold them open.
        var isSaying = true
        while isSaying, ContinuousClock.now < deadline {
            var file = pollfd(fd: messages, events: Int16(POLLIN), revents: 0)
            if poll(&file, 1, 100) > 0 { isSaying = readMessages() }
        }
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 {
            guard ContinuousClock.now < deadline else {
                _ = end()
                throw Unreadable("git did not end and was ended; the history was not read to its end")
            }
            usleep(1_000)
        }
        self.status = status
        let text = String(decoding: said, as: UTF8.self).split(separator: "\n").joined(separator: "; ")
        guard status == 0, text.isEmpty else {
            throw Unreadable("git \(status == 0 ? "says" : "failed"): \(text.isEmpty ? "it gave no reason" : text)")
        }
    }

    /// Ends it with everything that it started.
    private func end() -> Int32 {
        kill(-process, SIGKILL)
        kill(process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        self.status = status
        return status
    }
}
