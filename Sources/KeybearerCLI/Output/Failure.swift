import ArgumentParser
import Foundation
import Keybearer

/// Turns errors into one line on standard error and an exit code of sysexits(3).
enum Failure {
    /// The exit codes that commands end with.
    enum Status: Int32 {
        case usage = 64
        case dataError = 65
        case noInput = 66
        case noUser = 67
        case unavailable = 69
        case software = 70
        case cannotCreate = 73
        case temporary = 75
        case noPermission = 77
        case configuration = 78
    }

    static func exit(with error: any Error) -> Never {
        switch error {
        case let error as SettingError:
            Console.note("keybearer: \(error.description)")
            Foundation.exit(Status.configuration.rawValue)
        case let error as CommandFailure:
            Console.note("keybearer: \(error.message)")
            Foundation.exit(error.status.rawValue)
        case let error as KeybearerError:
            Console.note("keybearer: \(error.operatorMessage)")
            for (field, problem) in error.fields.sorted(by: { $0.key < $1.key }) {
                Console.note("  \(field): \(problem)")
            }
            Foundation.exit(status(of: error.code).rawValue)
        default:
            // What was not understood is repeated there: an unquoted connection string leaves its password behind. Help
            // ends here too, and repeats nothing.
            if !KeybearerCommand.exitCode(for: error).isSuccess,
                DatabaseLocation.mayHoldPassword(KeybearerCommand.message(for: error))
            {
                Console.note("keybearer: the arguments are not understood; put a connection string into quotes")
                Foundation.exit(Status.usage.rawValue)
            }
            KeybearerCommand.exit(withError: error)
        }
    }

    private static func status(of code: ErrorCode) -> Status {
        switch code {
        case .badRequest, .validationFailed, .conflict, .payloadTooLarge, .unsupportedMediaType: .dataError
        case .notFound: .noUser
        case .unauthorized, .featureLocked, .forbidden, .httpsRequired, .methodNotAllowed: .noPermission
        case .unavailable: .unavailable
        case .rateLimited, .requestTimeout: .temporary
        case .internalError: .software
        }
    }
}

/// A failure of the command line itself, with the exit code that it means.
struct CommandFailure: Error {
    let status: Failure.Status
    let message: String

    init(_ status: Failure.Status, _ message: String) {
        self.status = status
        self.message = message
    }
}
