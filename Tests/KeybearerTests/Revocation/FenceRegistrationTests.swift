import KeybearerSQL
import KeybearerSQLite
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// The ``FenceRegistration`` of a node, and what happens meanwhile.
@Suite(.timeLimit(.minutes(1)))
struct FenceRegistrationTests {
    private let directory: TemporaryDirectory
    private let clock = TestClock()
    private let samples = Samples(seed: 52)
    private let store: SQLStore
    private let held: HeldFenceStore
    private let fence: RevocationFence

    init() throws {
        directory = try TemporaryDirectory()
        store = try SQLiteStore.openStore(path: directory.file("keybearer.db"), role: .server)
        held = HeldFenceStore(store)
        fence = RevocationFence(
            store: held, cache: KeyCache(capacity: 10, rejectedCapacity: 10, random: samples.random),
            clocks: clock.clocks, random: samples.random, lease: .seconds(2),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onEverything: {})
    }

    /// Does something while a step waits for its registration, and returns when the step is over.
    private func whileRegistering(
        heldAt moment: HeldFenceStore.Moment, _ body: () async throws -> Void
    ) async throws {
        held.hold(at: moment)
        async let step: Void = fence.step()
        await held.waitForRegistration()
        do { try await body() } catch {
            held.release()
            throw error
        }
        held.release()
        await step
    }

    @Test("Who stops meanwhile leaves no registration behind", arguments: HeldFenceStore.Moment.allCases)
    func stop(moment: HeldFenceStore.Moment) async throws {
        let fence = fence
        var stop: Task<Void, Never>?
        try await whileRegistering(heldAt: moment) {
            stop = Task { await fence.stop() }
            while !fence.isOver { await Task.yield() }
        }
        await stop?.value
        #expect(try await store.nodes().isEmpty)
        #expect(!fence.holdsLease(at: clock.clocks.steady()))
    }

    @Test("Who loses the database meanwhile gets no lease, and none later")
    func loss() async throws {
        let loss = DatabaseLost(reason: "database_replaced", message: "It was replaced.")
        try await whileRegistering(heldAt: .afterwards) { fence.giveUp(loss) }
        #expect(!fence.holdsLease(at: clock.clocks.steady()))
        #expect(((fence.lastFailure as? KeybearerError)?.cause as? DatabaseLost)?.reason == loss.reason)
        await fence.step()
        #expect(!fence.holdsLease(at: clock.clocks.steady()))
        #expect(held.registrations == 1)
        #expect(try await store.nodes().isEmpty)
    }

    @Test("A change that meets another history leaves registering to the step: it is done once, and its row stays")
    func anotherHistory() async throws {
        await fence.step()
        let change = try await store.recordChange(
            of: .everything, by: .commandLine, audit: samples.event(.masterKeysChanged))
        held.hasAnotherHistory = true
        try await whileRegistering(heldAt: .afterwards) {
            await fence.waitUntilApplied(change)
            #expect(!fence.holdsLease(at: clock.clocks.steady()))
        }
        held.hasAnotherHistory = false
        #expect(held.registrations == 2)
        #expect(fence.holdsLease(at: clock.clocks.steady()))
        #expect(try await store.nodes().map(\.id) == [fence.nodeID])
    }
}

/// A fence's store whose registrations wait until a test lets them go.
final class HeldFenceStore: FenceStore {
    enum Moment: CaseIterable {
        /// Before the row is there.
        case before
        /// When it is there, and the answer is not.
        case afterwards
    }

    private struct State {
        var heldMoment: Moment?
        var held: CheckedContinuation<Void, Never>?
        var watcher: CheckedContinuation<Void, Never>?
        var registrations = 0
        var hasAnotherHistory = false
    }

    private let store: any FenceStore
    private let state = Lock(State())

    init(_ store: any FenceStore) { self.store = store }

    var registrations: Int { state.withLock { $0.registrations } }

    var hasAnotherHistory: Bool {
        get { state.withLock { $0.hasAnotherHistory } }
        set { state.withLock { $0.hasAnotherHistory = newValue } }
    }

    /// Holds the next registration.
    func hold(at moment: Moment) { state.withLock { $0.heldMoment = moment } }

    /// Returns when a registration is held.
    func waitForRegistration() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.held == nil { state.watcher = continuation }
                return state.held != nil
            }
            if isThere { continuation.resume() }
        }
    }

    func release() {
        let held = state.withLock { state in
            defer { state.held = nil }
            return state.held
        }
        held?.resume()
    }

    private func pass(_ moment: Moment) async {
        await withCheckedContinuation { continuation in
            let (isHeld, watcher) = state.withLock { state in
                guard state.heldMoment == moment else { return (false, nil as CheckedContinuation<Void, Never>?) }
                state.heldMoment = nil
                state.held = continuation
                defer { state.watcher = nil }
                return (true, state.watcher)
            }
            watcher?.resume()
            if !isHeld { continuation.resume() }
        }
    }

    func registerNode(_ id: NodeID, label: String, version: String, lease: Duration) async throws -> ChangeLogPosition {
        state.withLock { $0.registrations += 1 }
        await pass(.before)
        let position = try await store.registerNode(id, label: label, version: version, lease: lease)
        await pass(.afterwards)
        return position
    }

    func changes(after position: ChangeLogPosition, limit: Int) async throws -> [Change]? {
        hasAnotherHistory ? nil : try await store.changes(after: position, limit: limit)
    }

    func unregisterNode(_ id: NodeID) async throws { try await store.unregisterNode(id) }
    func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal {
        try await store.renewLease(of: id, applied: applied)
    }
    func recordChange(
        of subject: Change.Subject, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        try await store.recordChange(of: subject, by: authority, audit: audit)
    }
    func nodes(behind number: Int64) async throws -> [(id: NodeID, lease: Duration)] {
        try await store.nodes(behind: number)
    }
    func expelNodes(_ ids: [NodeID], behind number: Int64) async throws {
        try await store.expelNodes(ids, behind: number)
    }
    func nodes() async throws -> [RegisteredNode] { try await store.nodes() }
}
