/// Why the database could not be used, in words for whoever runs Keybearer: the cause behind a ``KeybearerError``.
///
/// Clients never see it; the log and the command line show it. It may name files, hosts, databases, roles and tables.
/// It never holds a password, a connection string, a statement or a value.
package struct StoreFailure: Error, Sendable, Equatable {
    /// What kind of failure it is.
    package enum Kind: String, Sendable, CaseIterable {
        /// The host is unknown, refuses connections or does not answer in time; or a connection was lost.
        case unreachable
        /// The server is starting up or shutting down.
        case startingUp
        /// The server has no connection left.
        case tooManyConnections
        /// The server does not accept who asks: no password, a wrong one, or no rule in `pg_hba.conf`.
        case authentication
        /// The connection cannot be encrypted as the connection string wants, or the certificate is not trusted.
        case tls
        /// The server has no such database.
        case noDatabase
        /// The server has no such role, or it may not log in.
        case noRole
        /// The role, or the user on this machine, may not do what is needed.
        case noPermission
        /// The file, its disk, the role or the database takes no writes.
        case readOnly
        /// The server is a standby.
        case replica
        /// The disk is full.
        case diskFull
        /// Another process or transaction holds a lock for longer than it is waited for.
        case busy
        /// A newer version of Keybearer wrote the schema.
        case newerSchema
        /// The server is older than what Keybearer works with.
        case olderServer
        /// A pooler is in between that hands each transaction to another connection.
        case pooler
        /// A table or a column is missing.
        case missingTable
        /// The data is damaged.
        case damaged
        /// It is not a database of Keybearer.
        case foreign
        /// It was moved to another database, or is being moved.
        case moved
        /// The file, or its directory, does not exist.
        case missingFile
        /// The disk reported an error.
        case diskError
        /// The connection string is not understood.
        case badAddress
        /// None of these.
        case unknown
    }

    /// What kind of failure it is.
    package let kind: Kind
    /// What was tried, such as `cannot connect to`.
    package let attempt: String
    /// Where: a path, or `postgres://` with user, host and database.
    package let place: String
    /// What is wrong, without a full stop.
    package let problem: String
    /// What to do: one or more sentences.
    package let advice: String
    /// The engine's own code for it, such as `SQLSTATE 28P01`.
    package let code: String?
    /// Whether a transaction was taken back because it waited too long for another's lock, or each waited for the other.
    /// Nothing was changed, and less of it at a time may succeed.
    package var isLockConflict = false

    /// Puts a failure together.
    package init(
        _ kind: Kind, _ attempt: String, _ place: String, _ problem: String, advice: String, code: String? = nil
    ) {
        self.kind = kind
        self.attempt = attempt
        self.place = place
        self.problem = problem
        self.advice = advice
        self.code = code
    }

    /// Whether it usually goes away shortly after the database server or its host has started.
    package var isOfStartingUp: Bool {
        switch kind {
        case .unreachable, .startingUp: true
        // Of several servers one answers that takes no writes: the other one may be starting up, or this one take over.
        case .readOnly, .replica: place.contains(",")
        default: false
        }
    }

    /// What failed, where and why, without what to do.
    package var summary: String { "\(attempt) \(place): \(problem)" }
}

extension StoreFailure: CustomStringConvertible, CustomDebugStringConvertible {
    /// One line: what failed, where, why, and what to do.
    package var description: String { "\(summary). \(advice)" }

    /// The same with the engine's code, for the log.
    package var debugDescription: String { code.map { "\(description) (\($0))" } ?? description }
}

extension KeybearerError {
    /// The store's failure behind this one.
    package var storeFailure: StoreFailure? { cause as? StoreFailure }

    /// What whoever runs Keybearer reads: the store's failure where there is one, else the message.
    public var operatorMessage: String { storeFailure?.description ?? message }

    /// A failure of the store as the domain knows it: a fault of ours where nothing else is known of it.
    package init(_ failure: StoreFailure) {
        self =
            failure.kind == .unknown
            ? KeybearerError(.internalError, "The store failed.", cause: failure) : .unavailable(cause: failure)
    }
}
