import CLibPQ
import Keybearer
import KeybearerSQL

/// Tells whether a pooler such as PgBouncer stands between, and refuses one that gives each transaction another
/// session.
///
/// There, settings and locks of a session do not last: time-outs, durability and notifications would be those of
/// somebody else's session.
package enum PoolerCheck {
    /// What stands between this process and the server.
    package enum Outcome: Sendable {
        /// Nothing.
        case direct
        /// A pooler that keeps one session for each connection.
        case sessionPooler
    }

    /// - Parameter connection: a connection to the address, outside of a transaction.
    /// - Throws: `UNAVAILABLE` when sessions do not last, or there is no second one. What else fails is thrown as it
    ///   is.
    static func run(_ connection: PostgresConnection, to address: String) throws -> Outcome {
        let before = try backend(connection)
        // A pooler makes up what it says when a connection begins.
        if before == Int64(PQbackendPID(connection.pointer)) { return .direct }
        do {
            let nonce = String(decoding: RandomSource.system.base62(count: 22), as: UTF8.self)
            try connection.execute("SELECT set_config($1, $2, false)", [.text(setting), .text(nonce)])
            let other = try second(to: address)
            // It takes the session that is free, if there is one.
            let isSame = try other.transaction { other in
                try backend(other)
                let row = try connection.execute("SELECT current_setting($1, true) AS mark", [.text(setting)]).first
                return (row?.text("mark") == nonce, [])
            }.0
            let after = try backend(connection)
            guard isSame, after == before else { throw refusal(to: address) }
            return .sessionPooler
        } catch let failure as PostgresFailure where isMixedUp(failure) || refusesTransactions(failure) {
            throw refusal(to: address)
        }
    }

    private static let setting = "keybearer.session"
    private static let patience = PostgresConnection.Patience(roundTrip: .seconds(3), lock: .seconds(1))

    /// A second connection. A pooler with one session lets it wait until the first one ends.
    private static func second(to address: String) throws -> PostgresConnection {
        do {
            return try PostgresConnection(to: address, name: "keybearer check", patience: patience)
        } catch let failure as PostgresFailure where failure.isTimeOut {
            throw StoreFailure(
                .pooler, "cannot use", PostgresPlace(address).address,
                "the pooler before it gave no second session in \(patience.roundTrip.wholeMilliseconds / 1_000) s",
                advice: "A pooler in session mode needs a pool size of at least 2: raise pool_size or "
                    + "default_pool_size, or connect to the server itself.")
        }
    }

    @discardableResult
    private static func backend(_ connection: PostgresConnection) throws -> Int64 {
        let row = try connection.execute("SELECT pg_backend_pid() AS pid").first
        guard let row else { throw KeybearerError.unreadable("pg_backend_pid") }
        return try row.requiredNumber("pid")
    }

    /// What a statement fails with whose name another client of the same session has given or taken away.
    static func isMixedUp(_ failure: PostgresFailure) -> Bool {
        ["42P05", "26000"].contains(failure.state)
    }

    /// What a pooler in statement mode answers to BEGIN.
    private static func refusesTransactions(_ failure: PostgresFailure) -> Bool {
        failure.state == "08P01" && failure.message.contains("statement pooling")
    }

    static func refusal(to address: String) -> StoreFailure {
        StoreFailure(
            .pooler, "cannot use", PostgresPlace(address).address,
            "a pooler in transaction or statement mode stands before it, and sessions do not last there",
            advice: "Set it to session mode (pool_mode = session), or connect to the server itself.")
    }
}
