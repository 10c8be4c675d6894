import Synchronization

/// A node's cache of tokens: the account of each accepted token, and the tokens that are rejected.
///
/// Lookups take one shard's lock and allocate nothing. Insertions and invalidations take the index lock around it, and
/// that order is the safety argument: an invalidation first raises the generation, then drops what it names, both
/// under the index lock; an insertion checks under the same lock that the generation is still the one its read began
/// with. So a read from before a change is never cached after it.
final class KeyCache: Sendable {
    /// What a token is.
    enum Lookup {
        case cached(CachedAccount)
        /// No live key; where it is one that ended, attempts with it are counted there.
        case rejected(EndedKey?)
    }

    private final class Shard: Sendable {
        struct State: Sendable {
            var cached = TokenTable<CachedAccount>()
            var rejected = TokenTable<RejectedToken>()
        }
        let state = Lock(State())
        /// Keeps the next shard off the lines of the processor's cache that this one is on: with a neighbour there,
        /// cores would wait for each other's look-ups.
        private let distance = SIMD8<UInt64>()
    }

    /// So many that two threads rarely use the same shard: a look-up writes the shard's lock, and its cache line then
    /// moves between cores. With four times as many, look-ups among many accounts were slower: more memory to wait for.
    private static let shardBits = 12
    private static let shardCount = 1 << shardBits
    /// How many shards' tables of accounts grow together, so that they lie together in memory. A table that grows alone
    /// is allocated among newer accounts, which made look-ups slower with many accounts.
    private static let neighbours = 64
    private let shards = (0..<shardCount).map { _ in Shard() }
    private let index = Lock(KeyCacheIndex())
    private let hashSeed: PresentedToken.HashSeed
    private let capacity: Int
    private let rejectedCapacity: Int

    /// - Parameters:
    ///   - capacity: the most accounts that are cached; beyond it others are dropped, which costs a read.
    ///   - rejectedCapacity: the most rejected tokens that are cached.
    init(capacity: Int, rejectedCapacity: Int, random: RandomSource) {
        self.capacity = max(1, capacity)
        self.rejectedCapacity = max(1, rejectedCapacity)
        hashSeed = PresentedToken.HashSeed(from: random)
    }

    /// The shard is chosen by the highest bits of the hash, the slot in it by lower ones.
    private static func shardNumber(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> (64 - shardBits)) }

    private func shard(of hash: UInt64) -> Shard { shards[Self.shardNumber(hash)] }

    /// What memory knows of a token; nil when it knows nothing.
    func find(_ token: PresentedToken) -> Lookup? {
        let hash = token.hash(keyed: hashSeed)
        return shard(of: hash).state.withLock { state in
            if let account = state.cached.find(token, hash: hash) { return .cached(account) }
            return state.rejected.find(token, hash: hash).map { .rejected($0.ended) }
        }
    }

    /// The generation that a read must begin with to be cached.
    var generation: UInt64 { index.withLock { $0.changes.generation } }

    /// Whether a change applied since this generation may affect the account.
    func mayHaveChanged(_ account: Account, since generation: UInt64) -> Bool {
        index.withLock { $0.changes.mayTouch(account, since: generation) }
    }

    /// The last change that was applied.
    var position: ChangeLogPosition { index.withLock { $0.position } }

    /// How many users and workspaces the index knows: those that are cached, and users whose account state cannot be
    /// dropped yet.
    var size: (users: Int, workspaces: Int) { index.withLock { $0.size } }

    /// The account's account state: the one that memory has, or a new one.
    func accountState(of userID: UserID) -> AccountState { index.withLock { $0.accountState(of: userID) } }

    /// The account state of an account if memory has one.
    func knownAccountState(of userID: UserID) -> AccountState? { index.withLock { $0.knownAccountState(of: userID) } }

    /// Drops account states of accounts that are not cached, if nothing is lost with them.
    ///
    /// Visits 4 pages and 1/16 of them per call, so that it keeps up with any number, and holds the lock for one page
    /// at a time, because cold keys wait for that lock.
    func dropIdleAccountStates(where isIdle: (AccountState) -> Bool) {
        let pages = index.withLock { $0.leftoverPages }
        for _ in 0..<min(pages, 4 + pages / 16) { index.withLock { $0.dropIdleAccountStates(where: isIdle) } }
    }

    /// Caches what a read found, unless something changed since it began.
    ///
    /// - Parameter entry: a disabled account is cached as rejected under its user, so that enabling it drops that.
    /// - Returns: whether the generation was still the same. When false, the read may be older than a change.
    @discardableResult
    func insert(_ entry: Lookup, for token: PresentedToken, user: User?, readAt generation: UInt64) -> Bool {
        index.withLock { index in
            guard index.changes.generation == generation else { return false }
            if let user { remove(user.id, index: &index) }
            let hash = token.hash(keyed: hashSeed)
            switch entry {
            case .cached(let account):
                guard index.adopt(account.accountState) else { return false }
                if index.cachedCount >= capacity { evictCached(near: hash, index: &index) }
                growTogether(near: hash)
                index.cachedCount += insert(account, hash: hash, into: \.cached)
                index.insert(account.account.user.id, hash: hash, in: account.account.workspaces)
            case .rejected(let ended):
                if index.rejectedCount >= rejectedCapacity { evictRejected(near: hash, index: &index) }
                index.rejectedCount += insert(
                    RejectedToken(token: token, userID: user?.id, ended: ended), hash: hash, into: \.rejected)
                if let user { index.insert(user.id, hash: hash, in: []) }
            }
            return true
        }
    }

    /// Applies changes in order and records the last; those that were applied before are ignored.
    func apply(_ changes: [Change]) {
        // What is dropped is freed after the locks are released: a million accounts take a while.
        _ = index.withLock { index in
            var forgotten: [Shard.State] = []
            for change in changes where change.position.number == index.position.number + 1 {
                index.changes.append(change.subject)
                index.position = change.position
                switch change.subject {
                case .user(let id): remove(id, index: &index)
                case .window(let id):
                    remove(id, index: &index)
                    index.beginWindow(of: id)
                case .workspace(let id):
                    for user in index.users(of: id) { remove(user, index: &index) }
                case .everything: forgotten += removeAll(&index)
                case .importedKeys: break
                }
            }
            return forgotten
        }
    }

    /// Drops everything and stands at a new position: after registering, or after a lost lease.
    ///
    /// Reservations as well: a reset of an account's hour may be among the changes that were missed.
    func restart(at position: ChangeLogPosition) {
        _ = index.withLock { index in
            index.changes.append(.everything)
            index.position = position
            index.dropReservations()
            return removeAll(&index)
        }
    }

    /// Makes room for one more account where its shard has none: in the tables of all its neighbours, one after
    /// another. The caller holds the index lock, so they are as large as each other.
    private func growTogether(near hash: UInt64) {
        let number = Self.shardNumber(hash)
        guard let size = shards[number].state.withLock({ $0.cached.isFull ? $0.cached.nextSize : nil }) else { return }
        let first = number / Self.neighbours * Self.neighbours
        for shard in shards[first..<first + Self.neighbours] { shard.state.withLock { $0.cached.reserve(size) } }
    }

    /// - Returns: how many more tokens the table holds: 1, or 0 when it held this one.
    private func insert<Held: TokenEntry>(
        _ entry: Held, hash: UInt64, into table: any WritableKeyPath<Shard.State, TokenTable<Held>> & Sendable
    ) -> Int {
        shard(of: hash).state.withLock { state in
            let before = state[keyPath: table].count
            state[keyPath: table].insert(entry, hash: hash)
            return state[keyPath: table].count - before
        }
    }

    /// Takes some token out of the shard of a hash, or out of the next one that has any.
    private func evict<Held: TokenEntry>(
        near hash: UInt64, from table: any WritableKeyPath<Shard.State, TokenTable<Held>> & Sendable
    ) -> Held? {
        for step in 0..<Self.shardCount {
            let shard = shards[(Self.shardNumber(hash) + step) % Self.shardCount]
            if let evicted = shard.state.withLock({ $0[keyPath: table].evict() }) { return evicted }
        }
        return nil
    }

    private func evictCached(near hash: UInt64, index: inout KeyCacheIndex) {
        guard let evicted = evict(near: hash, from: \.cached) else { return }
        index.cachedCount -= 1
        index.remove(evicted.account.user.id, in: evicted.account.workspaces)
    }

    private func evictRejected(near hash: UInt64, index: inout KeyCacheIndex) {
        guard let evicted = evict(near: hash, from: \.rejected) else { return }
        index.rejectedCount -= 1
        if let userID = evicted.userID { index.remove(userID, in: []) }
    }

    private func remove(_ userID: UserID, index: inout KeyCacheIndex) {
        guard let hash = index.hash(of: userID) else { return }
        let (cached, rejected) = shard(of: hash).state.withLock { state in
            (state.cached.remove(hash: hash, of: userID), state.rejected.remove(hash: hash, of: userID))
        }
        if cached != nil { index.cachedCount -= 1 }
        if rejected != nil { index.rejectedCount -= 1 }
        index.remove(userID, in: cached?.account.workspaces ?? [])
    }

    private func removeAll(_ index: inout KeyCacheIndex) -> [Shard.State] {
        index.removeAll()
        return shards.map { shard in
            shard.state.withLock { state in
                defer { state = Shard.State() }
                return state
            }
        }
    }
}
