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
    /// The names of prepared statements by their SQL: all of it is constant, so there are as many as this module has.
    var prepared: [String: String] = [:]
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
                throw PoolerCheck.refusal(cause: failure)
            }
            throw error
        }
    }

    deinit { PQfinish(pointer) }

    /// Names the kind of failure, never libpq's whole message: that repeats parts of the connection string.
    private static func connectFailure(_ pointer: OpaquePointer) -> PostgresFailure {
        let message = PQerrorMessage(pointer).map { String(cString: $0) } ?? ""
        let kinds = [
            ("password authentication failed", "the server refused the password"),
            ("no password supplied", "the server wants a password"),
            ("certificate", "the server's certificate was not accepted"),
            ("SSL", "TLS could not be agreed on"),
            ("does not exist", "there is no such database or role"),
            ("read-only", "no server that can be written to"),
            ("not translate host name", "the host's name is unknown"),
            ("Connection refused", "connection refused"),
            ("timeout", "no answer in time"),
            ("starting up", "the server is starting up"),
            ("too many", "the server has no connection left"),
            ("invalid", "the connection string is not accepted"),
        ]
        let kind = kinds.first { message.contains($0.0) }?.1 ?? "no connection"
        return PostgresFailure(state: nil, message: kind)
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
