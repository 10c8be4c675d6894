import Keybearer

/// Why PostgreSQL cannot be used: what it comes to, from libpq's words or from an SQLSTATE.
enum PostgresProblem: Sendable, Equatable {
    case unknownHost
    case refused
    case noSocket
    case noRoute
    case noResponse
    case startingUp
    case tooManyConnections
    case wrongPassword
    case noPassword
    case noRule
    case untrustedCertificate
    case noTLS
    case noDatabase
    case noRole
    case noLogin
    case mayNotConnect
    case readOnly
    case standby
    case older(version: String)
    case badAddress
    case closed
    /// A statement failed: the server's words, which name tables and roles.
    case statement(StoreFailure.Kind, String, advice: String)

    /// The oldest version that Keybearer works with, as `server_version_num` has it.
    static let oldestVersion: Int32 = 12_00_00

    /// What is in libpq's words or the server's, most telling first. The server may speak another language; then it is
    /// asked for its SQLSTATE.
    private static let words: [(String, PostgresProblem)] = [
        ("password authentication failed", .wrongPassword), ("no password supplied", .noPassword),
        ("SSL connection has been closed", .closed),
        ("pg_hba.conf", .noRule), ("not permitted to log in", .noLogin), ("server does not support SSL", .noTLS),
        ("certificate", .untrustedCertificate), ("starting up", .startingUp), ("shutting down", .startingUp),
        ("not yet accepting connections", .startingUp), ("in recovery mode", .startingUp),
        ("permission denied for database", .mayNotConnect), ("hot standby", .standby), ("read-only", .readOnly),
        ("could not translate host name", .unknownHost), ("Connection refused", .refused),
        ("No such file or directory", .noSocket), ("No route to host", .noRoute), ("unreachable", .noRoute),
        ("timeout expired", .noResponse), ("timed out", .noResponse), ("too many", .tooManyConnections),
        ("remaining connection slots", .tooManyConnections), ("SSL", .noTLS), ("invalid ", .badAddress),
        ("server closed the connection", .closed),
    ]

    /// Reads libpq's message of a connection that was not made; nil when it says nothing that is known.
    init?(connecting message: String) {
        if message.contains("does not exist"), message.contains("FATAL") {
            // Names may hold anything, so the words around them decide.
            self = message.contains("FATAL:  role") ? .noRole : .noDatabase
            return
        }
        guard let found = Self.words.first(where: { message.contains($0.0) }) else { return nil }
        self = found.1
    }

    /// Reads the SQLSTATE of a connection that was not made.
    init?(connectingState state: String) {
        switch state {
        case "28P01": self = .wrongPassword
        case "28000": self = .noRule
        case "3D000": self = .noDatabase
        case "42501": self = .mayNotConnect
        case "53300": self = .tooManyConnections
        case "57P01", "57P02", "57P03": self = .startingUp
        default: return nil
        }
    }

    /// Reads the SQLSTATE of a statement.
    init(state: String, message: String) {
        switch state {
        case "25006": self = .readOnly
        case "53100":
            self = .statement(.diskFull, "its disk is full", advice: "Free space on the server's disk.")
        case "53300": self = .tooManyConnections
        case "57P01", "57P02", "57P03": self = .startingUp
        case "42501", "3F000":
            self = .statement(
                .noPermission, message,
                advice: "Let the role own the database, or the schema that its search_path names first.")
        case "42P01", "42703":
            self = .statement(
                .missingTable, message,
                advice: "Somebody changed the schema, or search_path leads elsewhere: restore a backup, or correct it.")
        case "55P03", "57014", "40001", "40P01":
            self = .statement(
                .busy, "another transaction holds a lock for too long",
                advice: "Look in pg_stat_activity for transactions that stay open, and try again.")
        case "58030", "53200":
            self = .statement(.diskError, message, advice: "Look in the server's log.")
        default:
            let isDamage = state.hasPrefix("XX00")
            // Gone, resources, intervention, system, rolled back, idle for too long.
            let isOutage =
                ["08", "53", "57", "58", "40"].contains(String(state.prefix(2))) || ["25P03", "25P04"].contains(state)
            self =
                isDamage
                ? .statement(.damaged, message, advice: "Stop the servers and restore the last sound backup.")
                : .statement(
                    isOutage ? .unreachable : .unknown, message, advice: "Look in the server's log for \(state).")
        }
    }

    /// The failure in words, with the names that the connection string gives.
    func failure(_ attempt: String, at place: PostgresPlace, code: String? = nil) -> StoreFailure {
        let described = described(of: place)
        return StoreFailure(
            described.kind, attempt, place.address, described.problem, advice: described.advice, code: code)
    }

    private func described(of place: PostgresPlace) -> (kind: StoreFailure.Kind, problem: String, advice: String) {
        // Where a part may be a piece of a password, none is named.
        let user = place.isKnown ? "\"\(place.user)\"" : "that the setting names"
        let database = place.isKnown ? "\"\(place.database)\"" : "that the setting names"
        switch self {
        case .unknownHost:
            return (
                .unreachable, "the host's name is unknown",
                "Check the host in the setting database, and this machine's DNS."
            )
        case .refused:
            return (
                .unreachable, "connection refused",
                "Check that PostgreSQL runs, and host and port in the setting database."
            )
        case .noSocket:
            return (
                .unreachable, "there is no socket of PostgreSQL",
                "Check that PostgreSQL runs on this machine, or name a host in the setting database."
            )
        case .noRoute:
            return (
                .unreachable, "there is no route to the host",
                "Check the host in the setting database, and the network."
            )
        case .noResponse:
            return (
                .unreachable, "no answer in time",
                "Check host and port in the setting database, and that no firewall is in between."
            )
        case .closed:
            return (
                .unreachable, "the connection was closed before anything was answered",
                "Check that a PostgreSQL listens there, and look in its log."
            )
        case .startingUp:
            return (.startingUp, "the server is starting up or shutting down", "Try again when it is up.")
        case .tooManyConnections:
            return (
                .tooManyConnections, "the server has no connection left",
                "Lower the setting database-connections, or raise max_connections on the server."
            )
        default: return accessProblem(user: user, database: database)
        }
    }

    private func accessProblem(
        user: String, database: String
    ) -> (kind: StoreFailure.Kind, problem: String, advice: String) {
        switch self {
        case .wrongPassword:
            return (
                .authentication, "password authentication failed for user \(user)",
                "Check PGPASSFILE or the password in the setting database."
            )
        case .noPassword:
            return (
                .authentication, "the server wants a password for user \(user) and none was given",
                "Put it into the file that PGPASSFILE names, or into the setting database."
            )
        case .noRule:
            return (
                .authentication,
                "the server does not admit user \(user) to database \(database) from this machine",
                "Check pg_hba.conf on the server: rules for this address, and whether they want TLS (sslmode)."
            )
        case .untrustedCertificate:
            return (
                .tls, "the server's certificate was not accepted",
                "Check sslrootcert, sslmode and the host's name in the setting database."
            )
        case .noTLS:
            return (
                .tls, "the server does not speak TLS as sslmode wants",
                "Switch TLS on at the server (ssl = on), or change sslmode in the setting database."
            )
        case .noDatabase:
            return (
                .noDatabase, "there is no database \(database)",
                "Make it with createdb, or correct its name in the setting database."
            )
        case .noRole:
            return (
                .noRole, "there is no role \(user)",
                "Make it with createuser, or correct the user in the setting database."
            )
        case .noLogin:
            return (.noRole, "the role \(user) may not log in", "ALTER ROLE … LOGIN, or name another user.")
        case .mayNotConnect:
            return (
                .noPermission, "the role \(user) may not connect to database \(database)",
                "GRANT CONNECT ON DATABASE … TO the role, or name another user."
            )
        default: return serverProblem
        }
    }

    private var serverProblem: (kind: StoreFailure.Kind, problem: String, advice: String) {
        switch self {
        case .readOnly:
            return (
                .readOnly, "it takes no writes: it is a standby, or its transactions are read-only by default",
                "Name the primary in the setting database, or reset default_transaction_read_only."
            )
        case .standby:
            return (
                .replica, "the server is a standby, which takes no writes",
                "Name the primary in the setting database, or all servers with target_session_attrs=read-write."
            )
        case .older(let version):
            return (
                .olderServer, "the server is PostgreSQL \(version)",
                "Keybearer works with PostgreSQL \(Self.oldestVersion / 10_000) or later: upgrade the server."
            )
        case .statement(let kind, let words, let advice): return (kind, words, advice)
        default:
            return (
                .badAddress, "the connection string is not understood",
                "Write postgres://user@host/database, and '@', '/', ':' and '%' in a password as %40, %2F, %3A and %25."
            )
        }
    }
}
