import Synchronization

/// Which tokens without a tag may be keys: the digest prefixes of all imported keys, in memory.
///
/// A token that is not among them is refused without asking the store. That holds only while this node has a lease:
/// the set is made current before the node trusts it, an import's prefixes are in its row of the change log, and
/// ``RevocationFence`` puts them in before it acknowledges the row. So whoever holds a lease misses no import whose
/// response was sent. Changes only add to the set, so a lost lease takes nothing from it: the imports since are missing,
/// and they are in the change log.
///
/// The prefix of a key that was regenerated or deleted may stay until the set is read whole again. The store then says
/// that the key has ended, and the key cache remembers it as it remembers other keys that ended.
final class ImportedKeys: Sendable {
    private struct State {
        var table = DigestPrefixTable()
        /// How many loads have begun.
        var loads = 0
        /// Which of them the table is from.
        var current = 0
        /// What was put in since each of the loads began that run.
        var added: [Int: [DigestPrefix]] = [:]
        /// The master keys of the ring for which the set was read last, those that make digests.
        var digestKeys: Set<MasterKeyID>
    }

    private let state: Lock<State>
    private let read: @Sendable () async throws -> [DigestPrefix]

    /// - Parameters:
    ///   - digestKeys: the master keys of the ring, those that make digests.
    ///   - read: the prefixes of all imported keys, in one state of the store.
    init(digestKeys: Set<MasterKeyID> = [], read: @escaping @Sendable () async throws -> [DigestPrefix]) {
        state = Lock(State(digestKeys: digestKeys))
        self.read = read
    }

    /// How many prefixes it holds.
    var count: Int { state.withLock { $0.table.count } }

    /// How many bytes they take.
    var byteCount: Int { state.withLock { $0.table.byteCount } }

    /// Whether it holds none, so that a token without a tag is no key.
    var isEmpty: Bool { count == 0 }

    /// Whether one of these is that of an imported key.
    func contains(anyOf prefixes: [DigestPrefix]) -> Bool {
        state.withLock { state in prefixes.contains { state.table.contains($0) } }
    }

    /// Puts in what imports added. Before the changes are acknowledged.
    func apply(_ changes: [Change]) {
        for change in changes {
            if case .importedKeys(let prefixes) = change.subject { insert(prefixes) }
        }
    }

    private func insert(_ prefixes: [DigestPrefix]) {
        state.withLock { state in
            for prefix in prefixes { state.table.insert(prefix) }
            for load in state.added.keys { state.added[load]?.append(contentsOf: prefixes) }
        }
    }

    /// Reads the whole set again before another ring is used, if that makes other digests. A rotation has moved keys to
    /// them: with the old set and the new ring alone, these keys would be refused.
    ///
    /// - Throws: what the store throws. The set is then what it was.
    func load(for digestKeys: Set<MasterKeyID>) async throws {
        if state.withLock({ $0.digestKeys == digestKeys }) { return }
        try await load()
        state.withLock { $0.digestKeys = digestKeys }
    }

    /// Makes the set current for a node that has registered again: by the changes that it has not applied, where the store
    /// still has them all, and otherwise by reading it whole.
    ///
    /// - Parameters:
    ///   - known: the change up to which this node had applied all.
    ///   - end: the newest change, at which it has registered.
    ///   - changes: those after a position, in order; nil where that is not part of the store's history.
    /// - Throws: what the store throws.
    func catchUp(
        from known: ChangeLogPosition, to end: ChangeLogPosition,
        changes: (ChangeLogPosition) async throws -> [Change]?
    ) async throws {
        // Before the first change, no nonce tells one history from another.
        let hasHistory = known.number > 0 && state.withLock { $0.current > 0 }
        if hasHistory, try await follow(from: known, to: end, changes: changes) { return }
        try await load()
    }

    /// - Returns: false where the changes up to the end are not all there: a failover or a restore went back, or they are
    ///   too old to be kept.
    private func follow(
        from known: ChangeLogPosition, to end: ChangeLogPosition,
        changes: (ChangeLogPosition) async throws -> [Change]?
    ) async throws -> Bool {
        var position = known
        while position.number < end.number {
            guard let found = try await changes(position), let last = found.last else { return false }
            apply(found)
            if found.contains(where: { $0.position == end }) { return true }
            position = last.position
        }
        return position == end
    }

    /// Reads the whole set again. What imports add meanwhile stays in it; of loads that run beside each other, the one
    /// that began last has seen the newest state, and none takes its place.
    ///
    /// - Throws: what the store throws. The set is then what it was.
    func load() async throws {
        let load = state.withLock { state in
            state.loads += 1
            state.added[state.loads] = []
            return state.loads
        }
        do {
            var table = DigestPrefixTable(try await read())
            // Exchanged, so that the old one is freed behind the lock.
            state.withLock { state in
                for prefix in state.added.removeValue(forKey: load) ?? [] { table.insert(prefix) }
                guard load > state.current else { return }
                state.current = load
                swap(&state.table, &table)
            }
        } catch {
            state.withLock { $0.added[load] = nil }
            throw error
        }
    }
}
