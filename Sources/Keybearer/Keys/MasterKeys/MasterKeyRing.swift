/// The master keys of a deployment: one that new keys are made under, and others that are still understood.
///
/// The ring is kept outside the database, so a copy of the database alone opens nothing.
public struct MasterKeyRing: Sendable {
    /// One master key, or what is left of one.
    public struct Entry: Sendable {
        /// What an entry is good for.
        public enum Material: Sendable {
            /// The master key itself: 32 bytes from which every subkey is derived.
            case master([UInt8])
            /// Tag and digest subkeys alone: verifies, but can neither open nor make a key.
            case verifyOnly(tag: [UInt8], digest: [UInt8])
            /// The tag subkey alone, kept while a live key carries its tag.
            case tagOnly([UInt8])
        }

        /// Names the entry; sealed keys and digests say under which one they were made.
        public let id: MasterKeyID
        /// The secret bytes.
        public let material: Material

        /// Puts an entry together.
        public init(id: MasterKeyID, material: Material) {
            self.id = id
            self.material = material
        }
    }

    /// All entries; ids are unique.
    public let entries: [Entry]
    /// The entry under which keys are made, sealed and digested; nil on a node that only verifies.
    public let activeID: MasterKeyID?

    /// Checks and wraps a ring.
    ///
    /// - Throws: ``MasterKeyRingError`` when it is empty, an id repeats, the active entry is missing or not a
    ///   master key, a secret is not 32 bytes, or a secret is a sample or plainly not random.
    public init(entries: [Entry], activeID: MasterKeyID?) throws(MasterKeyRingError) {
        guard !entries.isEmpty else { throw .empty }
        guard Set(entries.map(\.id)).count == entries.count else { throw .repeatedID }
        for entry in entries {
            let secrets =
                switch entry.material {
                case .master(let key): [key]
                case .verifyOnly(let tag, let digest): [tag, digest]
                case .tagOnly(let tag): [tag]
                }
            guard secrets.allSatisfy({ $0.count == 32 }) else { throw .wrongLength(entry.id) }
            guard secrets.allSatisfy(Self.looksRandom) else { throw .sample(entry.id) }
        }
        if let activeID {
            guard let active = entries.first(where: { $0.id == activeID }), case .master = active.material else {
                throw .noActiveMaster
            }
        }
        self.entries = entries
        self.activeID = activeID
    }

    /// A new ring with one random master key.
    public static func generate(from random: RandomSource) throws(MasterKeyRingError) -> MasterKeyRing {
        let entry = Entry(id: .random(from: random), material: .master(random.bytes(32)))
        return try MasterKeyRing(entries: [entry], activeID: entry.id)
    }

    /// 32 random bytes hold about 30 different values; a sample, a word or a counter in hex holds far fewer.
    private static func looksRandom(_ secret: [UInt8]) -> Bool {
        // Counting up, down or in steps gives one difference over and over; 31 random ones are nearly all different.
        let differences = Dictionary(grouping: zip(secret, secret.dropFirst()).map { $1 &- $0 }) { $0 }
        let isCounting = differences.values.contains { $0.count >= 16 }
        return Set(secret).count >= 16 && !isCounting && !secret.allSatisfy { $0 >= 32 && $0 < 127 }
    }
}

/// Why a ring of master keys was refused. No case carries secret bytes.
public enum MasterKeyRingError: Error, Sendable, Equatable {
    /// There is no entry.
    case empty
    /// Two entries have one id.
    case repeatedID
    /// A secret is not 32 bytes.
    case wrongLength(MasterKeyID)
    /// A secret is a documentation sample or plainly not random.
    case sample(MasterKeyID)
    /// No entry is marked active, or the active one is not a master key.
    case noActiveMaster
    /// A line of the file is not understood.
    case malformedLine(Int)
}
