import Foundation
import KeybearerPostgres

/// Where the database is: a file of the embedded engine, or a PostgreSQL that many nodes share.
enum DatabaseLocation: Sendable, Equatable {
    case sqlite(path: String)
    /// A connection string. It may hold a password: only its description is shown.
    case postgres(PostgresAddress)

    /// Reads a connection string of libpq (`postgres://…`, `postgresql://…`, or keywords such as `host=db dbname=kb`),
    /// `sqlite:` and a path, or a path alone; nil for anything else.
    ///
    /// A text that may be a connection string with a mistake in it is nothing: it must not become a file's name.
    init?(_ text: String) {
        guard !text.isEmpty, !text.contains("\0") else { return nil }
        if text.hasPrefix("sqlite:") {
            let path = String(text.dropFirst("sqlite:".count))
            guard !path.isEmpty, !path.hasPrefix("//"), !Self.mayHoldPassword(path) else { return nil }
            self = .sqlite(path: path)
        } else if PostgresAddress.isConnectionString(text) {
            guard let address = PostgresAddress(text) else { return nil }
            self = .postgres(address)
        } else {
            guard !Self.mayHoldPassword(text), text.firstMatch(of: /:.*@/.dotMatchesNewlines()) == nil else {
                return nil
            }
            self = .sqlite(path: text)
        }
    }

    /// Whether a path looks like a connection string, of whatever program.
    static func mayHoldPassword(_ text: String) -> Bool {
        text.contains("://") || text.firstMatch(of: /(pass|passwd|password|pwd)\s*=/.ignoresCase()) != nil
    }
}

extension DatabaseLocation: CustomStringConvertible {
    /// What may be shown: the path, or user, hosts and database without password and parameters.
    var description: String {
        switch self {
        case .sqlite(let path): path
        case .postgres(let address): address.description
        }
    }
}
