/// Rotation of the master keys: add everywhere, activate, re-seal and re-digest, retire.
public final class MasterKeyService: Sendable {
    /// How far a rotation is. It can be interrupted behind each step, and run again.
    enum Step: CaseIterable {
        case saved, recorded, announced, activationSaved, activated, retired, resealed, released, retirementSaved
    }

    private let context: ServiceContext
    private let propagation: any ChangePropagation
    private let node: Node?
    private static let batchSize = 200

    /// - Parameter node: the node of this process; nil in a command.
    init(context: ServiceContext, propagation: any ChangePropagation, node: Node?) {
        self.context = context
        self.propagation = propagation
        self.node = node
    }

    /// Rotates to a new master key while servers run. Can be run again after an interruption.
    ///
    /// Each step is made known to every node before the next begins, so no node ever meets a key that was
    /// sealed under a master key that it does not hold.
    ///
    /// - Parameters:
    ///   - save: writes the ring where every node reads it; called up to three times.
    ///   - progress: told how many keys have been sealed again.
    /// - Returns: the ring that is now in use.
    public func rotate(
        save: (MasterKeyRing) throws -> Void, progress: (Int) -> Void
    ) async throws -> MasterKeyRing {
        try await rotate(save: save, progress: progress) { _ in }
    }

    /// - Parameter reached: called behind each step; what it throws interrupts the rotation there.
    func rotate(
        save: (MasterKeyRing) throws -> Void, progress: (Int) -> Void, reached: (Step) throws -> Void
    ) async throws -> MasterKeyRing {
        let ring = context.vault.current.ring
        let entry = MasterKeyRing.Entry(
            id: .random(from: context.random), material: .master(context.random.bytes(32)))
        let added = try MasterKeyRing(entries: ring.entries + [entry], activeID: ring.activeID)
        // The file before the record: what the database needs must be in the file whenever a process starts.
        try save(added)
        try reached(.saved)
        if let record = KeyVault(ring: added).record(of: entry.id, seals: true, tags: true) {
            try await context.store.putMasterKeys([record])
        }
        try reached(.recorded)
        try await announce(added)
        try reached(.announced)
        let activated = try MasterKeyRing(entries: added.entries, activeID: entry.id)
        try save(activated)
        try reached(.activationSaved)
        try await announce(activated)
        // What the old ones sealed in the audit log is verified with their subkeys, which go with them otherwise.
        try await context.store.putAuditKeys(
            context.vault.current.keepAuditKeys(with: try await context.store.auditKeys()))
        try reached(.activated)
        // A command or a request that began under the old ring may still be at work. From here on the store refuses
        // what it seals, so once nothing is left under the old master keys, nothing ever will be.
        let old = activated.entries.map(\.id).filter { $0 != entry.id }
        try await context.store.retireMasterKeys(
            old, by: .commandLine, audit: context.event(.masterKeysChanged, by: .commandLine))
        try reached(.retired)
        try await resealAll(progress: progress)
        try reached(.resealed)
        let retired = try await release(old)
        try reached(.released)
        try save(retired)
        try reached(.retirementSaved)
        try await announce(retired)
        return retired
    }

    /// Uses a ring that was saved, and waits until every node does or has lost its lease.
    private func announce(_ ring: MasterKeyRing) async throws {
        let vault = KeyVault(ring: ring)
        try await node?.expect(vault)
        context.vault.replace(with: vault)
        let event = context.event(.masterKeysChanged, by: .commandLine)
        await propagation.waitUntilApplied(
            try await context.store.recordChange(of: .everything, by: .commandLine, audit: event))
    }

    private func resealAll(progress: (Int) -> Void) async throws {
        let vault = context.vault.current
        guard let activeID = vault.ring.activeID else {
            throw KeybearerError(.unavailable, "This ring holds no active master key.")
        }
        var done = 0
        while true {
            let batch = try await context.store.keys(notSealedUnder: activeID, limit: Self.batchSize)
            if batch.isEmpty { break }
            let resealed = try batch.map { stored in
                let secret = try vault.open(
                    stored.sealed, userID: stored.userID, keyID: stored.keyID, version: stored.version)
                let sealed = try vault.seal(
                    secret, userID: stored.userID, keyID: stored.keyID, version: stored.version)
                return StoredKey(userID: stored.userID, keyID: stored.keyID, version: stored.version, sealed: sealed)
            }
            try await context.store.reseal(
                resealed, by: .commandLine, audit: context.event(.keyResealed, by: .commandLine))
            done += batch.count
            progress(done)
        }
        while try await resealSecondFactors(vault, under: activeID) {}
        while try await resealWebhookSecrets(vault, under: activeID) {}
    }

    /// - Returns: whether there were any.
    private func resealSecondFactors(_ vault: KeyVault, under activeID: MasterKeyID) async throws -> Bool {
        let batch = try await context.store.secondFactors(notSealedUnder: activeID, limit: Self.batchSize)
        if batch.isEmpty { return false }
        let resealed = try batch.map { factor in
            let binding = SecondFactor.binding(factor.id, of: factor.userID)
            return SecondFactor(
                id: factor.id, userID: factor.userID,
                sealed: try vault.seal(try vault.open(factor.sealed, boundTo: binding), boundTo: binding),
                createdAt: factor.createdAt)
        }
        try await context.store.reseal(
            resealed, by: .commandLine, audit: context.event(.keyResealed, by: .commandLine))
        return true
    }

    /// - Returns: whether there were any.
    private func resealWebhookSecrets(_ vault: KeyVault, under activeID: MasterKeyID) async throws -> Bool {
        let batch = try await context.store.webhookSecrets(notSealedUnder: activeID, limit: Self.batchSize)
        if batch.isEmpty { return false }
        let resealed = try batch.map { id, sealed in
            let binding = WebhookSecrets.binding(id)
            return (
                id: id, old: sealed,
                new: try vault.seal(try vault.open(sealed, boundTo: binding), boundTo: binding)
            )
        }
        try await context.store.resealWebhookSecrets(
            resealed, by: .commandLine, audit: context.event(.keyResealed, by: .commandLine))
        return true
    }

    /// Ends the need for the old master keys in the database, and then only leaves them out of the ring. Of those whose
    /// tag a live key, session or operator token carries, the tag subkey stays.
    private func release(_ old: [MasterKeyID]) async throws -> MasterKeyRing {
        let vault = context.vault.current
        try await context.store.removeExpiredSessions(SessionPolicy(), now: context.clocks.wall())
        let survey = try await KeySurvey(context.store, vault)
        guard survey.unopenable.isEmpty else {
            throw KeybearerError(
                .internalError, "\(survey.unopenable.count) keys do not open. Run 'keybearer doctor' to see more.")
        }
        let needed = try await context.store.releaseMasterKeys(old, keepingTagsOf: survey.tags)
        var ring = vault.ring
        for id in old { ring = try KeyVault(ring: ring).ringRetiring(id, keepingTag: needed.contains(id)) }
        return ring
    }

    /// Checks that every live key opens with this ring.
    ///
    /// - Returns: the ids of the accounts whose key does not open.
    public func unopenableKeys() async throws -> [UserID] {
        try await KeySurvey(context.store, context.vault.current).unopenable
    }
}
