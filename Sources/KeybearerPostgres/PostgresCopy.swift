package import Keybearer
package import KeybearerSQL

/// Copies to and from another engine.
extension PostgresEngine {
    /// A copy reads and writes for as long as it takes.
    private static let copyPatience = PostgresConnection.Patience(roundTrip: .seconds(600), lock: .seconds(600))

    package func withCopyReader<Value>(_ body: (any SQLConnection) throws -> Value) throws -> Value {
        try withCopy(beginning: Self.beginSnapshot, body)
    }

    package func withCopyWriter<Value>(_ body: (any SQLConnection) throws -> Value) throws -> Value {
        try withCopy(beginning: "BEGIN") { copy in
            if createsSchemaInCopy, let connection = (copy as? PostgresTransaction)?.connection {
                try PostgresMove.lockCopies(connection)
                try PostgresSchema.create(connection, at: PostgresPlace(address))
            }
            return try body(copy)
        }
    }

    private func withCopy<Value>(
        beginning begin: String, _ body: (any SQLConnection) throws -> Value
    ) throws -> Value {
        try translatingErrors(at: PostgresPlace(address)) {
            let connection = try PostgresConnection(
                to: address, name: "keybearer transfer", patience: Self.copyPatience)
            return try connection.transaction(beginning: begin) { connection in
                (try body(PostgresTransaction(connection: connection, clock: clock)), [])
            }.0
        }
    }

    package func beginHistory(
        at position: ChangeLogPosition, _ time: Timestamp, _ connection: any SQLConnection
    ) throws {
        guard let connection = (connection as? PostgresTransaction)?.connection else { return }
        // Rows were added with their own numbers: the next ones go on behind them.
        try connection.execute(
            """
            SELECT setval(pg_get_serial_sequence('audit_events', 'sequence'), coalesce(max(sequence), 0) + 1, false)
            FROM audit_events
            """)
        try connection.execute("DELETE FROM changes")
        try connection.execute(
            "UPDATE fence_counter SET number = $1, mark = $2", [.number(position.number - 1), .text(position.nonce)])
        let number = Self.number(.everything, position.nonce, time)
        try connection.execute(number.sql, number.parameters)
    }

    package func newestNumber(_ connection: any SQLConnection) throws -> Int64 {
        guard let connection = (connection as? PostgresTransaction)?.connection else { return 0 }
        return try connection.execute(Self.newest.sql).first?.requiredNumber("number") ?? 0
    }
}
