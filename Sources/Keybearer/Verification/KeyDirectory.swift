import Synchronization

/// What memory knows: which tokens belong to which live accounts, and which are known to be dead.
///
/// Lookups take one shard's lock and allocate nothing. Insertions and invalidations take the index lock around it, and
/// that order is the safety argument: an invalidation first raises the generation, then drops what it names, both
/// under the index lock; an insertion checks under the same lock that the generation is still the one its read began
/// with. So a read from before a change is never remembered after it.
final class KeyDirectory: Sendable {
    /// What a token is.
    enum Entry {
        case live(LiveAccount)
        case dead
    }

    private final class Shard: Sendable {
        struct State {
            var live = TokenTable()
            var dead = TokenTable()
        }
        let state = Mutex(State())
    }

    private struct Index {
        var generation: UInt64 = 0
        var position = ChangePosition(number: 0, mark: "")
        var tokenOfUser: [UserID: PresentedToken] = [:]
        var usersOfWorkspace: [WorkspaceID: Set<UserID>] = [:]
        var ledgers: [UserID: AccountLedger] = [:]
    }

    /// 64, since six bits of the hash choose among them.
    private static let shardCount = 64
    private let shards = (0..<shardCount).map { _ in Shard() }
    private let index = Mutex(Index())
    private let hashSeed: PresentedToken.HashSeed
    private let capacityPerShard: Int
    private let deadCapacityPerShard: Int

    /// - Parameters:
    ///   - capacity: the most accounts that are remembered; beyond it others are forgotten, which costs a read.
    ///   - deadCapacity: the most dead tokens that are remembered.
    init(capacity: Int, deadCapacity: Int, random: RandomSource) {
        capacityPerShard = max(1, capacity / Self.shardCount)
        deadCapacityPerShard = max(1, deadCapacity / Self.shardCount)
        hashSeed = PresentedToken.HashSeed(from: random)
    }

    /// The shard is chosen by the highest bits of the hash, the slot in it by lower ones.
    private func shard(of hash: UInt64) -> Shard { shards[Int(truncatingIfNeeded: hash >> 58)] }

    /// What memory knows of a token; nil when it knows nothing.
    func find(_ token: PresentedToken) -> Entry? {
        let hash = token.hash(keyed: hashSeed)
        return shard(of: hash).state.withLock { state in
            if case .some(.some(let account)) = state.live.find(token, hash: hash) { return .live(account) }
            return state.dead.find(token, hash: hash) == nil ? nil : .dead
        }
    }

    /// The generation that a read must begin with to be remembered.
    var generation: UInt64 { index.withLock { $0.generation } }

    /// The last change that was applied.
    var position: ChangePosition { index.withLock { $0.position } }

    /// The account's ledger: the one that memory has, or a new one.
    func ledger(of userID: UserID) -> AccountLedger {
        index.withLock { index in
            if let ledger = index.ledgers[userID] { return ledger }
            let ledger = AccountLedger(userID: userID)
            index.ledgers[userID] = ledger
            return ledger
        }
    }

    /// The ledger of an account if memory has one.
    func knownLedger(of userID: UserID) -> AccountLedger? { index.withLock { $0.ledgers[userID] } }

    /// Drops the ledgers of accounts that are not remembered, if nothing is lost with them.
    func dropLedgers(where isIdle: (AccountLedger) -> Bool) {
        index.withLock { index in
            for (userID, ledger) in index.ledgers where index.tokenOfUser[userID] == nil && isIdle(ledger) {
                index.ledgers[userID] = nil
            }
        }
    }

    /// Remembers what a read found, unless something changed since it began.
    ///
    /// - Parameter entry: a disabled account is remembered as dead under its user, so that enabling it drops that.
    /// - Returns: whether the generation was still the same. When false, the read may be older than a change.
    @discardableResult
    func remember(_ entry: Entry, for token: PresentedToken, user: User?, readAt generation: UInt64) -> Bool {
        index.withLock { index in
            guard index.generation == generation else { return false }
            if let user {
                if let old = index.tokenOfUser[user.id] { forget(old) }
                index.tokenOfUser[user.id] = token
            }
            switch entry {
            case .live(let account):
                for access in account.account.workspaces {
                    index.usersOfWorkspace[access.workspace.id, default: []].insert(account.account.user.id)
                }
                insert(account, for: token, index: &index)
            case .dead:
                let hash = token.hash(keyed: hashSeed)
                shard(of: hash).state.withLock { state in
                    if state.dead.count >= deadCapacityPerShard { _ = state.dead.evict() }
                    state.dead.insert(token, hash: hash, account: nil)
                }
            }
            return true
        }
    }

    /// Applies changes in order and notes the last; those that were applied before are passed over.
    func apply(_ changes: [Change]) {
        index.withLock { index in
            for change in changes where change.position.number == index.position.number + 1 {
                index.generation += 1
                index.position = change.position
                switch change.subject {
                case .user(let id): forget(id, index: &index)
                case .workspace(let id):
                    for user in index.usersOfWorkspace.removeValue(forKey: id) ?? [] { forget(user, index: &index) }
                case .everything: forgetAll(&index)
                }
            }
        }
    }

    /// Forgets everything and stands at a new position: after registering, or after a lost lease.
    func restart(at position: ChangePosition) {
        index.withLock { index in
            index.generation += 1
            index.position = position
            forgetAll(&index)
        }
    }

    private func insert(_ account: LiveAccount, for token: PresentedToken, index: inout Index) {
        let hash = token.hash(keyed: hashSeed)
        let displaced = shard(of: hash).state.withLock { state -> LiveAccount? in
            let isFull = state.live.count >= capacityPerShard && state.live.find(token, hash: hash) == nil
            let displaced = isFull ? state.live.evict() : nil
            state.live.insert(token, hash: hash, account: account)
            return displaced
        }
        if let displaced { index.tokenOfUser[displaced.account.user.id] = nil }
    }

    private func forget(_ userID: UserID, index: inout Index) {
        guard let token = index.tokenOfUser.removeValue(forKey: userID) else { return }
        forget(token)
    }

    private func forget(_ token: PresentedToken) {
        let hash = token.hash(keyed: hashSeed)
        shard(of: hash).state.withLock { state in
            state.live.remove(token, hash: hash)
            state.dead.remove(token, hash: hash)
        }
    }

    private func forgetAll(_ index: inout Index) {
        index.tokenOfUser = [:]
        index.usersOfWorkspace = [:]
        for shard in shards { shard.state.withLock { $0 = .init() } }
    }
}
