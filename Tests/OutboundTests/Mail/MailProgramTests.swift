import Foundation
import Keybearer
import TestSupport
import Testing

@testable import KeybearerOutbound

/// ``MailProgram``: a program gets the mail on its standard input and nothing else, and what it does ends in time.
@Suite struct MailProgramTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    /// A program that a test makes. The shell reads it: a file that was just written cannot be started itself while another
    /// test's child, which has not got to its own program yet, holds the descriptor it was written with.
    private func program(_ script: String, patience: Duration = .seconds(30)) throws -> MailProgram {
        let path = directory.file("program")
        try "\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
        return MailProgram(words: ["/bin/sh", path, "-C", "file"], patience: patience)
    }

    private func failure(_ program: MailProgram, _ message: String = "To: <a@b>\n\nHi\n") async -> MailFailure? {
        do throws(MailFailure) {
            try await program.send(Array(message.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test("It gets the arguments and -t -i, and the mail byte for byte, however long")
    func input() async throws {
        let (arguments, mail) = (directory.file("arguments"), directory.file("mail"))
        let message = "To: <a@b>\n\n" + String(repeating: "0123456789\n", count: 4_000)
        let program = try program("echo \"$@\" >\(arguments); cat >\(mail)")
        #expect(await failure(program, message)?.description == nil)
        #expect(try String(contentsOfFile: arguments, encoding: .utf8) == "-C file -t -i\n")
        #expect(try String(contentsOfFile: mail, encoding: .utf8) == message)
    }

    @Test("One that closes its output, or stops reading, is waited for, and its status counts")
    func closesEarly() async throws {
        let message = "To: <a@b>\n\n" + String(repeating: "0123456789\n", count: 40_000)
        for script in ["exec >&- 2>&-; cat >/dev/null; exit 75", "exec <&-; sleep 0.1; exit 75"] {
            let failed = await failure(try program(script), message)
            #expect(failed?.description.contains("status 75") == true, "\(script)")
        }
    }

    @Test("It inherits neither settings nor files of the server")
    func environment() async throws {
        setenv("KEYBEARER_DATABASE", "postgres://secret", 1)
        defer { unsetenv("KEYBEARER_DATABASE") }
        // Above those that a shell uses itself.
        let held = (0..<3).map { fcntl(0, F_DUPFD, 300 + Int32($0)) }
        defer { for file in held { close(file) } }
        let found = directory.file("found")
        let program = try program(
            "cat >/dev/null; { env; for file in /proc/$$/fd/*; do echo \"${file##*/}\"; done; } >\(found)")
        #expect(await failure(program)?.description == nil)
        let text = try String(contentsOfFile: found, encoding: .utf8)
        #expect(!text.contains("KEYBEARER") && text.contains("PATH="))
        // The shell has the script itself open, above its own three. Other tests open files at the same moment, so that
        // only those of this one are looked for.
        let files = Set(text.split(separator: "\n").compactMap { Int32($0) })
        #expect(files.isSuperset(of: [0, 1, 2]) && files.isDisjoint(with: held), "\(files)")
    }

    @Test("What it says on failure is kept, without addresses, and cut")
    func failures() async throws {
        let refused = await failure(
            try program("cat >/dev/null; echo 'no relay for eve@example.com' >&2; yes | head -c 100000; exit 75"))
        let text = try #require(refused?.description)
        #expect(text.hasPrefix("The program ended with status 75: no relay for <address> y y"))
        #expect(text.count <= 300 && refused?.isFinal == false)
    }

    @Test("One that reads nothing, and one that cannot be started, are failures")
    func readsNothing() async throws {
        let ended = await failure(try program("exit 1"), String(repeating: "x", count: 48 * 1_024))
        #expect(ended?.description == "The program ended with status 1:")
        #expect(await failure(try program("kill -9 $$"))?.description == "The program ended with signal 9:")
        let missing = MailProgram(words: [directory.file("nothing")])
        #expect(await failure(missing)?.description.hasPrefix("The program cannot be started") == true)
    }

    @Test("One that goes on and on is ended with all that it started")
    func ends() async throws {
        let pids = directory.file("pids")
        let program = try program(
            "trap '' TERM; sleep 600 & echo $! $$ >\(pids); wait; sleep 600", patience: .milliseconds(500))
        #expect(await failure(program)?.description == "The program took too long and was ended.")
        let started = try String(contentsOfFile: pids, encoding: .utf8).split(whereSeparator: \.isWhitespace)
        #expect(started.count == 2)
        for process in started.compactMap({ pid_t($0) }) {
            // Gone, or a zombie whose new parent has not noticed yet. The kernel ends it in its own time.
            let isGone = {
                let state = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
                return state.map { $0.contains(") Z ") } ?? true
            }
            let end = ContinuousClock.now.advanced(by: .seconds(30))
            while !isGone(), .now < end { try await Task.sleep(for: .milliseconds(20)) }
            #expect(isGone(), "\(process)")
        }
    }
}
