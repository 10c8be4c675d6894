import CLibPQ
import Keybearer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A statement with its parameters.
struct Statement {
    let sql: String
    let parameters: [PostgresValue]

    init(_ sql: String, _ parameters: [PostgresValue] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}

/// One connection to the server. It belongs to one thread, which it blocks, but never for longer than its patience.
///
/// libpq's own blocking calls wait for as long as a network that is cut keeps silent. So nothing here uses them after
/// the connection is made: answers are awaited with a deadline on this process's own clock.
final class PostgresConnection {
    /// How long waiting may take.
    struct Patience: Sendable {
        /// For one round trip, on this side.
        var roundTrip: Duration
        /// For a lock, and for this process while it holds a transaction open: below a quarter lease, so that a process
        /// that was stopped in the middle of a change holds nobody up for a lease.
        var lock: Duration
    }

    let pointer: OpaquePointer
    let patience: Patience
    /// A statement that this connection has prepared.
    final class Prepared {
        let name: String
        /// Where each column of its rows is: found out with its first result. libpq walks over all names at each
        /// look-up.
        var columns: [String: Int32]?

        init(name: String) {
            self.name = name
        }
    }

    /// Prepared statements by their SQL: all of it is constant, so there are as many as the store has.
    var prepared: [String: Prepared] = [:]
    var namesGiven = 0
    /// The statement that begins a transaction, sent together with the first one inside it.
    var pendingBegin: String?
    var hasWarning = false
    /// Whether the connection can be used no longer.
    var isBroken = false
    /// Whether something was sent that may have taken effect although no answer came.
    var mayHaveCommitted = false

    /// Connects, for at most a few seconds a host.
    ///
    /// - Parameter name: what the server's administrator sees in `pg_stat_activity`.
    init(to address: String, name: String, patience: Patience) throws {
        self.patience = patience
        // What stands before the address is a default that it may overrule; what stands behind it overrules it.
        let settings = [
            ("connect_timeout", "2"), ("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "5000"),
            // Reads that are remembered must come from the primary.
            ("target_session_attrs", "read-write"), ("dbname", address), ("application_name", name),
            ("client_encoding", "UTF8"),
        ]
        let keywords = settings.map { strdup($0.0) }
        let values = settings.map { strdup($0.1) }
        defer { for text in keywords + values { free(text) } }
        let connection = PQconnectdbParams(
            keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
        guard let connection else { throw PostgresFailure(state: nil, message: "out of memory") }
        pointer = connection
        guard PQstatus(pointer) == CONNECTION_OK else {
            // What is half made is finished in deinit.
            throw Self.connectFailure(pointer)
        }
        try requireServer()
        PQsetnonblocking(pointer, 1)
        PQsetNoticeReceiver(
            pointer,
            { context, result in
                // The connection outlives the receiver: it is finished in deinit, and nothing arrives after that.
                guard let context else { return }
                let severity = PQresultErrorField(result, Int32(UInt8(ascii: "V"))).map { String(cString: $0) }
                if severity == "WARNING" {
                    Unmanaged<PostgresConnection>.fromOpaque(context).takeUnretainedValue().hasWarning = true
                }
            }, Unmanaged.passUnretained(self).toOpaque())
        do {
            try setUp()
        } catch {
            isBroken = true
            if let failure = error as? PostgresFailure, PoolerCheck.isMixedUp(failure) {
                throw PoolerCheck.refusal(to: address)
            }
            throw error
        }
    }

    deinit { PQfinish(pointer) }

    /// Names the kind of failure, never libpq's whole message: that repeats parts of the connection string.
    private static func connectFailure(_ pointer: OpaquePointer) -> PostgresFailure {
        func message() -> String { PQerrorMessage(pointer).map { String(cString: $0) } ?? "" }
        if let problem = PostgresProblem(connecting: message()) {
            let isStandby = problem == .readOnly && parameter("in_hot_standby", of: pointer) == "on"
            return PostgresFailure(isStandby ? .standby : problem)
        }
        // The server speaks another language: with its SQLSTATE the message says the same in all of them.
        _ = PQsetErrorVerbosity(pointer, PQERRORS_SQLSTATE)
        PQreset(pointer)
        for word in message().split(whereSeparator: { $0 == " " || $0 == "\n" }) where word.count == 5 {
            if let problem = PostgresProblem(connectingState: String(word)) { return PostgresFailure(problem) }
        }
        return PostgresFailure(.closed)
    }

    private static func parameter(_ name: String, of pointer: OpaquePointer) -> String? {
        PQparameterStatus(pointer, name).map { String(cString: $0) }
    }

    /// Refuses a server that is too old or takes no writes, whatever the connection string lets through. Servers before
    /// 14 and poolers do not say whether they take writes; then the first write does.
    private func requireServer() throws {
        let version = PQserverVersion(pointer)
        // 0 where something in between does not say.
        guard version == 0 || version >= PostgresProblem.oldestVersion else {
            let version = Self.parameter("server_version", of: pointer) ?? "of an unknown version"
            throw PostgresFailure(.older(version: version))
        }
        if Self.parameter("in_hot_standby", of: pointer) == "on" { throw PostgresFailure(.standby) }
        if Self.parameter("default_transaction_read_only", of: pointer) == "on" { throw PostgresFailure(.readOnly) }
    }

    /// What every session relies on, whatever the database's or the role's defaults are.
    private func setUp() throws {
        let milliseconds = { (span: Duration) in PostgresValue.text("\(span.wholeMilliseconds)ms") }
        try execute(
            """
            SELECT set_config('lock_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false),
                   set_config('statement_timeout', $2, false), set_config('bytea_output', 'hex', false),
                   set_config('default_transaction_isolation', 'read committed', false),
                   set_config('synchronous_commit',
                       CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                            ELSE current_setting('synchronous_commit') END, false)
            """,
            [milliseconds(patience.lock), milliseconds(patience.roundTrip)])
        mayHaveCommitted = false
    }
}
