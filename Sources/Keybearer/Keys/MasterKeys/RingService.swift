import Logging

/// Whether the master keys at hand are those of the database.
///
/// Every process that makes, opens or verifies keys calls ``require(_:)`` at its start. With another deployment's
/// master keys it would refuse good keys with `401`, and replace them with keys that no other server accepts.
public final class RingService: Sendable {
    /// What to do with a database that has no master keys yet.
    public enum NewDatabase: Sendable {
        /// Refuse: a server would refuse everybody with `401`.
        case refuse
        /// Go on: there is nothing to protect.
        case allow
        /// Make the ring at hand the database's own. Of several that try at the same moment exactly one succeeds.
        case claim
    }

    private let context: ServiceContext
    private let logger: Logger

    init(context: ServiceContext, logger: Logger) {
        self.context = context
        self.logger = logger
    }

    /// Refuses unless the ring holds every master key that the database needs.
    ///
    /// A database of version 0.1 does not know what its master keys are. The first process with a ring that opens keys
    /// opens every key once and records them; one that only verifies goes on without.
    ///
    /// - Throws: ``RingRefusal``; `UNAVAILABLE`.
    public func require(_ newDatabase: NewDatabase) async throws {
        let vault = context.vault.current
        var records = try await context.store.masterKeys()
        if !records.contains(where: \.isInUse) {
            switch newDatabase {
            case .refuse: throw RingRefusal([.noneRecorded])
            case .allow: return
            case .claim:
                guard let active = vault.activeRecord else { throw RingRefusal([.onlyVerifies]) }
                records = try await context.store.claimMasterKeys([active])
            }
        }
        let missing = vault.problems(with: records)
        guard missing.isEmpty else { throw RingRefusal(missing) }
        if records.contains(where: \.lacksFingerprint) {
            guard vault.canSeal else {
                logger.warning(
                    "The database does not say yet what its master keys are. A process that holds all of them notes it."
                )
                return
            }
            records = try await stamp(records, vault)
            let missing = vault.problems(with: records)
            guard missing.isEmpty else { throw RingRefusal(missing) }
        }
        if let problem = vault.activeProblem(with: records) { throw RingRefusal([problem]) }
    }

    /// Opens every key once and records which master keys seal keys, and whose tags keys and tokens carry.
    ///
    /// - Throws: ``RingRefusal`` when the ring does not open keys, or does not recognise a tag. Nothing is recorded
    ///   then.
    private func stamp(_ records: [MasterKeyRecord], _ vault: KeyVault) async throws -> [MasterKeyRecord] {
        let survey = try await KeySurvey(context.store, vault)
        let retired = records.filter(\.isRetired).map(\.id)
        var problems = survey.problems(vault)
        if survey.unrecognised > 0, problems.isEmpty {
            let held = Set(vault.ring.entries.map(\.id))
            problems.append(.unknownTag(keys: survey.unrecognised, among: retired.filter { !held.contains($0) }))
        }
        guard problems.isEmpty else { throw RingRefusal(problems) }
        let tags = survey.tags.union(try await context.store.tagKeysOfTokens())
        // What is recorded already stays: another process may be about to seal under it.
        var ids = tags.union(survey.sealing).union(records.filter(\.isInUse).map(\.id))
        if let active = vault.ring.activeID, !retired.contains(active) { ids.insert(active) }
        let recorded = ids.sorted().compactMap { id in
            let known = records.first { $0.id == id }
            let isActive = id == vault.ring.activeID && !retired.contains(id)
            return vault.record(
                of: id, seals: known?.seals == true || survey.sealing.contains(id) || isActive,
                tags: known?.tags == true || tags.contains(id) || isActive)
        }
        let stamped = try await context.store.stampMasterKeys(recorded)
        logger.notice(
            "Opened every key once, and noted the master keys of this database.",
            metadata: [
                "keys": "\(survey.keys)", "master keys": "\(recorded.map(\.id.rawValue).joined(separator: " "))",
            ])
        return stamped
    }
}

/// What all live keys say about the master keys.
struct KeySurvey {
    private static let batchSize = 200

    /// How many keys there are.
    private(set) var keys = 0
    /// The master keys under which keys are sealed.
    private(set) var sealing: Set<MasterKeyID> = []
    /// The master keys whose tag a key carries.
    private(set) var tags: Set<MasterKeyID> = []
    /// How many keys carry a tag that the ring does not recognise.
    private(set) var unrecognised = 0
    /// The accounts whose key does not open.
    private(set) var unopenable: [UserID] = []
    /// The master keys under which at least one key opens: they are right, and keys that do not open are damaged.
    private var opening: Set<MasterKeyID> = []

    /// Opens every key.
    init(_ store: any KeyStore, _ vault: KeyVault) async throws {
        var last: UserID?
        while true {
            let page = try await store.storedKeys(after: last, limit: Self.batchSize)
            guard let end = page.last else { return }
            for stored in page { look(at: stored, vault) }
            last = end.userID
        }
    }

    private mutating func look(at stored: StoredKey, _ vault: KeyVault) {
        keys += 1
        sealing.insert(stored.sealed.masterKeyID)
        let opened = try? vault.open(
            stored.sealed, userID: stored.userID, keyID: stored.keyID, version: stored.version)
        guard let opened else { return unopenable.append(stored.userID) }
        opening.insert(stored.sealed.masterKeyID)
        // A key that was imported carries no tag.
        if opened.isImported { return }
        if let id = vault.tagKey(of: opened) { tags.insert(id) } else { unrecognised += 1 }
    }

    /// The master keys under which no key opens.
    func problems(_ vault: KeyVault) -> [RingProblem] {
        sealing.subtracting(opening).sorted().map { id in
            vault.canOpen(under: id) ? .differs(id, .seal) : .missing(id, .seal)
        }
    }
}
