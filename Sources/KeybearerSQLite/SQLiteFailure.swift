import Foundation
import GRDB
import Keybearer
import KeybearerSQL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What SQLite said of a rule of the schema: the cause behind a ``KeybearerError``, for the log alone.
///
/// It carries SQLite's words, which name tables and columns, but neither the SQL nor its arguments: an argument can be
/// a digest or a sealed key.
struct SQLiteFailure: Error, Sendable, CustomStringConvertible {
    /// SQLite's extended result code.
    let resultCode: Int32
    /// SQLite's words.
    let message: String

    var description: String { "SQLite error \(resultCode): \(message)" }
}

/// Runs `body` and lets nothing but ``KeybearerError`` out.
///
/// - Parameter path: the database's file.
func translatingErrors<Result>(at path: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch {
        throw KeybearerError(sqlite: error, at: path)
    }
}

extension KeybearerError {
    /// Translates what GRDB or SQLite threw; a ``KeybearerError`` passes as it is.
    init(sqlite error: any Error, at path: String) {
        if let error = error as? KeybearerError {
            self = error
        } else if let failure = error as? StoreFailure {
            self.init(failure)
        } else if let error = error as? DatabaseError {
            let cause = SQLiteFailure(
                resultCode: error.extendedResultCode.rawValue, message: error.message ?? "no message")
            switch error.extendedResultCode {
            case .SQLITE_CONSTRAINT_TRIGGER where error.message?.contains(MoveMark.closedTable) == true:
                self = MoveMark.lost
            case .SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY, .SQLITE_CONSTRAINT_ROWID:
                self.init(.conflict, "Something with the same name exists already.", cause: cause)
            case .SQLITE_CONSTRAINT_FOREIGNKEY:
                self.init(.notFound, "Something that this belongs to does not exist.", cause: cause)
            default: self.init(StoreFailure(error, at: path))
            }
        } else {
            self.init(.internalError, "The store failed.", cause: error)
        }
    }
}

extension StoreFailure {
    /// What an error of SQLite's comes to, with a look at the file where SQLite does not say enough.
    init(_ error: DatabaseError, at path: String) {
        let code = "SQLite \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_IOERR where FileTrouble.isDirectory(path):
            self = FileTrouble.whyItCannotBeOpened(path, code: code)
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH:
            self = FileTrouble.whyItCannotBeOpened(path, code: code)
        case .SQLITE_READONLY: self = FileTrouble.readOnly(path, code: code)
        case .SQLITE_FULL: self = FileTrouble.full(path, code: code)
        case .SQLITE_IOERR:
            self =
                FileTrouble.isDiskFull(path)
                ? FileTrouble.full(path, code: code)
                : StoreFailure(
                    .diskError, "cannot use", path, "the disk reported an error (\(error.message ?? "no message"))",
                    advice: "Look in the system's log for the disk, and keep a copy of the files.", code: code)
        case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL:
            self = StoreFailure(
                .busy, "cannot use", path,
                "another process has held its lock for \(SQLiteStore.busyTimeout.wholeMilliseconds / 1_000) seconds",
                advice: "Look which one has the file open (fuser), and try again when it has ended.", code: code)
        case .SQLITE_NOTADB: self = SQLiteSchema.foreign(path, code: code)
        case .SQLITE_CORRUPT:
            self = StoreFailure(
                .damaged, "cannot use", path, "the file is damaged",
                advice: "Stop the server, keep a copy of the files, and restore the last sound backup.", code: code)
        case .SQLITE_ERROR where (error.message ?? "").hasPrefix("no such "):
            self = StoreFailure(
                .missingTable, "cannot use", path, error.message ?? "",
                advice: "Somebody changed the schema: restore the last sound backup.", code: code)
        case .SQLITE_NOMEM, .SQLITE_INTERRUPT, .SQLITE_ABORT, .SQLITE_MISUSE:
            // MISUSE is what GRDB answers on a connection that was closed.
            self = StoreFailure(
                .unreachable, "cannot use", path, error.message ?? "it was closed", advice: "Try again.", code: code)
        default:
            self = StoreFailure(
                .unknown, "cannot use", path, error.message ?? "no message",
                advice: "Run 'keybearer doctor'.", code: code)
        }
    }
}

/// Finds out at the file itself why the system does not give it out.
enum FileTrouble {
    /// Why a file cannot be opened or made.
    ///
    /// - Parameter error: what the system answered, where it was asked.
    static func whyItCannotBeOpened(_ path: String, error: Int32? = nil, code: String? = nil) -> StoreFailure {
        let directory = DatabaseFile.directory(of: path)
        var information = stat()
        switch error ?? (stat(directory, &information) == 0 ? 0 : errno) {
        case ENOENT, ENOTDIR:
            return StoreFailure(
                .missingFile, "cannot open", path, "there is no directory \(directory)",
                advice: "Make it, or correct the setting database.", code: code)
        case ENOSPC, EDQUOT: return full(path, code: code)
        case EROFS: return readOnly(path, code: code)
        case EMFILE, ENFILE:
            return StoreFailure(
                .unreachable, "cannot open", path, "too many files are open", advice: "Raise the limit (ulimit -n).",
                code: code)
        default: break
        }
        if isDirectory(path) {
            return StoreFailure(
                .foreign, "cannot open", path, "it is a directory", advice: "Name a file in the setting database.",
                code: code)
        }
        if error == nil, stat(path, &information) != 0, errno == ENOENT {
            return StoreFailure(
                .missingFile, "cannot open", path, "there is no such file",
                advice: "Correct the setting database, or restore a backup.", code: code)
        }
        return noPermission(path, code: code)
    }

    static func isDirectory(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }

    static func noPermission(_ path: String, code: String? = nil) -> StoreFailure {
        StoreFailure(
            .noPermission, "cannot open", path, "this user may not read and write it",
            advice: "Run keybearer as the user who owns the file and its directory, or give them to this one (chown).",
            code: code)
    }

    static func readOnly(_ path: String, code: String? = nil) -> StoreFailure {
        StoreFailure(
            .readOnly, "cannot write to", path, "the file, its directory or its disk is read-only for this user",
            advice:
                "SQLite writes to the file and to others beside it: give this user both, on a disk that takes writes.",
            code: code)
    }

    static func full(_ path: String, code: String? = nil) -> StoreFailure {
        StoreFailure(
            .diskFull, "cannot write to", path, "the disk is full",
            advice: "Free space on it; what was committed is safe.", code: code)
    }

    /// Whether next to nothing can be written where a file is.
    static func isDiskFull(_ path: String) -> Bool {
        var information = statvfs()
        guard statvfs(DatabaseFile.directory(of: path), &information) == 0 else { return false }
        return UInt64(information.f_bavail) * UInt64(information.f_frsize) < 64 * 1_024
    }
}
