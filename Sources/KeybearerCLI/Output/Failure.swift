import ArgumentParser
import Foundation
import Keybearer

/// Turns errors into one line on standard error and an exit code of sysexits(3).
enum Failure {
    /// The exit codes that commands end with: the one table. `docs/errors.md` shows it.
    enum Status: Int32, CaseIterable {
        case success = 0
        case other = 1
        case usage = 64
        case dataError = 65
        case noInput = 66
        case noUser = 67
        case unavailable = 69
        case software = 70
        case cannotCreate = 73
        case ioError = 74
        case temporary = 75
        case noPermission = 77
        case configuration = 78

        /// When a command ends with it, as the documentation says it.
        var when: String {
            switch self {
            case .success: "it worked"
            case .other: "a failure that has no code of its own"
            case .usage: "wrong arguments"
            case .ioError: "standard output cannot be written"
            case .dataError:
                "`BAD_REQUEST`, `VALIDATION_FAILED`, `CONFLICT`, `PAYLOAD_TOO_LARGE`, `UNSUPPORTED_MEDIA_TYPE`; a missing "
                    + "`--yes`, or a no to the question of `init` or `bulk`; two passwords that differ; a password that is "
                    + "not UTF-8 text; `backup`, `restore`: the database is a PostgreSQL; `migrate`: the target is not "
                    + "empty, or the database is being moved to another one"
            case .noInput: "no database, no master-key file, no password on standard input"
            case .noUser: "`NOT_FOUND`"
            case .unavailable:
                "`UNAVAILABLE`; `serve`, `demo`: an address is taken, unknown or not allowed, the process may open too few "
                    + "files, or the server failed"
            case .software: "`INTERNAL_ERROR`"
            case .cannotCreate:
                "`init`: a database without its master-key file; a master-key file that cannot be written"
            case .temporary:
                "`restore`, `migrate`: a server runs; `master-key rotate`: another rotation with this file runs; "
                    + "`bulk`: accounts were left out; `RATE_LIMITED`, `REQUEST_TIMEOUT`"
            case .noPermission:
                "the master-key file can be read by others, or not by this user; `FORBIDDEN` and the other refusals"
            case .configuration:
                "a setting, the certificate with its key, or the master-key file is not accepted; the master keys do not "
                    + "fit the database; `doctor` found something broken"
            }
        }
    }

    /// Ends the process after a mistake in the arguments, or after help was asked for.
    static func exit(withParsing error: any Error) -> Never {
        let isAsked = KeybearerCommand.exitCode(for: error).isSuccess
        // What was not understood is repeated there: an unquoted connection string leaves its password behind. Help
        // ends here too, and repeats nothing.
        if !isAsked, DatabaseLocation.mayHoldPassword(KeybearerCommand.message(for: error)) {
            end(.usage, "the arguments are not understood; put a connection string into quotes")
        }
        let text = KeybearerCommand.fullMessage(for: error)
        if isAsked {
            if !text.isEmpty { Console.output(settingsLast(text)) }
        } else {
            Console.report("keybearer: \(text.hasPrefix("Error: ") ? text.dropFirst("Error: ".count) : text[...])")
        }
        Foundation.exit(KeybearerCommand.exitCode(for: error).rawValue)
    }

    /// Ends the process after a command has failed: one line says why, and no usage hides it.
    static func exit(with error: any Error) -> Never {
        switch error {
        case let error as SettingError: end(.configuration, error.description)
        case let error as CommandFailure: end(error.status, error.message)
        case let error as KeybearerError:
            Console.report("keybearer: \(error.operatorMessage)")
            for (field, problem) in error.fields.sorted(by: { $0.key < $1.key }) {
                Console.report("  \(field): \(problem)")
            }
            Foundation.exit(status(of: error.code).rawValue)
        case let error as ValidationError: end(.usage, error.message)
        case let code as ExitCode: Foundation.exit(code.rawValue)
        case _ where KeybearerCommand.exitCode(for: error).isSuccess: exit(withParsing: error)
        default: end(.other, KeybearerCommand.message(for: error))
        }
    }

    /// A help text in which a command's own flags come before the server's settings.
    private static func settingsLast(_ help: String) -> String {
        var blocks = help.components(separatedBy: "\n\n")
        let heading = SettingOptions.title.uppercased() + ":\n"
        guard let settings = blocks.firstIndex(where: { $0.hasPrefix(heading) }),
            let own = blocks.firstIndex(where: { $0.hasPrefix("OPTIONS:\n") }), settings < own
        else { return help }
        let moved = blocks.remove(at: settings)
        if blocks[own - 1].hasSuffix("\n") {
            blocks[own - 1].removeLast()
            blocks.insert(moved + "\n", at: own)
        } else {
            blocks.insert(moved, at: own)
        }
        return blocks.joined(separator: "\n\n")
    }

    /// What went wrong, for a command that goes on.
    static func message(of error: any Error) -> String {
        switch error {
        case let error as SettingError: error.description
        case let error as CommandFailure: error.message
        case let error as KeybearerError: error.operatorMessage
        default: KeybearerCommand.message(for: error)
        }
    }

    private static func end(_ status: Status, _ message: String) -> Never {
        Console.report("keybearer: \(message)")
        Foundation.exit(status.rawValue)
    }

    /// The exit code that an error code means.
    static func status(of code: ErrorCode) -> Status {
        switch code {
        case .badRequest, .validationFailed, .conflict, .payloadTooLarge, .unsupportedMediaType: .dataError
        case .notFound: .noUser
        case .unauthorized, .featureLocked, .forbidden, .httpsRequired, .addressNotAllowed, .methodNotAllowed:
            .noPermission
        case .unavailable: .unavailable
        case .rateLimited, .requestTimeout: .temporary
        case .internalError: .software
        }
    }
}

/// A failure of the command line itself, with the exit code that it means.
struct CommandFailure: Error, CustomStringConvertible {
    let status: Failure.Status
    let message: String
    var description: String { message }

    init(_ status: Failure.Status, _ message: String) {
        self.status = status
        self.message = message
    }
}
