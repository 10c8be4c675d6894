import Logging

/// The request path of a server and what keeps it true: key cache, fence, rate limit and last uses.
/// What runs beside the requests is in `BackgroundTasks.swift`.
public final class Node: Sendable {
    /// Decides requests.
    public let verifier: Verifier
    /// Keeps memory true.
    public let fence: RevocationFence
    /// Writes last uses in batches.
    let lastUses: LastUseRecorder

    private let cache: KeyCache
    private let importedKeys: ImportedKeys
    let batcher: ReservationBatcher
    let context: ServiceContext
    let mails: MailService

    init(
        context: ServiceContext, mails: MailService, loadRing: @escaping @Sendable () throws -> MasterKeyRing,
        logger: Logger
    ) {
        self.context = context
        self.mails = mails
        cache = KeyCache(
            capacity: context.settings.rememberedAccounts, rejectedCapacity: 65_536, random: context.random)
        let vault = context.vault
        let importedKeys = ImportedKeys(digestKeys: vault.current.digestKeyIDs) { [store = context.store] in
            try await store.importedKeyPrefixes()
        }
        self.importedKeys = importedKeys
        fence = RevocationFence(
            store: context.store, cache: cache, importedKeys: importedKeys, clocks: context.clocks,
            random: context.random,
            label: context.settings.nodeLabel, lease: context.settings.lease, thread: context.thread, logger: logger,
            // A node that lacks a master key must not acknowledge the change: it would refuse keys that are live.
            onEverything: { [store = context.store] in
                let loaded: KeyVault
                do { loaded = KeyVault(ring: try loadRing()) } catch { throw RingRefusal([.unreadable("\(error)")]) }
                let problems = loaded.problems(with: try await store.masterKeys())
                guard problems.isEmpty else { throw RingRefusal(problems) }
                try await importedKeys.load(for: loaded.digestKeyIDs)
                vault.replace(with: loaded)
            })
        let fence = fence
        let liveness = NodeLiveness(store: context.store, clocks: context.clocks, own: { fence.nodeID })
        batcher = ReservationBatcher(
            store: context.store, thread: context.thread, clocks: context.clocks,
            holder: .random(from: context.random), isOnlyNode: { try await liveness.isOnlyNode() })
        lastUses = LastUseRecorder(store: context.store, clocks: context.clocks, logger: logger)
        verifier = Verifier(
            cache: cache, importedKeys: importedKeys, fence: fence, batcher: batcher, lastUses: lastUses, vault: vault,
            store: context.store, thread: context.thread, clocks: context.clocks)
    }

    /// Makes memory fit a ring that this process is about to use.
    func expect(_ vault: KeyVault) async throws { try await importedKeys.load(for: vault.digestKeyIDs) }

    /// Drops what memory holds of accounts that are not cached, where nothing is lost with it.
    func dropIdleAccountStates() {
        let now = context.clocks.steady()
        cache.dropIdleAccountStates { $0.isWritten && $0.withQuota { $0.isIdle(at: now) } }
    }

    /// Removes sessions that can no longer be used, idempotent requests that are no longer remembered, and rate limit
    /// windows of deleted accounts that no longer count. What fails is tried again with the next round.
    package func removeWhatIsOver() async {
        let now = context.clocks.wall()
        try? await context.store.removeExpiredSessions(SessionPolicy(), now: now)
        try? await context.store.removeOldRequests(now: now)
        try? await context.store.removeOldPortalLinks(now: now)
        try? await context.store.erasePersonalData(of: nil)
        try? await context.store.removeOldSignInAttempts(now: now)
        try? await context.store.removeOldPendingSignIns(now: now)
        try? await context.store.removeOldMails(now: now)
    }

    /// Asks the store something for no longer than a request waits for it.
    ///
    /// - Throws: what the check throws; `UNAVAILABLE` when it takes too long.
    package func withRequestTimeout(_ check: @escaping @Sendable () async throws -> Void) async throws {
        try await Timeout.atMost(verifier.patience) { (waiter: Timeout.Waiter<Void>) in
            Task {
                do {
                    waiter.resume(with: .success(try await check()))
                } catch {
                    waiter.resume(with: .failure(error))
                }
            }
        }
    }

    /// What an account has left of its rate limit, without counting anything.
    public func rateLimitStatus(of account: Account, limit: Int) async throws -> RateLimitStatus {
        let accountState = cache.accountState(of: account.user.id)
        let now = context.clocks.steady()
        let wall = context.clocks.wall()
        if let status = accountState.withQuota({ $0.peek(limit: limit, now: now, wall: wall) }) { return status }
        try await Timeout.atMost(verifier.patience) { batcher.look(at: accountState, limit: limit, waiter: $0) }
        let seen = accountState.withQuota { $0.peek(limit: limit, now: now, wall: wall) }
        return seen ?? RateLimitStatus(limit: limit, remaining: limit, resetsAfter: .zero, reckonedAt: wall)
    }

    /// Whether a tag that the ring does not recognise is a forgery. Without a lease another process may have rotated
    /// the master keys without this one knowing.
    var knowsAllMasterKeys: Bool { fence.holdsLease(at: context.clocks.steady()) }

    /// The last use of a key that memory has and the store may not have yet.
    func unwrittenLastUse(of userID: UserID, keyID: KeyID) -> LastUse? {
        cache.knownAccountState(of: userID)?.lastUse(of: keyID)
    }
}
