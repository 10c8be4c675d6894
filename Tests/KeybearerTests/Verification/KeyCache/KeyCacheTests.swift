import TestSupport
import Testing

@testable import Keybearer

/// The ``KeyCache`` and its ``KeyCacheIndex``: what stays, and what is evicted.
@Suite struct KeyCacheTests {
    let samples = Samples(seed: 31)
    let ring: MasterKeyRing

    init() throws {
        ring = try .generate(from: RandomSource.seeded(20))
    }

    private func cache(capacity: Int = 8, rejectedCapacity: Int = 8) -> KeyCache {
        KeyCache(capacity: capacity, rejectedCapacity: rejectedCapacity, random: samples.random)
    }

    private func token() throws -> PresentedToken {
        let text = "tdc_".utf8 + samples.random.base62(count: 38)
        return try #require(Array(text).withUnsafeBufferPointer { PresentedToken($0) })
    }

    private func access(to id: WorkspaceID) -> WorkspaceAccess {
        let plan = Plan.defaultCatalogue[1]
        return WorkspaceAccess(
            workspace: Workspace(id: id, name: "One", planID: plan.id, createdAt: Samples.start), role: .owner,
            plan: plan)
    }

    /// Caches a new account, as a read of its key does.
    @discardableResult
    private func insert(
        in cache: KeyCache, workspaces: [WorkspaceID]? = nil
    ) throws -> (account: CachedAccount, token: PresentedToken) {
        let made = samples.newAccount()
        let token = try token()
        let account = CachedAccount(
            account: Account(
                user: made.user, key: made.key, workspaces: (workspaces ?? [made.workspaceID]).map(access)),
            token: token, accountState: cache.accountState(of: made.user.id))
        #expect(cache.insert(.cached(account), for: token, user: made.user, readAt: cache.generation))
        return (account, token)
    }

    private func isKnown(_ token: PresentedToken, to cache: KeyCache) -> Bool { cache.find(token) != nil }

    @Test("The cap holds to the account, whatever shards their tokens fall on")
    func cap() throws {
        let cache = cache(capacity: 100)
        let tokens = try (0..<1_000).map { _ in try insert(in: cache).token }
        #expect(tokens.count { isKnown($0, to: cache) } == 100)
        #expect(isKnown(try #require(tokens.last), to: cache))
    }

    @Test("All are found where tables have grown, their own or a neighbour's")
    func growth() throws {
        let cache = cache(capacity: 20_000)
        let cached = try (0..<20_000).map { _ in try insert(in: cache) }
        for (account, token) in cached {
            guard case .cached(let found) = cache.find(token), found === account else {
                Issue.record("An account is not found")
                return
            }
        }
    }

    @Test("Nothing stays of what was evicted: neither users, nor workspaces, nor idle ledgers")
    func evictedAccountsLeaveNothing() throws {
        let cache = cache(capacity: 8)
        for _ in 0..<500 {
            try insert(in: cache)
            cache.dropIdleAccountStates { _ in true }
        }
        for _ in 0..<4 { cache.dropIdleAccountStates { _ in true } }
        #expect(cache.size.users == 8)
        #expect(cache.size.workspaces == 8)
    }

    @Test("Nothing stays of disabled accounts whose rejected keys were evicted")
    func evictedRejectedKeysLeaveNothing() throws {
        let cache = cache(rejectedCapacity: 8)
        for _ in 0..<500 {
            let user = samples.newAccount().user
            cache.insert(.rejected(nil), for: try token(), user: user, readAt: cache.generation)
        }
        #expect(cache.size.users == 8)
    }

    @Test("An account state with something to lose outlives its account, and is dropped when it is idle")
    func busyAccountStatesStay() throws {
        let cache = cache(capacity: 1)
        let busy = try insert(in: cache).account
        try insert(in: cache)
        for _ in 0..<4 { cache.dropIdleAccountStates { $0 !== busy.accountState } }
        #expect(cache.knownAccountState(of: busy.account.user.id) === busy.accountState)
        #expect(cache.accountState(of: busy.account.user.id) === busy.accountState)
        for _ in 0..<4 { cache.dropIdleAccountStates { _ in true } }
        #expect(cache.knownAccountState(of: busy.account.user.id) == nil)
    }

    @Test("An account state of a cached account is not even looked at")
    func cachedAccountStatesCostNothing() throws {
        let cache = cache(capacity: 2_000)
        for _ in 0..<1_000 { try insert(in: cache) }
        // Each was left over for a moment, between the read and the remembering.
        for _ in 0..<4 { cache.dropIdleAccountStates { _ in true } }
        var looks = 0
        cache.dropIdleAccountStates { _ in
            looks += 1
            return true
        }
        #expect(looks == 0)
        #expect(cache.size.users == 1_000)
    }

    @Test("Dropping looks at a part of what is left over, and comes to all of it")
    func boundedWork() throws {
        let cache = cache()
        let count = 20_000
        for _ in 0..<count { _ = cache.accountState(of: .random(from: samples.random)) }
        var looks = 0
        cache.dropIdleAccountStates { _ in
            looks += 1
            return false
        }
        #expect((1...count / 8).contains(looks))
        var rounds = 0
        while cache.size.users > 0, rounds < 1_000 {
            cache.dropIdleAccountStates { _ in true }
            rounds += 1
        }
        #expect(cache.size.users == 0)
    }

    @Test("After everything was removed, accounts have states that hold no reservation, until they are idle")
    func emptyingTheCacheKeepsAccountStates() throws {
        let cache = cache()
        let (account, token) = try insert(in: cache)
        cache.restart(at: ChangeLogPosition(number: 5, nonce: "a"))
        #expect(!isKnown(token, to: cache))
        // A fresh hour may have begun meanwhile: what was reserved is used by nobody any more, and counts.
        let known = try #require(cache.knownAccountState(of: account.account.user.id))
        #expect(known !== account.accountState && !account.accountState.isWindowOver)
        #expect(cache.size.workspaces == 0)
        for _ in 0..<4 { cache.dropIdleAccountStates { _ in true } }
        #expect(cache.size.users == 0)
    }

    @Test("An account state that was dropped while its account was read is taken in again; beside another it is not")
    func adoption() throws {
        let cache = cache()
        let made = samples.newAccount()
        func read(with accountState: AccountState) throws -> Bool {
            let token = try token()
            let account = CachedAccount(
                account: Account(user: made.user, key: made.key, workspaces: []), token: token,
                accountState: accountState)
            return cache.insert(.cached(account), for: token, user: made.user, readAt: cache.generation)
        }
        let accountState = cache.accountState(of: made.user.id)
        cache.dropIdleAccountStates { _ in true }
        #expect(try read(with: accountState))
        #expect(cache.accountState(of: made.user.id) === accountState)
        #expect(try !read(with: AccountState(userID: made.user.id)))
    }

    @Test("A change of a workspace removes its members and no one else; so after evictions too")
    func workspaceChanges() throws {
        let cache = cache(capacity: 4)
        let shared = WorkspaceID.random(from: samples.random)
        for _ in 0..<50 { try insert(in: cache, workspaces: [shared]) }
        let members = try (0..<3).map { _ in try insert(in: cache, workspaces: [shared]).token }
        let other = try insert(in: cache).token
        let before = members.count { isKnown($0, to: cache) }
        #expect(before > 0)
        cache.apply([Change(position: ChangeLogPosition(number: 1, nonce: "a"), subject: .workspace(shared))])
        #expect(members.allSatisfy { !isKnown($0, to: cache) })
        #expect(isKnown(other, to: cache))
    }

    @Test("What was read before a change is not cached after it")
    func staleRead() throws {
        let cache = KeyCache(capacity: 1_000, rejectedCapacity: 1_000, random: samples.random)
        let vault = KeyVault(ring: ring)
        let key = try vault.issue(prefix: .standard, random: samples.random)
        let user = User(
            id: .random(from: samples.random), email: EmailAddress(normalised: "a@b.c"), name: "A",
            createdAt: Samples.start)
        let record = APIKey(
            id: .random(from: samples.random), version: 1, shownPrefix: "tdc_aaaa", generatedAt: Samples.start)
        let account = CachedAccount(
            account: Account(user: user, key: record, workspaces: []), token: key.token,
            accountState: cache.accountState(of: user.id))
        let generation = cache.generation
        cache.apply([Change(position: ChangeLogPosition(number: 1, nonce: "a"), subject: .user(user.id))])
        #expect(!cache.insert(.cached(account), for: key.token, user: user, readAt: generation))
        #expect(cache.find(key.token) == nil)
        #expect(cache.insert(.cached(account), for: key.token, user: user, readAt: cache.generation))
        #expect(cache.find(key.token) != nil)
        cache.apply([Change(position: ChangeLogPosition(number: 2, nonce: "b"), subject: .everything)])
        #expect(cache.find(key.token) == nil)
    }

    @Test("The cache keeps to its cap; what is evicted is read again")
    func capacity() throws {
        let cache = KeyCache(capacity: 64, rejectedCapacity: 64, random: samples.random)
        let vault = KeyVault(ring: ring)
        var cached = 0
        for _ in 0..<2_000 {
            let key = try vault.issue(prefix: .standard, random: samples.random)
            cache.insert(.rejected(nil), for: key.token, user: nil, readAt: cache.generation)
            if cache.find(key.token) != nil { cached += 1 }
        }
        #expect(cached == 2_000, "the newest is always known")
    }
}
