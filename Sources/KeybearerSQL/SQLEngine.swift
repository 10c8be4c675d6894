package import Keybearer

/// What a database does for ``SQLStore``: a few verbs, and what the two engines must do differently.
///
/// Bodies run synchronously on a thread of the engine's own, which they may block. They are pure: a body whose
/// transaction failed before its commit was sent may run again on another connection. Once a commit was sent, nothing
/// is tried again.
package protocol SQLEngine: RateLimitStore {
    /// Runs statements that change nothing and that see one state of the database.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value

    /// Runs one short SELECT on a connection that nothing slow holds up.
    func shortRead<Value: Sendable>(
        on lane: SQLLane, _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value

    /// Runs one transaction that no node has to hear of. What the body throws takes it back.
    func write<Value: Sendable>(
        on lane: SQLLane, _ body: @escaping @Sendable (any SQLConnection) throws -> Commit<Value>
    ) async throws -> Value

    /// Runs one transaction whose last statement takes a number in the change log for each subject, together with the
    /// commit.
    ///
    /// - Parameters:
    ///   - time: when it happened, for people.
    ///   - body: returns, besides what it leaves to be committed, what nodes must no longer believe.
    /// - Returns: what the body committed, and the position of its last change; where it took no number, the newest
    ///   position.
    func change<Value: Sendable>(
        at time: Timestamp,
        _ body: @escaping @Sendable (any SQLConnection) throws -> (commit: Commit<Value>, subjects: [Change.Subject])
    ) async throws -> (value: Value, position: ChangeLogPosition)

    /// Finds audit rows that have no position yet and that are settled: no transaction that still runs was begun before
    /// theirs has ended. In the order in which they were written. Its parameter is how many.
    var settledAuditRows: SQL { get }

    /// Copies whole tables in one snapshot of this database. Blocks.
    func withCopyReader<Value>(_ body: (any SQLConnection) throws -> Value) throws -> Value
    /// Fills whole tables in one transaction, committed when the body returns. Blocks.
    func withCopyWriter<Value>(_ body: (any SQLConnection) throws -> Value) throws -> Value
    /// Makes one change of everything the only one that there is, and moves on what counts rows. Within a copy.
    func beginHistory(at position: ChangeLogPosition, _ time: Timestamp, _ connection: any SQLConnection) throws
    /// The number of the newest change. Within a copy.
    func newestNumber(_ connection: any SQLConnection) throws -> Int64

    /// See ``Keybearer/FenceStore``: the counter of changes is the engine's own.
    func registerNode(_ id: NodeID, label: String, version: String, lease: Duration) async throws -> ChangeLogPosition
    func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal
    func changes(after position: ChangeLogPosition, limit: Int) async throws -> [Change]?
    func waitForNotification(atMost span: Duration) async

    /// Who is told what the engine does.
    var observation: StoreObservation { get }
    /// How its connections stand; nil where none is waited for.
    var connections: StoreConnections? { get }
    /// Where tasks are best begun that mostly make short reads.
    var executor: any TaskExecutor { get }
    /// Throws when the database cannot be written to, or is not the one that was opened.
    func checkReadiness() async throws
    /// Writes something that changes nothing, to the disk.
    func checkWritable() async throws
    func close() throws
}

/// Whose work it is, where an engine keeps connections apart.
package enum SQLLane: Sendable {
    /// Of requests and commands.
    case requests
    /// Of the revocation fence: it must never queue behind slow work.
    case fence
}

/// What a body leaves to be committed.
package enum Commit<Value: Sendable>: Sendable {
    /// Commits, with the last statements in the same round trip: no pause of this process can hold their locks.
    case changes(Value, with: [SQLStatement])
    /// There is nothing to change: whatever was locked is released, and no number is taken.
    case nothing(Value)
}

/// A connection within a read or a transaction. It belongs to the body that it was handed to.
package protocol SQLConnection {
    /// Runs one statement and returns its rows.
    func rows(_ sql: SQL, _ parameters: [SQLValue]) throws -> [any StoredRow]

    /// Runs one statement, then reads the time as ``now(_:)`` does, in one round trip.
    func rowsAndTime(
        _ sql: SQL, _ parameters: [SQLValue], caller: Timestamp
    ) throws -> (rows: [any StoredRow], now: Timestamp)

    /// Runs one statement and returns how many rows it touched.
    @discardableResult
    func execute(_ sql: SQL, _ parameters: [SQLValue]) throws -> Int

    /// Runs one statement for many sets of parameters, in order, in one round trip.
    ///
    /// - Returns: how many rows each touched.
    @discardableResult
    func executeMany(_ sql: SQL, _ parameters: [[SQLValue]]) throws -> [Int]

    /// Reads rows and, where the engine has row locks, holds them until the transaction ends. In one round trip, in
    /// this order. A row that another transaction was changing is returned as it became.
    ///
    /// - Parameter readsTime: whether the database's own time is read with them, when all are held.
    /// - Returns: the rows of each statement; and the time, where it was asked for and the database has a clock.
    func lock(
        _ rows: [(SQLStatement, LockMode)], readsTime: Bool
    ) throws -> (rows: [[any StoredRow]], time: Timestamp?)

    /// Runs a part of a transaction that can fail alone: what it did is taken back, and the rest goes on.
    ///
    /// - Returns: the failure, where a rule of the domain or of the schema refused it.
    /// - Throws: what ends the whole transaction, such as a lost connection.
    func attempt<Value>(_ body: () throws -> Value) throws -> Result<Value, KeybearerError>

    /// Adds many rows to one table.
    func insertMany(_ rows: [[SQLValue]], into table: CopiedTable) throws

    /// The time of the clock that stamps and judges sessions and other expiries: the database's own where it has one.
    ///
    /// - Parameter caller: this process's clock, for an engine that shares its machine.
    func now(_ caller: Timestamp) throws -> Timestamp
}

/// How a row is held.
package enum LockMode: Int, Sendable, Comparable {
    /// It will be updated, and rows that somebody else holds are left out: `FOR NO KEY UPDATE SKIP LOCKED`. For work that
    /// anybody may do.
    case updateOrSkip
    /// It is only looked at: `FOR SHARE`.
    case share
    /// It will be updated, in no column that identifies it: `FOR NO KEY UPDATE`.
    case update
    /// It will be deleted, or updated in a column that identifies it: `FOR UPDATE`.
    case replace

    package static func < (left: LockMode, right: LockMode) -> Bool { left.rawValue < right.rawValue }
}

extension SQLConnection {
    /// Runs one statement and returns its first row.
    package func first(_ sql: SQL, _ parameters: [SQLValue] = []) throws -> (any StoredRow)? {
        try rows(sql, parameters).first
    }

    /// Reads and locks rows.
    @discardableResult
    package func lock(_ rows: [(SQLStatement, LockMode)]) throws -> [[any StoredRow]] {
        try lock(rows, readsTime: false).rows
    }

    package func rows(_ sql: SQL) throws -> [any StoredRow] { try rows(sql, []) }

    @discardableResult
    package func execute(_ sql: SQL) throws -> Int { try execute(sql, []) }

    /// Runs a statement behind everything else of the transaction.
    package func execute(_ statement: SQLStatement) throws { try execute(statement.sql, statement.parameters) }
}
