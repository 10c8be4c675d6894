/// Why a ring of master keys does not fit a database.
public enum RingProblem: Sendable, Hashable {
    /// What a line of the ring is needed for.
    public enum Purpose: Sendable, Hashable {
        /// Live keys are sealed and digested under it.
        case seal
        /// Live keys, sessions or operator tokens carry its tag.
        case tag
    }

    /// No line of the ring is good for what the database needs this master key for.
    case missing(MasterKeyID, Purpose)
    /// The ring has a line with this id, but with another secret than the one that the database was made with.
    case differs(MasterKeyID, Purpose)
    /// Some live keys carry a tag that no line recognises: that of one of these retired master keys, if there are any.
    case unknownTag(keys: Int, among: [MasterKeyID])
    /// The ring would seal new keys under a master key that this database does not know.
    case activeIsUnknown(MasterKeyID, known: [MasterKeyID])
    /// The ring would seal new keys under a master key that was retired.
    case activeIsRetired(MasterKeyID)
    /// The database has no master keys yet.
    case noneRecorded
    /// The ring only verifies, and a new database needs one that makes keys.
    case onlyVerifies
    /// The ring cannot be read; says why.
    case unreadable(String)

    /// The master keys that are wanted.
    package var wanted: [MasterKeyID] {
        switch self {
        case .missing(let id, _), .differs(let id, _): [id]
        case .unknownTag(_, let among): among
        case .activeIsUnknown(_, let known): known
        case .activeIsRetired, .noneRecorded, .onlyVerifies, .unreadable: []
        }
    }
}

extension RingProblem: CustomStringConvertible {
    /// What is wrong and what to do about it. It holds no secret.
    public var description: String { "\(summary) \(advice)" }

    /// What is wrong.
    public var summary: String {
        switch self {
        case .missing(let id, .seal): "\(id) is missing: Secret Keys are sealed under it."
        case .missing(let id, .tag): "\(id) is missing: keys or tokens carry its tag."
        case .differs(let id, let purpose):
            "\(id) has another secret than the one that \(purpose == .seal ? "sealed the keys" : "made the tags") in this "
                + "database."
        case .unknownTag(let keys, let among):
            "\(keys) Secret Keys carry a tag that no line recognises."
                + (among.isEmpty ? "" : " It is the tag of one of \(Self.list(among)).")
        case .activeIsUnknown(let id, _): "\(id) is marked 'active', but this database does not know it."
        case .activeIsRetired(let id): "\(id) is marked 'active', but it was retired by a rotation."
        case .noneRecorded: "The database has no master keys and no accounts yet."
        case .onlyVerifies: "The database is new, and these master keys only verify."
        case .unreadable(let reason): reason
        }
    }

    /// What to do about it.
    public var advice: String {
        switch self {
        case .missing(let id, .seal):
            "Add its line from a backup of the master-key file: 'master \(id) …', or 'verify \(id) …' on a server that "
                + "only verifies."
        case .missing(let id, .tag):
            "Add its line from a backup of the master-key file: 'tag \(id) …', or any other line with this id."
        case .differs: "Replace its line with the one from a backup of the master-key file that belongs to it."
        case .unknownTag(_, let among):
            among.isEmpty
                ? "Use the master-key file that belongs to this database, from its backup."
                : "Add its line 'tag mk_… …' or 'master mk_… …' from a backup of the master-key file."
        case .activeIsUnknown(let id, let known):
            "Mark \(Self.list(known)) 'active', and remove the line of \(id)."
        case .activeIsRetired: "Use the master-key file that the rotation wrote."
        case .noneRecorded: "Run 'keybearer init', or check that this is the right database."
        case .onlyVerifies: "Use a master-key file with an 'active' line."
        case .unreadable: "Restore the file from its backup, with mode 0600."
        }
    }

    private static func list(_ ids: [MasterKeyID]) -> String { ids.map(\.rawValue).joined(separator: ", ") }
}

/// A ring of master keys does not fit a database: nothing was changed.
public struct RingRefusal: Error, Sendable, CustomStringConvertible {
    /// What is wrong; never empty.
    public let problems: [RingProblem]

    /// Puts a refusal together.
    package init(_ problems: [RingProblem]) {
        self.problems = problems
    }

    public var description: String { problems.map(\.description).joined(separator: " ") }
}

extension MasterKeyRecord {
    /// Whether every process must hold it.
    package var isInUse: Bool { seals || tags }

    /// Whether it is in use and nobody has noted yet how to tell it.
    package var lacksFingerprint: Bool { (tags && tagFingerprint == nil) || (seals && digestFingerprint == nil) }
}

extension KeyVault {
    /// What this ring lacks of what the database needs. It may hold more than that.
    ///
    /// Each line checks what it holds: one that only verifies has the subkeys for digest and tag, a bare `tag` line
    /// that for the tag.
    package func problems(with records: [MasterKeyRecord]) -> [RingProblem] {
        records.filter(\.isInUse).compactMap { record in
            guard let held = subkeys.first(where: { $0.id == record.id }) else {
                return .missing(record.id, record.seals ? .seal : .tag)
            }
            let fingerprints = held.fingerprints
            if record.seals {
                guard let digest = fingerprints.digest else { return .missing(record.id, .seal) }
                if let known = record.digestFingerprint, known != digest { return .differs(record.id, .seal) }
            }
            if record.tags, let known = record.tagFingerprint, known != fingerprints.tag {
                return .differs(record.id, .tag)
            }
            return nil
        }
    }

    /// Whether new keys would be sealed under a master key that every process holds.
    func activeProblem(with records: [MasterKeyRecord]) -> RingProblem? {
        guard let id = ring.activeID else { return nil }
        guard let record = records.first(where: { $0.id == id }), record.isRetired || record.seals else {
            return .activeIsUnknown(id, known: records.filter { $0.seals && !$0.isRetired }.map(\.id))
        }
        return record.isRetired ? .activeIsRetired(id) : nil
    }

    /// What the store notes of a master key of this ring; nil when the ring does not hold it.
    func record(of id: MasterKeyID, seals: Bool, tags: Bool) -> MasterKeyRecord? {
        subkeys.first { $0.id == id }.map { held in
            let fingerprints = held.fingerprints
            return MasterKeyRecord(
                id: id, isRetired: false, seals: seals, tags: tags, tagFingerprint: fingerprints.tag,
                digestFingerprint: fingerprints.digest)
        }
    }

    /// What the store notes of the active master key; nil on a ring that only verifies.
    var activeRecord: MasterKeyRecord? {
        canSeal ? ring.activeID.flatMap { record(of: $0, seals: true, tags: true) } : nil
    }
}

extension KeybearerError {
    /// The database needs a master key that this process does not have yet, or the one in use is retired.
    package static let masterKeysRotated = KeybearerError(
        .unavailable, "The master keys were rotated meanwhile. Nothing was changed; try again.")
}
