import KeybearerSQL
import KeybearerSQLite
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// A ``StoreOutage``: what the log says of it, and how the node registers again.
@Suite struct StoreOutageTests {
    private let directory: TemporaryDirectory
    private let clock = TestClock()
    private let samples = Samples(seed: 51)
    private let store: SQLStore
    private let broken: BreakableFenceStore
    private let log = LogRecorder()
    private let fence: RevocationFence

    init() throws {
        directory = try TemporaryDirectory()
        store = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
        broken = BreakableFenceStore(store)
        var logger = Logger(label: "test") { [log] _ in log }
        logger.logLevel = .notice
        fence = RevocationFence(
            store: broken, cache: KeyCache(capacity: 10, rejectedCapacity: 10, random: samples.random),
            clocks: clock.clocks, random: samples.random, lease: .seconds(2), logger: logger, onEverything: {})
    }

    /// The node's own answer to changes; the first step of a change elsewhere may find nothing yet.
    private func followUntilApplied(_ change: Committed<Void>) async {
        let waiter = CommandPropagation(store: store, clocks: clock.clocks, longestLease: .seconds(2))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await waiter.waitUntilApplied(change) }
            group.addTask {
                while !Task.isCancelled {
                    await fence.step()
                    await Task.yield()
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    @Test("One line when it is out of reach for longer than a lease, and one when it is back")
    func lines() async throws {
        await fence.step()
        #expect(fence.holdsLease(at: clock.clocks.steady()))
        broken.fails = .everything
        await fence.step()
        #expect(log.lines.isEmpty, "a failure under a lease hurts nobody")
        for _ in 0..<50 {
            clock.advance(by: .milliseconds(250))
            await fence.step()
        }
        #expect(!fence.holdsLease(at: clock.clocks.steady()))
        #expect(fence.lastFailure != nil)
        broken.fails = .nothing
        for _ in 0..<3 { await fence.step() }
        #expect(fence.holdsLease(at: clock.clocks.steady()))
        #expect(log.lines.map(\.level) == [.warning, .notice])
        #expect(log.lines.first?.text.contains("out of reach") == true)
        #expect(log.lines.first?.text.contains("the cause for the operator") == true)
        #expect(log.lines.last?.text.contains("outOfReachFor=12.5 s") == true)
        // Short of a lease: no line.
        broken.fails = .everything
        clock.advance(by: .milliseconds(500))
        await fence.step()
        broken.fails = .nothing
        await fence.step()
        #expect(log.lines.count == 2)
    }

    @Test(
        "After an outage the node is registered once, and the next change does not wait for its old registration",
        .timeLimit(.minutes(1)),
        arguments: [
            BreakableFenceStore.Failure.everything, .unregistering, .outcomesOfRegistering, .outcomesOfUnregistering,
        ])
    func noGhost(failure: BreakableFenceStore.Failure) async throws {
        await fence.step()
        let first = try await store.nodes()
        #expect(first.count == 1)
        broken.fails = .everything
        clock.advance(by: .seconds(3))
        for _ in 0..<3 { await fence.step() }
        broken.fails = failure
        for _ in 0..<3 { await fence.step() }
        broken.fails = .nothing
        for _ in 0..<3 { await fence.step() }
        let nodes = try await store.nodes()
        #expect(nodes.count == 1)
        #expect(nodes.first?.id != first.first?.id)
        // The clock stands still: a wait for a lease would never end.
        let change = try await store.recordChange(
            of: .everything, by: .commandLine, audit: samples.event(.masterKeysChanged))
        await followUntilApplied(change)
        await fence.stop()
        #expect(try await store.nodes().isEmpty)
    }
}

/// A fence's store that can be brought to fail in parts.
final class BreakableFenceStore: FenceStore {
    enum Failure: Sendable {
        case nothing
        case everything
        case unregistering
        /// It is done, and the answer is lost.
        case outcomesOfRegistering
        case outcomesOfUnregistering
    }

    private let store: any FenceStore
    private let failure = Lock(Failure.nothing)
    private static let error = KeybearerError.unavailable(
        cause: StoreFailure(.unreachable, "cannot connect to", "somewhere", "the cause for the operator", advice: "-"))

    init(_ store: any FenceStore) { self.store = store }

    var fails: Failure {
        get { failure.withLock { $0 } }
        set { failure.withLock { $0 = newValue } }
    }

    private func check(_ failures: Failure...) throws {
        if failures.contains(fails) { throw Self.error }
    }

    func registerNode(_ id: NodeID, label: String, version: String, lease: Duration) async throws -> ChangeLogPosition {
        try check(.everything)
        let position = try await store.registerNode(id, label: label, version: version, lease: lease)
        try check(.outcomesOfRegistering)
        return position
    }

    func unregisterNode(_ id: NodeID) async throws {
        try check(.everything, .unregistering)
        try await store.unregisterNode(id)
        try check(.outcomesOfUnregistering)
    }

    func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal {
        try check(.everything)
        return try await store.renewLease(of: id, applied: applied)
    }

    func recordChange(
        of subject: Change.Subject, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        try await store.recordChange(of: subject, by: authority, audit: audit)
    }

    func changes(after position: ChangeLogPosition, limit: Int) async throws -> [Change]? {
        try check(.everything)
        return try await store.changes(after: position, limit: limit)
    }

    func nodes(behind number: Int64) async throws -> [(id: NodeID, lease: Duration)] {
        try await store.nodes(behind: number)
    }
    func expelNodes(_ ids: [NodeID], behind number: Int64) async throws {
        try await store.expelNodes(ids, behind: number)
    }
    func nodes() async throws -> [RegisteredNode] { try await store.nodes() }
}
