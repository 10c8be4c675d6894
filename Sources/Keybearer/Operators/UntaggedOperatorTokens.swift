import Synchronization

/// Caches the digests of version 0.1's operator tokens, which have no keyed tag, so that forged ones do not reach the
/// database.
///
/// Version 0.1 put no tag into its tokens, and no later version makes such a token. So there are few, and one query
/// reads all their digests. A digest in the cache may be of a revoked token, so the store is still asked.
final class UntaggedOperatorTokens: Sendable {
    private struct State {
        var known: Set<[UInt8]> = []
        var readAt: SteadyTime?
        var read: Task<Set<[UInt8]>, any Error>?
    }

    /// An unknown token triggers a new read at most once per this interval. A move or a restore can add tokens.
    private static let age: Duration = .seconds(2)
    /// The most that are known: an operator has a handful.
    static let capacity = 10_000

    private let store: any OperatorTokenStore
    private let clocks: Clocks
    private let state = Lock(State())

    init(store: any OperatorTokenStore, clocks: Clocks) {
        self.store = store
        self.clocks = clocks
    }

    /// Whether a digest is that of a token that the store had when it was last asked.
    ///
    /// - Throws: what the store throws.
    func contains(_ digest: [UInt8]) async throws -> Bool {
        let now = clocks.steady()
        // One read at a time, whatever comes.
        let read = state.withLock { state -> Task<Set<[UInt8]>, any Error>? in
            if state.known.contains(digest) { return nil }
            if let readAt = state.readAt, readAt.duration(to: now) < Self.age { return nil }
            if let read = state.read { return read }
            let read = Task { try await self.read(at: now) }
            state.read = read
            return read
        }
        guard let read else { return state.withLock { $0.known.contains(digest) } }
        return try await read.value.contains(digest)
    }

    private func read(at now: SteadyTime) async throws -> Set<[UInt8]> {
        defer { state.withLock { $0.read = nil } }
        let known = Set(try await store.untaggedOperatorTokens(limit: Self.capacity))
        state.withLock { state in
            state.known = known
            state.readAt = now
        }
        return known
    }
}
