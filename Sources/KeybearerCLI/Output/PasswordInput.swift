import ArgumentParser
import Foundation
import Keybearer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where a command takes a password from. Never from a flag: others on the machine can read those.
struct PasswordInput: ParsableArguments {
    @Flag(name: .long, help: "Read the password from the first line of standard input.")
    var passwordStdin = false

    @Flag(name: .long, help: "Make up a password and print it to standard output.")
    var generatePassword = false

    /// A password, and its characters where it was made up here.
    struct Chosen {
        let password: Password
        var generated: String?

        /// Prints a password that was made up, once it has been set.
        func announce() {
            if let generated { Console.output(generated) }
        }
    }

    /// Whether a person can be asked.
    var isInteractive: Bool { isatty(STDIN_FILENO) == 1 }

    /// Whether the flags say where the password comes from.
    var isChosen: Bool { passwordStdin || generatePassword }

    func validate() throws {
        guard !passwordStdin || !generatePassword else {
            throw ValidationError("Use --password-stdin or --generate-password, not both.")
        }
    }

    /// Reads or makes the password; prompts without echo where a person is at the keyboard.
    func read() throws -> Chosen {
        if generatePassword {
            let made = String(decoding: RandomSource.system.base62(count: 20), as: UTF8.self)
            return Chosen(password: Password(made), generated: made)
        }
        if passwordStdin {
            guard var line = readLine(strippingNewline: true) else {
                throw CommandFailure(.noInput, "standard input has no password on its first line")
            }
            // A byte order mark belongs to the file, and so does a carriage return without its line feed.
            if line.unicodeScalars.first == "\u{FEFF}" { line.unicodeScalars.removeFirst() }
            if line.unicodeScalars.last == "\r" { line.unicodeScalars.removeLast() }
            if line.isEmpty { throw CommandFailure(.noInput, "standard input has no password on its first line") }
            return Chosen(password: Password(try Self.decoded(line)))
        }
        guard isInteractive else {
            throw ValidationError("name where the password comes from: --password-stdin or --generate-password")
        }
        let first = try prompt("Password: ")
        guard try prompt("Once more: ") == first else { throw CommandFailure(.dataError, "the passwords differ") }
        return Chosen(password: Password(first))
    }

    private func prompt(_ text: String) throws -> String {
        guard let line = getpass(text) else { throw CommandFailure(.noInput, "no password was typed") }
        return try Self.decoded(String(cString: line))
    }

    /// A line in which everything could be decoded: what cannot becomes the same character, whatever it was.
    static func decoded(_ line: String) throws -> String {
        guard !line.unicodeScalars.contains("\u{FFFD}") else {
            throw CommandFailure(.dataError, "the password is not UTF-8 text")
        }
        return line
    }
}
