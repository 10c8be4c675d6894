import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// ``UntaggedOperatorTokens``: how often the store is asked for operator tokens that have no tag.
@Suite struct UntaggedOperatorTokensTests {
    private let clock = TestClock()
    private let store = FewTokens()
    private let tokens: UntaggedOperatorTokens

    init() {
        tokens = UntaggedOperatorTokens(store: store, clocks: clock.clocks)
    }

    @Test("A flood of unknown ones asks the store once and keeps no known one out")
    func flood() async throws {
        store.digests = [[1]]
        #expect(try await !tokens.contains([0]))
        for unknown in 2..<200 as Range<UInt8> { #expect(try await !tokens.contains([unknown])) }
        #expect(try await tokens.contains([1]))
        #expect(store.reads == 1)
    }

    @Test("Many at the same time share a read, and a known one among them is known")
    func together() async throws {
        store.digests = [[1]]
        store.hold()
        // Who asks reads the clock first.
        let (clocks, asked) = (clock.clocks, Counter())
        let counting = Clocks(
            steady: {
                asked.increment()
                return clocks.steady()
            }, wall: clocks.wall)
        let tokens = UntaggedOperatorTokens(store: store, clocks: counting)
        let known = try await withThrowingTaskGroup(of: Bool.self) { group in
            for digest in 0..<100 as Range<UInt8> { group.addTask { try await tokens.contains([digest]) } }
            while asked.value < 100 { await Task.yield() }
            store.release()
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(known == 1)
        #expect(store.reads == 1)
    }

    @Test("One that a move brought is known soon, and a store that fails is asked again")
    func later() async throws {
        #expect(try await !tokens.contains([1]))
        store.digests = [[1]]
        clock.advance(by: .milliseconds(1_900))
        #expect(try await !tokens.contains([1]))
        clock.advance(by: .milliseconds(100))
        store.isFailing = true
        await #expect(throws: KeybearerError.self) { try await tokens.contains([1]) }
        store.isFailing = false
        #expect(try await tokens.contains([1]))
        #expect(store.reads == 3)
    }
}

/// A store of nothing but digests without a tag.
private final class FewTokens: OperatorTokenStore {
    private struct State {
        var digests: [[UInt8]] = []
        var reads = 0
        var isFailing = false
        /// The reads that wait; nil while none is held.
        var held: [CheckedContinuation<Void, Never>]?
    }
    private let state = Lock(State())

    var reads: Int { state.withLock { $0.reads } }
    var digests: [[UInt8]] {
        get { state.withLock { $0.digests } }
        set { state.withLock { $0.digests = newValue } }
    }
    var isFailing: Bool {
        get { state.withLock { $0.isFailing } }
        set { state.withLock { $0.isFailing = newValue } }
    }

    /// Holds every read until ``release()``.
    func hold() { state.withLock { $0.held = [] } }

    func release() {
        let held = state.withLock { state in
            defer { state.held = nil }
            return state.held ?? []
        }
        for read in held { read.resume() }
    }

    func untaggedOperatorTokens(limit: Int) async throws -> [[UInt8]] {
        await withCheckedContinuation { read in
            let isHeld = state.withLock { state in
                state.reads += 1
                state.held?.append(read)
                return state.held != nil
            }
            if !isHeld { read.resume() }
        }
        return try state.withLock { state in
            if state.isFailing { throw KeybearerError.unavailable() }
            return Array(state.digests.prefix(limit))
        }
    }

    func createOperatorToken(
        _ record: OperatorToken, token: MintedToken, by authority: Authority, audit: AuditEvent
    ) async throws {}
    func operatorToken(digest: [UInt8], now: Timestamp) async throws -> OperatorToken? { nil }
    func recordUse(of id: OperatorTokenID, _ use: LastUse) async throws {}
    func operatorTokens() async throws -> [OperatorToken] { [] }
    func revokeOperatorToken(_ id: OperatorTokenID, by authority: Authority, audit: AuditEvent) async throws {}
}
