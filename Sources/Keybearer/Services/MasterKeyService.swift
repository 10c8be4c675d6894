/// Rotation of the master keys: add everywhere, activate, re-seal and re-digest, retire.
public final class MasterKeyService: Sendable {
    private let context: ServiceContext
    private let settler: any ChangeSettling
    private static let batchSize = 200

    init(context: ServiceContext, settler: any ChangeSettling) {
        self.context = context
        self.settler = settler
    }

    /// Rotates to a new master key while servers run. Can be run again after an interruption.
    ///
    /// Each step is made known to every node before the next begins, so no node ever meets a key that was
    /// sealed under a master key that it does not hold.
    ///
    /// - Parameters:
    ///   - save: writes the ring where every node reads it; called up to three times.
    ///   - progress: told how many keys have been sealed anew.
    /// - Returns: the ring that is now in use.
    public func rotate(
        save: (MasterKeyRing) throws -> Void, progress: (Int) -> Void
    ) async throws -> MasterKeyRing {
        let ring = context.vault.current.ring
        let entry = MasterKeyRing.Entry(
            id: .random(from: context.random), material: .master(context.random.bytes(32)))
        let added = try MasterKeyRing(entries: ring.entries + [entry], activeID: ring.activeID)
        try await adopt(added, save: save)
        let activated = try MasterKeyRing(entries: added.entries, activeID: entry.id)
        try await adopt(activated, save: save)
        // A command or a request that began under the old ring may still be at work. From here on the store refuses
        // what it seals, so once nothing is left under the old master keys, nothing ever will be.
        let old = activated.entries.map(\.id).filter { $0 != entry.id }
        try await context.store.retireMasterKeys(
            old, by: .commandLine, audit: context.event(.masterKeysChanged, by: .commandLine))
        try await resealAll(progress: progress)
        let retired = try await retire(keeping: entry.id)
        try await adopt(retired, save: save)
        return retired
    }

    private func adopt(_ ring: MasterKeyRing, save: (MasterKeyRing) throws -> Void) async throws {
        try save(ring)
        context.vault.replace(with: KeyVault(ring: ring))
        let event = context.event(.masterKeysChanged, by: .commandLine)
        await settler.waitUntilApplied(
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
            if batch.isEmpty { return }
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
    }

    /// The ring without the old master keys. Of those whose tag a live key carries, the tag subkey stays.
    private func retire(keeping activeID: MasterKeyID) async throws -> MasterKeyRing {
        let vault = context.vault.current
        var carried: Set<MasterKeyID> = []
        var last: UserID?
        while true {
            let page = try await context.store.storedKeys(after: last, limit: Self.batchSize)
            guard let end = page.last else { break }
            for stored in page {
                let secret = try vault.open(
                    stored.sealed, userID: stored.userID, keyID: stored.keyID, version: stored.version)
                for entry in vault.ring.entries where vault.carriesTag(secret, of: entry.id) {
                    carried.insert(entry.id)
                }
            }
            last = end.userID
        }
        var ring = vault.ring
        for entry in ring.entries where entry.id != activeID {
            ring = try KeyVault(ring: ring).ringRetiring(entry.id, keepingTag: carried.contains(entry.id))
        }
        return ring
    }

    /// Checks that every live key opens with this ring.
    ///
    /// - Returns: the ids of the accounts whose key does not open.
    public func unopenableKeys() async throws -> [UserID] {
        let vault = context.vault.current
        var failed: [UserID] = []
        var last: UserID?
        while true {
            let page = try await context.store.storedKeys(after: last, limit: Self.batchSize)
            guard let end = page.last else { return failed }
            failed += page.filter { stored in
                let opened = try? vault.open(
                    stored.sealed, userID: stored.userID, keyID: stored.keyID, version: stored.version)
                return opened == nil
            }.map(\.userID)
            last = end.userID
        }
    }
}
