import GRDB
import Keybearer
import KeybearerSQL

/// What SQLite said: the cause behind a ``KeybearerError``, for the log alone.
///
/// It carries SQLite's words, which name tables and columns, but neither the SQL nor its arguments: an argument can be
/// a digest or a sealed key.
public struct SQLiteFailure: Error, Sendable, CustomStringConvertible {
    /// SQLite's extended result code.
    public let resultCode: Int32
    /// SQLite's words.
    public let message: String

    public var description: String { "SQLite error \(resultCode): \(message)" }
}

/// Runs `body` and lets nothing but ``KeybearerError`` out.
func translatingErrors<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch {
        throw KeybearerError(sqlite: error)
    }
}

extension KeybearerError {
    /// Translates what GRDB or SQLite threw; a ``KeybearerError`` passes as it is.
    init(sqlite error: any Error) {
        if let error = error as? KeybearerError {
            self = error
            return
        }
        guard let error = error as? DatabaseError else {
            self.init(.internalError, "The store failed.", cause: error)
            return
        }
        let cause = SQLiteFailure(
            resultCode: error.extendedResultCode.rawValue, message: error.message ?? "no message")
        switch error.extendedResultCode {
        case .SQLITE_CONSTRAINT_TRIGGER where error.message?.contains(MoveMark.closedTable) == true:
            self = MoveMark.refusal(cause: cause)
        case .SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY, .SQLITE_CONSTRAINT_ROWID:
            self.init(.conflict, "Something with the same name exists already.", cause: cause)
        case .SQLITE_CONSTRAINT_FOREIGNKEY:
            self.init(.notFound, "Something that this belongs to does not exist.", cause: cause)
        default:
            self =
                Self.isOutage(error.resultCode)
                ? .unavailable(cause: cause)
                : KeybearerError(.internalError, "The store failed.", cause: cause)
        }
    }

    /// Whether the file, the disk or a lock is the matter, rather than a statement of ours.
    private static func isOutage(_ code: ResultCode) -> Bool {
        switch code {
        case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_IOERR, .SQLITE_FULL, .SQLITE_CORRUPT, .SQLITE_NOTADB,
            .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_NOMEM, .SQLITE_PROTOCOL, .SQLITE_INTERRUPT,
            .SQLITE_ABORT, .SQLITE_AUTH, .SQLITE_MISUSE:
            // MISUSE is what GRDB answers on a connection that was closed.
            true
        default: false
        }
    }
}
