import GRDB
package import Keybearer
package import KeybearerSQL

/// Transactions on the file, and how an error of one is translated.
extension SQLiteEngine {
    /// Runs one write transaction (`BEGIN IMMEDIATE`) on the writer's own queue.
    func writeRaw<Result: Sendable>(_ body: @escaping @Sendable (Database) throws -> Result) async throws -> Result {
        try watch.checkPath()
        return try await awaitResult(.write) { continuation in
            // Rows are counted within the transaction: behind one that failed, the store may have been closed.
            pool.asyncWrite({ db in (try body(db), db.totalChangesCount) }) { [checkpointer] _, written in
                continuation.resume(with: written.map(\.0))
                if case .success((_, let changedRows)) = written { checkpointer?.recordWrite(changedRows: changedRows) }
            }
        }
    }

    /// Runs one read transaction on a reader of the pool.
    func readRaw<Result: Sendable>(_ body: @escaping @Sendable (Database) throws -> Result) async throws -> Result {
        try watch.requireSame()
        return try await awaitResult(.read) { continuation in
            pool.asyncRead { database in
                continuation.resume(with: Swift.Result { try body(database.get()) })
            }
        }
    }

    /// Runs one short SELECT on the calling thread: to wake another would cost more than the SELECT. One statement sees
    /// one state without a transaction around it.
    ///
    /// In a server the domain calls what uses this on a thread that may be blocked, and never on the cooperative
    /// pool's.
    func readShort<Result>(_ body: (Database) throws -> Result) throws -> Result {
        try watch.requireSame()
        let begun = ContinuousClock.now
        let result = Swift.Result { try translatingErrors(at: path) { try shortReader.unsafeRead(body) } }
        var failure: StoreFailure.Kind?
        if case .failure(let error) = result { failure = StoreObservation.failure(error) }
        observation.report(StoreWork(.read, duration: .now - begun, failure: failure))
        return try result.get()
    }

    /// GRDB's own `async` methods interrupt SQLite when the task is cancelled; its callbacks do not.
    private func awaitResult<Result: Sendable>(
        _ kind: StoreWork.Kind, _ start: (CheckedContinuation<Result, any Error>) -> Void
    ) async throws -> Result {
        try await observation.observing(kind) {
            do {
                return try await withCheckedThrowingContinuation(start)
            } catch {
                throw KeybearerError(sqlite: error, at: path)
            }
        }
    }
}

extension SQLiteEngine {
    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await readRaw { try body(SQLiteConnection(db: $0)) }
    }

    package func shortRead<Value: Sendable>(
        on lane: SQLLane, _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value {
        // Whoever is on this thread already stays there: to wake another would cost more than the SELECT.
        try await withTaskExecutorPreference(thread) { try readShort { try body(SQLiteConnection(db: $0)) } }
    }

    package func write<Value: Sendable>(
        on lane: SQLLane, _ body: @escaping @Sendable (any SQLConnection) throws -> Commit<Value>
    ) async throws -> Value {
        try await writeRaw { db in
            let connection = SQLiteConnection(db: db)
            switch try body(connection) {
            case .changes(let value, let last):
                for statement in last { try connection.execute(statement) }
                return value
            case .nothing(let value): return value
            }
        }
    }

    package func change<Value: Sendable>(
        at time: Timestamp,
        _ body: @escaping @Sendable (any SQLConnection) throws -> (commit: Commit<Value>, subjects: [Change.Subject])
    ) async throws -> (value: Value, position: ChangeLogPosition) {
        try await writeRaw { [self] db in
            let connection = SQLiteConnection(db: db)
            let (commit, subjects) = try body(connection)
            switch commit {
            case .changes(let value, let last):
                for statement in last { try connection.execute(statement) }
                for subject in subjects { try Self.append(subject, at: nextPosition(db), time, db) }
                return (value, try Self.newestPosition(db))
            case .nothing(let value): return (value, try Self.newestPosition(db))
            }
        }
    }

    /// There is one writer at a time: what is committed is settled.
    package var settledAuditRows: KeybearerSQL.SQL { Self.settledRows }

    private static let settledRows = SQL(
        "\(AuditColumns.select) WHERE position IS NULL ORDER BY sequence LIMIT $1")

    package func withCopyReader<Value>(_ body: (any SQLConnection) throws -> Value) throws -> Value {
        try translatingErrors(at: path) { try pool.read { try body(SQLiteConnection(db: $0)) } }
    }

    package func withCopyWriter<Value>(_ body: (any SQLConnection) throws -> Value) throws -> Value {
        try translatingErrors(at: path) { try pool.write { try body(SQLiteConnection(db: $0)) } }
    }

    package func beginHistory(
        at position: ChangeLogPosition, _ time: Timestamp, _ connection: any SQLConnection
    ) throws {
        guard let connection = connection as? SQLiteConnection else { return }
        try connection.db.execute(sql: "DELETE FROM changes")
        try Self.append(.everything, at: position, time, connection.db)
    }

    package func newestNumber(_ connection: any SQLConnection) throws -> Int64 {
        guard let connection = connection as? SQLiteConnection else { return 0 }
        return try Self.newestPosition(connection.db).number
    }
}

extension Database {
    /// Runs a statement that stays compiled for the next time: to compile one costs more than to run it.
    func executeCached(sql: String, arguments: StatementArguments = StatementArguments()) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
