import Synchronization

/// Decides whether a presented token may pass.
///
/// ``cachedVerdict(for:scope:from:now:wall:)`` is the request path: memory only, synchronous, nothing allocated on a
/// hit. It caches identity, never the decision: lease, entitlement and rate limit are looked at every time.
/// ``verdictFromStore(for:scope:from:need:)`` is for what memory cannot tell.
public final class Verifier: Sendable {
    /// How long a request waits for a lost lease to come back before it is answered that the service is unavailable.
    private static let leasePatience: Duration = .seconds(1)
    /// How often a request looks for its account: again when the lease was lost, or it changed, while it waited.
    private static let mostLooks = 3

    /// How often a request asks for quota.
    private static let mostRounds = 64

    /// How long requests wait for the store.
    struct Patience: Sendable {
        /// For one thing, at a store that is near and stuck, such as one that another process has locked.
        var near: Duration = .seconds(2)
        /// For one thing, at the most.
        var longest: Duration = .seconds(4)
        /// For all of it: less than the 5 s that the sample gateways wait for the gate.
        var request: Duration = .milliseconds(4_500)
    }
    /// How many answers of a store a burst of unknown keys may come behind: one far away is waited for longer.
    private static let responsesWaitedFor = 10

    private let cache: KeyCache
    private let uncached: UncachedTokens
    private let fence: RevocationFence
    private let batcher: ReservationBatcher
    private let usage: UsageRecorder
    private let reads: KeyReads
    private let clocks: Clocks
    private let limits: Patience
    private let thread: any TaskExecutor
    private let storeCount = Atomic<Int>(0)
    private let metrics: NodeMetrics

    init(
        cache: KeyCache, importedKeys: ImportedKeys = ImportedKeys { [] }, fence: RevocationFence,
        batcher: ReservationBatcher, usage: UsageRecorder, vault: CurrentVault, store: any KeyStore,
        thread: any TaskExecutor, clocks: Clocks, patience: Patience = Patience(), metrics: NodeMetrics = .off
    ) {
        self.metrics = metrics
        self.cache = cache
        uncached = UncachedTokens(importedKeys: importedKeys, vault: vault)
        self.fence = fence
        self.batcher = batcher
        self.usage = usage
        reads = KeyReads(cache: cache, vault: vault, store: store, thread: thread)
        self.thread = thread
        self.clocks = clocks
        limits = patience
    }

    /// How often a request had to ask the store so far, for an account or for quota.
    public var storeRequests: Int { storeCount.load(ordering: .relaxed) + reads.count }

    /// Where tasks are best begun that only call ``verdictFromStore(for:scope:from:need:)``: it goes on there anyway.
    public var executor: any TaskExecutor { thread }

    /// Decides from memory, or answers ``Verdict/needsStore(_:)``.
    ///
    /// - Parameters:
    ///   - token: what was presented.
    ///   - scope: what the request names.
    ///   - address: the client's address, for allowed networks and last use; ``IPAddress/unknown`` for nobody's.
    ///   - now: a reading from after the request's last byte was read. An earlier one would let a process that
    ///     was stopped in between trust a lease that has run out.
    ///   - wall: the time of day, for last use.
    ///   - isThrottled: whether tokens that are no keys count against the address.
    ///   - userAgent: what the client says it is, in the form of ``ClientName``; asked once in a second, and for a new
    ///     address.
    public func cachedVerdict(
        for token: PresentedToken, scope: AccessScope, from address: IPAddress, now: SteadyTime, wall: Timestamp,
        isThrottled: Bool = true, userAgent: () -> String = { "" }
    ) -> Verdict {
        guard fence.holdsLease(at: now) else { return .needsStore(.lease) }
        switch cache.find(token) {
        case nil: return uncached.verdict(on: token, from: isThrottled ? address : .localSocket, now: now)
        case .rejected(let ended):
            if let ended { countAttempt(with: ended, from: address, at: wall) }
            return .unauthorized
        case .cached(let account):
            return verdict(account, scope: scope, from: address, now: now, wall: wall, userAgent: userAgent)
        }
    }

    /// Whether memory knows already that a token cannot pass: it is forged, or it ended. Such a request is refused at
    /// its head, before a body is read.
    public func isKnownBad(_ token: PresentedToken, from address: IPAddress, now: SteadyTime) -> Bool {
        // Without a lease this node may lack a master key, and may not know that a key lives again, or was imported.
        guard fence.holdsLease(at: now) else { return uncached.standingWithoutLease(of: token) == .impossible }
        switch cache.find(token) {
        case nil:
            if case .unauthorized = uncached.verdict(on: token, from: address, now: now) { return true }
            return false
        case .rejected(let ended):
            if let ended { countAttempt(with: ended, from: address, at: clocks.wall()) }
            return true
        case .cached: return false
        }
    }

    /// Counts a request with a key that ended. Not inlined: it is no part of the path of a live one.
    @inline(never)
    private func countAttempt(with ended: EndedKey, from address: IPAddress, at wall: Timestamp) {
        if ended.count(from: address, at: wall) { usage.record(ended) }
    }

    /// Records what a request with a live key was refused for, for its holder to see. Call it once for a verdict that
    /// refuses, when the response is known.
    public func record(_ refusal: KeyRefusal, of account: CachedAccount) {
        if account.accountState.record(refusal) { usage.record(account.accountState) }
    }

    /// Decides from memory, and with the store's help where memory cannot tell.
    ///
    /// The clocks are read here: call it after the request's last byte was read.
    public func verdict(
        for token: PresentedToken, scope: AccessScope, from address: IPAddress, isThrottled: Bool = true,
        userAgent: () -> String = { "" }
    ) async -> Verdict {
        let verdict = cachedVerdict(
            for: token, scope: scope, from: address, now: clocks.steady(), wall: clocks.wall(),
            isThrottled: isThrottled, userAgent: userAgent)
        guard case .needsStore(let need) = verdict else { return verdict }
        return await verdictFromStore(for: token, scope: scope, from: address, need: need, userAgent: userAgent())
    }

    /// Decides with the store's help: reads a key that memory does not know, or reserves quota.
    ///
    /// - Parameter need: what ``cachedVerdict(for:scope:from:now:wall:)`` lacked. What it has checked of the token is not
    ///   checked again.
    public func verdictFromStore(
        for token: PresentedToken, scope: AccessScope, from address: IPAddress, need: StoreNeed = .lease,
        userAgent: String = ""
    ) async -> Verdict {
        metrics.recordCold(need)
        return await withTaskExecutorPreference(thread) {
            await verdictFromStoreOnThread(token, scope: scope, from: address, need: need, userAgent: userAgent)
        }
    }

    private func verdictFromStoreOnThread(
        _ token: PresentedToken, scope: AccessScope, from address: IPAddress, need: StoreNeed, userAgent: String
    ) async -> Verdict {
        let deadline = clocks.steady().advanced(by: limits.request)
        // Where the lease was missing, memory was not looked at, nor was the token.
        if case .lease = need, let verdict = verdictOnUnchecked(token) { return verdict }
        do {
            for _ in 1...Self.mostLooks {
                guard await awaitLease(until: deadline) else {
                    return .unavailable(fence.lastFailure ?? Undecided.withoutLease)
                }
                let generation = cache.generation
                guard let account = try await account(for: token, until: deadline) else {
                    if case .rejected(let ended?) = cache.find(token) {
                        countAttempt(with: ended, from: address, at: clocks.wall())
                    }
                    return .unauthorized
                }
                let verdict = try await verdict(
                    account, readAt: generation, scope: scope, from: address, until: deadline, userAgent: userAgent)
                if let verdict { return verdict }
            }
            return .unavailable(Undecided.changedAgain(looks: Self.mostLooks))
        } catch {
            return .unavailable(error)
        }
    }

    /// Whether a token is refused that came while the lease was missing; nil where it must be looked for.
    private func verdictOnUnchecked(_ token: PresentedToken) -> Verdict? {
        // The lease first: one that came in between would bring its master keys and its imports with it.
        let holdsLease = fence.holdsLease(at: clocks.steady())
        switch uncached.standingWithoutLease(of: token) {
        case .possible: return nil
        case .unknown where !holdsLease: return .unavailable(fence.lastFailure ?? Undecided.withoutLease)
        case .unknown, .impossible: return .unauthorized
        }
    }

    private func verdict(
        _ account: CachedAccount, scope: AccessScope, from address: IPAddress, now: SteadyTime, wall: Timestamp,
        userAgent: () -> String
    ) -> Verdict {
        func refused(_ outcome: UsageOutcome, _ limit: Int) -> RateLimitStatus? {
            let (state, keyID) = (account.accountState, account.keyID)
            let refusal = state.refuse(outcome, limit: limit, keyID: keyID, now: now, wall: wall)
            if let refusal, refusal.isFirstUnwritten { usage.record(state) }
            return refusal?.status
        }
        switch account.entitlement(to: scope, from: address) {
        case .entitled(let limit):
            let (decision, isFirstUnwritten, shouldPrefetch) = account.accountState.consume(
                limit: limit, keyID: account.keyID, from: address, now: now, wall: wall, userAgent: userAgent)
            if isFirstUnwritten { usage.record(account.accountState) }
            if shouldPrefetch { batcher.requestPrefetch(account.accountState, limit: limit) }
            return switch decision {
            case .admitted(let status): .admitted(account, status)
            case .exhausted(let status): .rateLimited(account, status)
            case .needsReservation: .needsStore(.quota)
            }
        case .uncounted(let limit):
            let status = account.accountState.withQuota { $0.peek(limit: limit, now: now, wall: wall) }
            guard let status else { return .needsStore(.quota) }
            return .admitted(account, status)
        case .locked(let limit):
            guard let status = refused(.featureLocked, limit) else { return .needsStore(.quota) }
            return .featureLocked(account, status)
        case .notAMember(let limit):
            guard let status = refused(.notAMember, limit) else { return .needsStore(.quota) }
            return .notAMember(account, status)
        case .notFromThere(let limit):
            guard let status = refused(.addressNotAllowed, limit) else { return .needsStore(.quota) }
            return .addressNotAllowed(account, status)
        }
    }

    /// Decides on a fresh account, asking the store for quota until the account state can tell.
    ///
    /// - Parameter generation: what memory stood at before the account was looked for.
    /// - Returns: nil when the account may have changed while this waited: without a lease this process is not told,
    ///   and behind a new one, or a change, it is another. It must be looked for again.
    private func verdict(
        _ account: CachedAccount, readAt generation: UInt64, scope: AccessScope, from address: IPAddress,
        until deadline: SteadyTime, userAgent: String
    ) async throws -> Verdict? {
        // Every round asks the store once. Many requests that share a small grant can find it used up again.
        for _ in 0..<Self.mostRounds {
            let now = clocks.steady()
            // In this order: a lease that came back did so behind a new generation.
            guard fence.holdsLease(at: now), !cache.mayHaveChanged(account.account, since: generation) else {
                return nil
            }
            let verdict = verdict(
                account, scope: scope, from: address, now: now, wall: clocks.wall(), userAgent: { userAgent })
            guard case .needsStore = verdict else { return verdict }
            storeCount.add(1, ordering: .relaxed)
            switch account.entitlement(to: scope, from: address) {
            case .entitled(let limit):
                if batcher.useSharedReservation(for: account.accountState, limit: limit) { continue }
                try await Timeout.atMost(patience(until: deadline)) { waiter in
                    batcher.reserve(for: account.accountState, limit: limit, waiter: waiter)
                }
            case .uncounted(let limit), .locked(let limit), .notAMember(let limit), .notFromThere(let limit):
                try await Timeout.atMost(patience(until: deadline)) { waiter in
                    batcher.look(at: account.accountState, limit: limit, waiter: waiter)
                }
            }
        }
        return .unavailable(Undecided.outrun(rounds: Self.mostRounds))
    }

    /// The live account of a token: from memory, or from a read.
    private func account(for token: PresentedToken, until deadline: SteadyTime) async throws -> CachedAccount? {
        switch cache.find(token) {
        case .cached(let account): return account
        case .rejected: return nil
        case nil: return try await Timeout.atMost(patience(until: deadline)) { reads.read(token, for: $0) }
        }
    }

    /// How long to wait for one thing that is asked of the store.
    var patience: Duration {
        min(limits.longest, limits.near + fence.responseTime * Self.responsesWaitedFor)
    }

    private func patience(until deadline: SteadyTime) -> Duration {
        max(.zero, min(patience, clocks.steady().duration(to: deadline)))
    }

    private func awaitLease(until deadline: SteadyTime) async -> Bool {
        let deadline = min(deadline, clocks.steady().advanced(by: Self.leasePatience))
        while !fence.holdsLease(at: clocks.steady()) {
            // It comes back when somebody has changed the file or started the process again: not while a request waits.
            if fence.lacksMasterKeys || fence.isOver { return false }
            // Not awaited: a store that is stuck would hold the request for as long as it likes. One step runs at a
            // time. On this thread, or it could wait for its turn while the request's patience ends.
            Task(executorPreference: thread) { await self.fence.step() }
            guard clocks.steady() < deadline, (try? await Task.sleep(for: .milliseconds(5))) != nil else {
                return false
            }
        }
        return true
    }
}
