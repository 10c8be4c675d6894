import Keybearer
import KeybearerSQL

/// What PostgreSQL or libpq said: the cause behind a ``KeybearerError``, for the log alone.
///
/// It carries the server's words, which name tables and columns, but neither the SQL nor its parameters nor the
/// connection string: they can hold a digest, a sealed key or a password.
public struct PostgresFailure: Error, Sendable, CustomStringConvertible {
    /// The SQLSTATE; nil when the failure is one of the connection.
    public let state: String?
    /// What was said.
    public let message: String

    public var description: String { "PostgreSQL \(state.map { "error \($0)" } ?? "connection"): \(message)" }
}

extension PostgresFailure {
    /// Whether the connection can be used no longer, or leads to a server that can no longer be written to.
    var endsConnection: Bool {
        guard let state else { return true }
        // Gone, shut down, out of step after a restart, or a primary that has become a standby.
        return state.hasPrefix("08") || state.hasPrefix("57P") || ["25006", "25P03", "25P04"].contains(state)
    }

    /// The failure as the domain knows it.
    var translated: KeybearerError {
        switch state {
        case "23505": KeybearerError(.conflict, "Something with the same name exists already.", cause: self)
        case "23514" where message.contains(PostgresEngine.closingConstraint): MoveMark.refusal(cause: self)
        case "23503": KeybearerError(.notFound, "Something that this belongs to does not exist.", cause: self)
        case let state where Self.isOutage(state): .unavailable(cause: self)
        default: KeybearerError(.internalError, "The store failed.", cause: self)
        }
    }

    /// Whether the server, the network or a lock is the matter, rather than a statement of ours.
    private static func isOutage(_ state: String?) -> Bool {
        guard let state else { return true }
        // Connection, resources, operator's intervention, system error, rolled back by the server, no lock in time,
        // read-only (a standby), idle in a transaction for too long.
        return ["08", "53", "57", "58", "40"].contains(String(state.prefix(2)))
            || ["55P03", "25006", "25P03", "25P04", "3D000", "28000", "28P01"].contains(state)
    }
}

/// Runs `body` and lets nothing but ``KeybearerError`` out.
func translatingErrors<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let failure as PostgresFailure {
        throw failure.translated
    } catch let error as KeybearerError {
        throw error
    } catch {
        throw KeybearerError(.internalError, "The store failed.", cause: error)
    }
}
