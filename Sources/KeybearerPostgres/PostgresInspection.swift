package import Keybearer
import KeybearerSQL

/// What `keybearer doctor` reports of a PostgreSQL server and its data.
package struct PostgresInspection: Sendable {
    /// A standby that is connected to the primary.
    package struct Standby: Sendable, Equatable {
        /// What it calls itself.
        package let name: String
        /// Whether a commit waits for it; nil when this role may not know.
        package let isSynchronous: Bool?
    }

    /// The server's version, such as `15.4`.
    package let version: String
    /// Whether this connection is encrypted.
    package let isEncrypted: Bool
    /// Whether commits reach the disk before they are answered: `fsync` and `full_page_writes`.
    package let survivesPowerCut: Bool
    /// The standbys.
    package let standbys: [Standby]
    /// How far the server's clock is ahead of this machine's.
    package let clockDifference: Duration
    /// What is wrong with the data: one sentence each.
    package let problems: [String]
}

extension PostgresEngine {
    /// Asks the server about itself and looks through the data.
    package func inspect(now: Timestamp) async throws -> PostgresInspection {
        try await pool.run(.read) { connection in
            let row = try connection.execute(
                """
                SELECT current_setting('server_version') AS version,
                       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS ssl,
                       current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean AS safe,
                       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
                """
            ).first
            guard let row else { throw KeybearerError.unreadable("pg_settings") }
            return PostgresInspection(
                version: try row.requiredText("version"), isEncrypted: try row.requiredFlag("ssl"),
                survivesPowerCut: try row.requiredFlag("safe"), standbys: try Self.standbys(connection),
                clockDifference: now.duration(to: try row.timestamp("now")),
                problems: try DataProblems.find(PostgresTransaction(connection: connection, clock: .caller)))
        }
    }

    private static func standbys(_ connection: PostgresConnection) throws -> [PostgresInspection.Standby] {
        try connection.execute("SELECT application_name, sync_state FROM pg_stat_replication").rows.map { row in
            PostgresInspection.Standby(
                name: row.text("application_name") ?? "a standby",
                isSynchronous: row.text("sync_state").map { ["sync", "quorum"].contains($0) })
        }
    }
}
