import Logging

/// The request path of a server and what keeps it true: key cache, fence, rate limit, last uses and counts.
/// What runs beside the requests is in `BackgroundTasks.swift`.
public final class Node: Sendable {
    /// Decides requests.
    public let verifier: Verifier
    /// Keeps memory true.
    public let fence: RevocationFence
    /// Writes last uses and counts of requests in batches.
    let usage: UsageRecorder

    private let cache: KeyCache
    private let importedKeys: ImportedKeys
    let batcher: ReservationBatcher
    let auditSealer: AuditSealer
    let failedSignIns: FailedSignIns
    let mails: MailDispatcher
    let webhooks: WebhookDispatcher
    private let hasher: PasswordHasher
    let context: ServiceContext

    init(
        context: ServiceContext, failedSignIns: FailedSignIns, mails: MailDispatcher, webhooks: WebhookDispatcher,
        hasher: PasswordHasher, loadRing: @escaping @Sendable () throws -> MasterKeyRing, logger: Logger
    ) {
        self.context = context
        self.hasher = hasher
        self.failedSignIns = failedSignIns
        self.mails = mails
        self.webhooks = webhooks
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
            metrics: context.metrics,
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
        usage = UsageRecorder(
            store: context.store,
            warnings: context.settings.isMailOn ? QuotaWarnings(store: context.store, clocks: context.clocks) : nil,
            clocks: context.clocks, random: context.random, logger: logger)
        auditSealer = AuditSealer(store: context.store, vault: vault, random: context.random)
        verifier = Verifier(
            cache: cache, importedKeys: importedKeys, fence: fence, batcher: batcher, usage: usage, vault: vault,
            store: context.store, thread: context.thread, clocks: context.clocks, patience: context.settings.patience,
            metrics: context.metrics)
        if context.metrics.isOn {
            context.store.observation.begin { [metrics = context.metrics] in metrics.record($0) }
        }
    }

    /// Who keeps what is measured.
    package var metrics: NodeMetrics { context.metrics }

    /// Takes in how this node stands: from memory, whatever becomes of the store.
    package func observe() {
        guard metrics.isOn else { return }
        let now = context.clocks.steady()
        metrics.observe(
            NodeState(
                accounts: cache.size.users, mostAccounts: context.settings.rememberedAccounts,
                leaseLeft: fence.leaseLeft(at: now), connections: context.store.connections,
                hashesWaiting: hasher.waitingCount))
    }

    /// How often what waits in the database is counted.
    static let measurementInterval: Duration = .seconds(10)

    /// Takes in what waits in the database. Where that cannot be asked, what was seen last stays.
    package func measure() async {
        guard metrics.isOn else { return }
        observe()
        if let backlog = try? await context.store.backlog(now: context.clocks.wall()) { metrics.observe(backlog) }
    }

    /// Makes memory fit a ring that this process is about to use.
    func expect(_ vault: KeyVault) async throws { try await importedKeys.load(for: vault.digestKeyIDs) }

    /// Drops what memory holds of accounts that are not cached, where nothing is lost with it.
    func dropIdleAccountStates() {
        let now = context.clocks.steady()
        cache.dropIdleAccountStates { $0.isWritten && $0.withQuota { $0.isIdle(at: now) } }
    }

    /// Removes sessions that can no longer be used, idempotent requests that are no longer remembered, rate limit
    /// windows of deleted accounts that no longer count, and usage and audit events that are older than they are kept. What
    /// fails is tried again with the next round.
    package func removeWhatIsOver() async {
        let now = context.clocks.wall()
        try? await context.store.removeExpiredSessions(SessionPolicy(), now: now)
        try? await context.store.removeOldRequests(now: now)
        try? await context.store.removeOldPortalLinks(now: now)
        try? await context.store.removeOldInvitations(now: now)
        try? await context.store.erasePersonalData(of: nil)
        try? await context.store.removeOldSignInAttempts(now: now)
        try? await context.store.removeOldUsage(keeping: context.settings.usageRetention, now: now)
        try? await context.store.removeOldPendingSignIns(now: now)
        try? await context.store.removeOldMails(now: now)
        try? await context.store.removeOldWebhookMessages(olderThan: context.settings.webhookRetention, now: now)
        try? await context.store.removeDeliveries(beyond: DeliveryRules.mostKept)
        try? await context.store.removeOrphanedDeliveries()
        try? await context.store.removeOldMailLinks(now: now)
        try? await context.store.removeOldDevices(now: now)
        if let kept = context.settings.auditRetention {
            try? await auditSealer.removeOld(before: now.advanced(by: .zero - kept))
        }
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

    /// What an account is to be warned of as it stands. This process remembers what it was warned of before.
    public func quotaLevel(of account: Account, _ status: RateLimitStatus) -> QuotaLevel {
        cache.accountState(of: account.user.id).level(used: status.limit - status.remaining, limit: status.limit)
    }

    /// Whether a tag that the ring does not recognise is a forgery. Without a lease another process may have rotated
    /// the master keys without this one knowing.
    var knowsAllMasterKeys: Bool { fence.holdsLease(at: context.clocks.steady()) }

    /// The last use of a key that memory has and the store may not have yet.
    func unwrittenLastUse(of userID: UserID, keyID: KeyID) -> LastUse? {
        cache.knownAccountState(of: userID)?.lastUse(of: keyID)
    }
}
