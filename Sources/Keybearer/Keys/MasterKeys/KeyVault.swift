import Crypto
import Foundation

/// Makes, seals, opens, digests and recognises Secret Keys, with subkeys of a ``MasterKeyRing``.
///
/// Immutable: a rotation puts a new vault in the old one's place. A class, so that to hold one is to count one holder
/// instead of one for each subkey.
public final class KeyVault: Sendable {
    /// The ring from which this vault was made.
    package let ring: MasterKeyRing
    /// The subkeys of all entries.
    let subkeys: [Subkeys]
    /// Whose tag new tokens carry: the active master key's, or on a node that only verifies that of the last entry that
    /// is not retired.
    let mintingSubkeys: Subkeys
    private let active: Subkeys?
    /// Whoever makes digests, the active master key last.
    private let digesting: [(id: MasterKeyID, key: SymmetricKey)]

    /// Derives the subkeys of every entry of the ring.
    public init(ring: MasterKeyRing) {
        self.ring = ring
        subkeys = ring.entries.map(Subkeys.init)
        active = subkeys.first { $0.id == ring.activeID }
        let digesting = subkeys.compactMap { subkeys in subkeys.digest.map { (id: subkeys.id, key: $0) } }
        self.digesting = digesting.filter { $0.id != ring.activeID } + digesting.filter { $0.id == ring.activeID }
        // Lines of retired master keys can stand last, such as one that was added from a backup. A ring is never empty.
        mintingSubkeys = active ?? subkeys.last { $0.digest != nil } ?? subkeys[subkeys.endIndex - 1]
    }

    /// Whether this vault opens what was sealed under a master key.
    func canOpen(under id: MasterKeyID) -> Bool { subkeys.contains { $0.id == id && $0.seal != nil } }

    /// The master keys under which this vault makes digests.
    var digestKeyIDs: Set<MasterKeyID> { Set(subkeys.lazy.filter { $0.digest != nil }.map(\.id)) }

    /// Whether this vault can make and open keys, or only verify them.
    var canSeal: Bool { active?.seal != nil }

    /// Makes a new key under the active master key.
    ///
    /// - Throws: `UNAVAILABLE` on a node that only verifies.
    public func issue(prefix: KeyPrefix, random: RandomSource) throws(KeybearerError) -> SecretKey {
        let active = try requireActive()
        let characters = random.base62(count: SecretKey.randomLength)
        let tag = (Array(prefix.characters.utf8) + characters).withUnsafeBytes { active.tag(over: $0) }
        let tagCharacters = Base62.encode(tag, width: SecretKey.tagLength)
        guard let key = SecretKey(prefix: prefix, random: characters, tag: tagCharacters) else {
            throw KeybearerError(.internalError, "A new key could not be made.")
        }
        return key
    }

    /// Whether the key's tag was made under one of the ring's tag subkeys.
    ///
    /// A true answer does not mean that the key is live, only that it was ever issued here: what fails this test never
    /// reaches the store.
    package func isGenuine(_ key: SecretKey) -> Bool {
        tagKey(of: key) != nil
    }

    /// The master key whose tag a key carries; nil when the ring does not recognise it.
    func tagKey(of key: SecretKey) -> MasterKeyID? {
        if key.isImported { return nil }
        return key.withTag { covered, presented in subkeys.first { $0.made(presented, over: covered) }?.id }
    }

    /// The digests by which the store may know the key, one for each master key that is not retired.
    package func digests(of key: SecretKey) -> [[UInt8]] { digests(of: key.token) }

    /// The digests by which the store may know a token, one for each master key that is not retired, in the order of
    /// ``namedDigests(of:)``.
    func digests(of token: PresentedToken) -> [[UInt8]] {
        digesting.map { Self.digest(of: token, using: $0.key) }
    }

    /// The first bytes of these digests.
    func digestPrefixes(of token: PresentedToken) -> [DigestPrefix] {
        subkeys.compactMap { $0.digestPrefix(of: token) }
    }

    /// The digests of a token with the master keys that made them, the active one's last.
    ///
    /// A rotation moves a key's row from another digest to the active one's. Who looks for all of them in this order finds
    /// the row wherever it is.
    func namedDigests(of token: PresentedToken) -> [KeyDigest] {
        digesting.map { KeyDigest(masterKeyID: $0.id, digest: Self.digest(of: token, using: $0.key)) }
    }

    /// What is remembered of a request in place of its digest.
    ///
    /// - Parameter id: whose tag subkey makes it, so that it stays the same over rotations that leave that in the ring;
    ///   nil for the one in use.
    func requestDigest(_ digest: [UInt8], under id: MasterKeyID?) -> [UInt8] {
        let maker = subkeys.first { $0.id == id } ?? mintingSubkeys
        return Array(
            HMAC<SHA256>.authenticationCode(for: Array("keybearer request ".utf8) + digest, using: maker.tagKey))
    }

    /// Seals and digests a key under the active master key, bound to the account, the key's id and its version.
    ///
    /// - Throws: `UNAVAILABLE` on a node that only verifies.
    public func seal(
        _ key: SecretKey, userID: UserID, keyID: KeyID, version: Int
    ) throws(KeybearerError) -> SealedKey {
        let active = try requireActive()
        guard let sealKey = active.seal, let digestKey = active.digest else { throw Self.verifyOnly }
        let data = Self.associatedData(userID: userID, keyID: keyID, version: version)
        do {
            let box = try AES.GCM.seal(Array(key.characters.utf8), using: sealKey, authenticating: data)
            guard let combined = box.combined else { throw CryptoKitError.incorrectParameterSize }
            return SealedKey(
                masterKeyID: active.id, box: Array(combined), digest: Self.digest(of: key.token, using: digestKey))
        } catch {
            throw KeybearerError(.internalError, "The key could not be sealed.", cause: error)
        }
    }

    /// Opens a sealed key.
    ///
    /// - Throws: `UNAVAILABLE` where the master key is missing or only verifies; `INTERNAL_ERROR` when the box does
    ///   not belong to this account, key and version, or was altered.
    package func open(
        _ sealed: SealedKey, userID: UserID, keyID: KeyID, version: Int
    ) throws(KeybearerError) -> SecretKey {
        guard let sealKey = subkeys.first(where: { $0.id == sealed.masterKeyID })?.seal else { throw Self.verifyOnly }
        let data = Self.associatedData(userID: userID, keyID: keyID, version: version)
        let characters: Data
        do {
            characters = try AES.GCM.open(.init(combined: sealed.box), using: sealKey, authenticating: data)
        } catch {
            throw KeybearerError(.internalError, "The key could not be opened.", cause: error)
        }
        // No key of our shape is ever imported.
        if let key = SecretKey(parsing: characters) { return key }
        guard let imported = ImportedToken(opened: String(decoding: characters, as: UTF8.self)) else {
            throw KeybearerError(.internalError, "The key could not be opened.")
        }
        return SecretKey(imported)
    }

    func requireActive() throws(KeybearerError) -> Subkeys {
        guard let active else { throw Self.verifyOnly }
        return active
    }

    static let verifyOnly = KeybearerError(
        .unavailable, "This server can verify keys but holds no master key to make or show one.")

    private static func digest(of token: PresentedToken, using subkey: SymmetricKey) -> [UInt8] {
        token.withBytes { Array(HMAC<SHA256>.authenticationCode(for: UnsafeRawBufferPointer($0), using: subkey)) }
    }

    private static func associatedData(userID: UserID, keyID: KeyID, version: Int) -> [UInt8] {
        Array("keybearer v1 key \(userID) \(keyID) \(version)".utf8)
    }
}

extension KeyVault {
    /// The ring cut down to what a node needs that verifies but never shows or makes a key.
    package func verifyOnlyRing() throws(MasterKeyRingError) -> MasterKeyRing {
        try MasterKeyRing(entries: subkeys.map(\.verifyOnlyEntry), activeID: nil)
    }

    /// The ring without the secrets of one entry but its tag subkey.
    func ringRetiring(_ id: MasterKeyID, keepingTag: Bool) throws(MasterKeyRingError) -> MasterKeyRing {
        let entries = subkeys.compactMap { subkeys -> MasterKeyRing.Entry? in
            guard subkeys.id == id else { return ring.entries.first { $0.id == subkeys.id } }
            return keepingTag ? subkeys.tagOnlyEntry : nil
        }
        return try MasterKeyRing(entries: entries, activeID: ring.activeID)
    }
}
