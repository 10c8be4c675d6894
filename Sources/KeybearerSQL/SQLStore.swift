package import Keybearer
import Synchronization

/// The store over a relational database: every statement that both engines share is in this module, once.
///
/// Contract:
/// - Each method is one transaction with its audit row inside; it is on disk when the method answers. `UNAVAILABLE`
///   from a method that writes means unchanged or unknown.
/// - Whoever makes a change must still be allowed to in the transaction that commits it: see ``AuthorityCheck``.
/// - Cancelling the calling task does not interrupt a method.
/// - Every error is a ``KeybearerError``; its cause names the engine's code and words, never a value.
package final class SQLStore: Store {
    package let engine: any SQLEngine
    /// Whether the authority is looked at in the committing transaction. Off only in the test that proves that the walk
    /// of stolen credentials notices.
    private let checksAuthority: Bool
    /// Called between the decision about a request and the first statement of its transaction.
    private let testGate = Lock<(@Sendable (AuditEvent.Action) async -> Void)?>(nil)
    private let changed = Atomic<Bool>(false)

    package init(engine: any SQLEngine, checksAuthority: Bool = true) {
        self.engine = engine
        self.checksAuthority = checksAuthority
    }

    /// The same database behind a store that does not look at authorities: for the test that proves the check.
    package func withoutAuthorityCheck() -> SQLStore { SQLStore(engine: engine, checksAuthority: false) }

    /// Lets a test hold every write between the decision about its request and its transaction; nil lets all go on.
    package func holdWrites(_ gate: (@Sendable (AuditEvent.Action) async -> Void)?) {
        testGate.withLock { $0 = gate }
    }

    /// Whether anything was changed through this store that somebody asked for. A look that is audited is no change.
    package var hasChanged: Bool { changed.load(ordering: .acquiring) }

    package var executor: any TaskExecutor { engine.executor }
    package func checkReadiness() async throws { try await engine.checkReadiness() }
    /// Writes something that changes nothing, to the disk: throws when nothing can be written.
    package func checkWritable() async throws { try await engine.checkWritable() }
    package func close() throws { try engine.close() }
}

extension SQLStore {
    /// The one way to a numbered change: authority, body, audit row, number and commit in one transaction.
    ///
    /// - Parameters:
    ///   - subject: what nodes must no longer believe.
    ///   - authority: who asks. Its rows are locked first, together with `locks`, in the one order of ``RowLocks``.
    ///   - requirement: what it needs besides its credential.
    ///   - audit: written in the same transaction, just before the number.
    ///   - locks: rows that the body reads to decide, or will change.
    func change<Value: Sendable>(
        _ subject: Change.Subject, by authority: Authority, needs requirement: Requirement? = nil, audit: AuditEvent,
        locking locks: RowLocks = RowLocks(),
        _ body: @escaping @Sendable (any SQLConnection, LockedRows) throws -> Commit<Value>
    ) async throws -> Committed<Value> {
        try await change(Write(subject, locking: locks, body), by: authority, needs: requirement, audit: audit)
    }

    /// The same for a write that can also run beside others.
    func change<Value: Sendable>(
        _ write: Write<Value>, by authority: Authority, needs requirement: Requirement? = nil, audit: AuditEvent
    ) async throws -> Committed<Value> {
        let check = await check(authority, requirement, audit)
        let ((value, isChange), position) = try await engine.change(at: audit.at) { connection in
            let locked = try check.pass(connection, with: write.locks, at: check.now)
            let commit = try Self.recorded(try write.body(connection, locked), audit, locked)
            return (commit, (write.subject.map { [$0] } ?? []) + locked.others.take())
        }
        if isChange { changed.store(true, ordering: .releasing) }
        return Committed(value, at: position)
    }

    /// Holds a test's write; then says how its authority is looked at.
    func check(_ authority: Authority, _ requirement: Requirement?, _ audit: AuditEvent) async -> AuthorityCheck {
        let asked = SteadyTime.systemNow()
        await testGate.withLock { $0 }?(audit.action)
        return AuthorityCheck(
            authority: authority, requirement: requirement, action: audit.action, isOn: checksAuthority,
            begunAt: audit.at, asked: asked)
    }

    /// Notes that something was changed that somebody asked for.
    func noteChange() { changed.store(true, ordering: .releasing) }

    /// The one way to a write that no node has to hear of, with the same check and its audit row, where it has one.
    func write<Value: Sendable>(
        by authority: Authority, needs requirement: Requirement? = nil, audit: AuditEvent,
        locking locks: RowLocks = RowLocks(),
        _ body: @escaping @Sendable (any SQLConnection, LockedRows) throws -> Commit<Value>
    ) async throws -> Value {
        let check = await check(authority, requirement, audit)
        let (value, isChange) = try await engine.write(on: .requests) { connection in
            let locked = try check.pass(connection, with: locks, at: check.now)
            return try Self.recorded(try body(connection, locked), audit, locked)
        }
        if isChange, ![.keyRevealed, .keyTried].contains(audit.action) { changed.store(true, ordering: .releasing) }
        return value
    }

    /// What a body leaves to be committed with its audit row, and whether that is anything.
    private static func recorded<Value: Sendable>(
        _ commit: Commit<Value>, _ audit: AuditEvent, _ locked: LockedRows
    ) throws -> Commit<(Value, Bool)> {
        switch commit {
        case .changes(let value, let last):
            .changes((value, true), with: last + records(locked.complete(audit), locked))
        case .nothing(let value): .nothing((value, false))
        }
    }

    /// One short SELECT.
    func shortRead<Value: Sendable>(
        on lane: SQLLane = .requests, _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await engine.shortRead(on: lane, body)
    }

    /// A write of Keybearer's own bookkeeping: nobody asked for it, and it is in no audit log.
    @discardableResult
    func maintain<Value: Sendable>(
        on lane: SQLLane = .requests, _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await engine.write(on: lane) { .changes(try body($0), with: []) }
    }
}

/// What a transaction does: which rows it locks, what it does under the locks, and what nodes must no longer believe
/// afterwards. Who may ask for it is looked at by whoever runs it.
struct Write<Value: Sendable>: Sendable {
    /// Nil where no node has to hear of it.
    let subject: Change.Subject?
    /// Rows that the body reads to decide, or will change.
    let locks: RowLocks
    let body: @Sendable (any SQLConnection, LockedRows) throws -> Commit<Value>

    init(
        _ subject: Change.Subject?, locking locks: RowLocks = RowLocks(),
        _ body: @escaping @Sendable (any SQLConnection, LockedRows) throws -> Commit<Value>
    ) {
        self.subject = subject
        self.locks = locks
        self.body = body
    }
}
