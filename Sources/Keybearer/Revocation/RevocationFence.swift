import Logging
import Synchronization

/// Keeps this process's memory true: it trusts its memory only under a lease, and renews the lease only when it has
/// applied every change.
///
/// The protocol, its assumptions and what each failure costs are in `docs/revocation.md`.
public final class RevocationFence: ChangePropagation {
    /// How often the store is asked for changes. It bounds how long another process waits for this one.
    static let pollInterval: Duration = .milliseconds(20)

    let store: any FenceStore
    private let cache: KeyCache
    private let clocks: Clocks
    private let random: RandomSource
    private let logger: Logger
    private let propagationWait: PropagationWait
    private let label: String
    /// How long memory may be trusted after a renewal was asked for.
    private let lease: Duration
    private let thread: any TaskExecutor
    /// Whether the ring at hand holds every master key that the database needs.
    private let masterKeys: MasterKeyWatch
    private let importedKeys: ImportedKeys
    private let registration = Lock(FenceRegistration())
    private let outage: StoreOutage
    private let metrics: NodeMetrics
    /// ``SteadyTime`` in nanoseconds until which memory may be trusted; read on every request.
    private let trustedUntil = Atomic<Int64>(.min)

    /// - Parameter onEverything: called before a change of everything is applied, and at each registration; when it
    ///   throws, the change is not acknowledged.
    init(
        store: any FenceStore, cache: KeyCache, importedKeys: ImportedKeys = ImportedKeys { [] }, clocks: Clocks,
        random: RandomSource, label: String = "", lease: Duration, thread: any TaskExecutor = StoreThread(),
        logger: Logger, metrics: NodeMetrics = .off, onEverything: @escaping @Sendable () async throws -> Void
    ) {
        (self.store, self.metrics) = (store, metrics)
        self.cache = cache
        self.importedKeys = importedKeys
        self.clocks = clocks
        self.random = random
        self.label = label
        self.lease = lease
        self.thread = thread
        self.logger = logger
        outage = StoreOutage(clocks: clocks, logger: logger)
        masterKeys = MasterKeyWatch(clocks: clocks, logger: logger, load: onEverything)
        propagationWait = PropagationWait(store: store, clocks: clocks, longestLease: lease)
    }

    /// Whether memory may be trusted by a request whose last byte was read before `now`.
    package func holdsLease(at now: SteadyTime) -> Bool {
        now.nanoseconds < trustedUntil.load(ordering: .acquiring)
    }

    /// Whether nothing can be acknowledged because the database needs a master key that is not at hand. It ends when
    /// the file has it.
    package var lacksMasterKeys: Bool { masterKeys.isLacking }

    /// Reads the master keys again, as after a rotation. It throws ``RingRefusal`` when they lack something that the
    /// database needs: then those in use and the lease stay.
    package func reloadMasterKeys() async throws { try await masterKeys.reload() }

    /// Under which id this process is registered; nil while it is not.
    var nodeID: NodeID? { registration.withLock { $0.nodeID } }
    /// How long the lease lasts if it is not renewed; zero without one.
    func leaseLeft(at now: SteadyTime) -> Duration {
        let end = trustedUntil.load(ordering: .acquiring)
        return end > now.nanoseconds ? .nanoseconds(end - now.nanoseconds) : .zero
    }

    /// One look at the store: registers if needed, applies what is new, renews when due.
    ///
    /// Only one step runs at a time; a second caller returns immediately.
    package func step() async {
        let isMine = registration.withLock { registration in
            if registration.isBusy || registration.isOver { return false }
            registration.isBusy = true
            return true
        }
        guard isMine else { return }
        defer {
            let waiting = registration.withLock { registration in
                registration.isBusy = false
                defer { registration.awaitingRest = [] }
                return registration.awaitingRest
            }
            for continuation in waiting { continuation.resume() }
        }
        do {
            if let nodeID = registration.withLock({ $0.nodeID }), holdsLease(at: clocks.steady()) {
                if masterKeys.isLacking { try await masterKeys.look() }
                if try await catchUp() { try await renewIfDue(nodeID) } else { try await register() }
            } else {
                try await register()
            }
            outage.recordResponse()
        } catch {
            if let lost = (error as? KeybearerError)?.cause as? DatabaseLost {
                giveUp(lost)
            } else {
                outage.recordFailure(error, holdsLease: holdsLease(at: clocks.steady()))
            }
        }
    }

    /// Gives the lease up, empties memory and says why, once: memory holds what a database said that is not there any
    /// more.
    package func giveUp(_ lost: DatabaseLost) {
        let isNews = registration.withLock { registration in
            trustedUntil.store(.min, ordering: .releasing)
            registration.nodeID = nil
            defer { registration.loss = lost }
            return registration.loss == nil
        }
        if isNews {
            cache.restart(at: cache.position)
            logger.critical("\(lost.message)")
        }
    }

    /// How long the store takes to answer, the way to it included: next to nothing for a file.
    var responseTime: Duration { outage.responseTime }

    /// Whether no lease comes back to this process: it stops, or its database is lost.
    var isOver: Bool { registration.withLock { $0.isOver } }

    /// Why the store could not be asked the last time; nil when it could.
    var lastFailure: (any Error)? { registration.withLock { $0.loss?.error } ?? outage.lastFailure }

    /// Applies every change up to this one here, then waits for the other nodes.
    package func waitUntilApplied(_ position: ChangeLogPosition) async {
        let begun = clocks.steady()
        await withTaskExecutorPreference(thread) { await waitUntilAppliedOnThread(position) }
        metrics.recordChangeWait(begun.duration(to: clocks.steady()))
    }

    private func waitUntilAppliedOnThread(_ position: ChangeLogPosition) async {
        let isApplied = await hasApplied(position)
        let own = registration.withLock { registration in
            if isApplied {
                registration.ownChanges.insert(position.number)
            } else {
                // What could not be applied must not be believed: the lease is given up, and nobody is left out of the
                // wait.
                trustedUntil.store(.min, ordering: .releasing)
                registration.giveUp()
            }
            return registration.nodeID
        }
        await propagationWait.wait(for: position, excluding: own)
    }

    /// Applies changes up to this one; false when the store cannot be asked, or does not have it: a failover went back.
    ///
    /// It looks at least once: the number alone proves nothing, for after a failover another change can have it.
    private func hasApplied(_ position: ChangeLogPosition) async -> Bool {
        while true {
            let before = cache.position
            guard (try? await catchUp()) == true else { return false }
            let reached = cache.position
            if reached == position || reached.number > position.number { return true }
            if reached == before { return false }
        }
    }

    /// Gives the lease back, so that no one waits for this node after a stop.
    package func stop() async {
        registration.withLock { registration in
            trustedUntil.store(.min, ordering: .releasing)
            registration.isStopped = true
            registration.giveUp()
        }
        // A step that runs may be registering. The process may end behind this, so the row must be gone by then.
        await rest()
        try? await removeGivenUp()
    }

    /// Returns when no step runs.
    private func rest() async {
        await withCheckedContinuation { continuation in
            let isAtRest = registration.withLock { registration in
                if registration.isBusy { registration.awaitingRest.append(continuation) }
                return !registration.isBusy
            }
            if isAtRest { continuation.resume() }
        }
    }

    /// Removes the rows of all registrations that were given up. What cannot be removed is tried again with the next
    /// one.
    private func removeGivenUp() async throws {
        while let nodeID = registration.withLock({ $0.givenUp.first }) {
            try await store.unregisterNode(nodeID)
            registration.withLock { registration in registration.givenUp.removeAll { $0 == nodeID } }
        }
    }

    /// Registers with empty memory at the current number, before the first read that may be cached. Called by steps
    /// alone, so one at a time: each removes the rows of those before it.
    private func register() async throws {
        trustedUntil.store(.min, ordering: .releasing)
        let hadLease = registration.withLock { registration in
            defer { registration.giveUp() }
            return registration.nodeID != nil
        }
        try await removeGivenUp()
        if hadLease { metrics.recordLeaseLoss() }
        // During an outage it is known why.
        if hadLease, !outage.isReported { logger.notice("The lease was lost; memory was emptied.") }
        // Registering for nothing again and again would make changes wait for this node.
        if masterKeys.isLacking { try await masterKeys.look() }
        let nodeID = NodeID.random(from: random)
        let requestedAt = clocks.steady()
        let position: ChangeLogPosition
        do {
            position = try await store.registerNode(
                nodeID, label: label, version: KeybearerVersion.current, lease: lease)
        } catch {
            // Its row may be there although no answer came. Asking immediately would only fail again.
            registration.withLock { $0.givenUp.append(nodeID) }
            throw error
        }
        do {
            // After registering, so that what is read is at least as new as the number that is acknowledged.
            try await masterKeys.look()
            try await importedKeys.catchUp(from: cache.position, to: position, changes: store.changes(after:))
        } catch {
            registration.withLock { $0.givenUp.append(nodeID) }
            try await removeGivenUp()
            throw error
        }
        cache.restart(at: position)
        // Together: who gives the lease up meanwhile must not see it come back under an id that is left out of a wait.
        let isOver = registration.withLock { registration in
            guard !registration.isOver else {
                registration.givenUp.append(nodeID)
                return true
            }
            registration.nodeID = nodeID
            registration.ownChanges = []
            registration.recordAcknowledged(position, requestedAt: requestedAt)
            trustedUntil.store(requestedAt.advanced(by: lease).nanoseconds, ordering: .releasing)
            return false
        }
        if isOver { return try await removeGivenUp() }
        // Many imported keys take longer to read than a lease is, and many changes may.
        if requestedAt.duration(to: clocks.steady()) >= lease / 4, try await catchUp() { try await renewIfDue(nodeID) }
    }

    /// Applies what is new.
    ///
    /// - Returns: false when the store has another history, for a restore or a failover went back. Then nothing that is
    ///   cached can be believed: the lease is given up, and the next step registers.
    private func catchUp() async throws -> Bool {
        let position = cache.position
        let requestedAt = clocks.steady()
        let found = try await store.changes(after: position)
        outage.recordResponseTime(since: requestedAt)
        guard let changes = found else {
            trustedUntil.store(.min, ordering: .releasing)
            return false
        }
        // Before the cache's position moves, by which this is acknowledged.
        importedKeys.apply(changes)
        // When it throws, nothing of this is acknowledged, and the lease runs out.
        if changes.contains(where: { $0.subject == .everything }) { try await masterKeys.look() }
        cache.apply(changes)
        metrics.recordChanges(changes.count)
        return true
    }

    private func renewIfDue(_ nodeID: NodeID) async throws {
        let requestedAt = clocks.steady()
        let position = cache.position
        let isDue = registration.withLock { registration in
            registration.isAwaited(at: position) || registration.lastRenewalAt.duration(to: requestedAt) >= lease / 4
        }
        guard isDue else { return }
        switch try await store.renewLease(of: nodeID, applied: position) {
        case .renewed:
            registration.withLock { $0.recordAcknowledged(position, requestedAt: requestedAt) }
            extendTrust(until: requestedAt.advanced(by: lease))
        case .behind: if !(try await catchUp()) { try await register() }
        case .unknownNode: try await register()
        }
    }

    /// Moves the end of the lease forward; a lease that was given up meanwhile stays given up.
    private func extendTrust(until end: SteadyTime) {
        var current = trustedUntil.load(ordering: .acquiring)
        while current != .min, current < end.nanoseconds {
            let (exchanged, original) = trustedUntil.compareExchange(
                expected: current, desired: end.nanoseconds, ordering: .acquiringAndReleasing)
            if exchanged { return }
            current = original
        }
    }
}
