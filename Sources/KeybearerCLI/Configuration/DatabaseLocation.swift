import KeybearerPostgres

/// Where the database is: a file of the embedded engine, or a PostgreSQL that many nodes share.
enum DatabaseLocation: Sendable, Equatable {
    case sqlite(path: String)
    /// A connection string. It may hold a password: it is never shown.
    case postgres(address: String)

    /// Reads `postgres://…`, `postgresql://…`, `sqlite:` and a path, or a path alone; nil for anything else.
    init?(_ text: String) {
        guard !text.isEmpty, !text.contains("\0") else { return nil }
        if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
            self = .postgres(address: text)
        } else if text.hasPrefix("sqlite:") {
            let path = String(text.dropFirst("sqlite:".count))
            guard !path.isEmpty, !path.hasPrefix("//") else { return nil }
            self = .sqlite(path: path)
        } else if text.contains("://") {
            return nil
        } else {
            self = .sqlite(path: text)
        }
    }
}

extension DatabaseLocation: CustomStringConvertible {
    /// What may be shown: the path, or hosts and database without user, password and parameters.
    var description: String {
        switch self {
        case .sqlite(let path): path
        case .postgres(let address): PostgresStore.name(of: address)
        }
    }
}
