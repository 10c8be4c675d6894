import Crypto

/// What the store knows of a master key: whether a process must hold it, and how to tell that it holds the right one.
package struct MasterKeyRecord: Sendable, Hashable {
    /// Names the master key.
    package let id: MasterKeyID
    /// Whether nothing may be sealed under it any more.
    package let isRetired: Bool
    /// Whether live keys are sealed and digested under it.
    package let seals: Bool
    /// Whether live keys or tokens carry its tag.
    package let tags: Bool
    /// Under its tag subkey; nil until a process that holds it has noted it.
    package let tagFingerprint: [UInt8]?
    /// Under its digest subkey.
    package let digestFingerprint: [UInt8]?

    /// Puts a record together.
    package init(
        id: MasterKeyID, isRetired: Bool, seals: Bool, tags: Bool, tagFingerprint: [UInt8]?,
        digestFingerprint: [UInt8]?
    ) {
        self.id = id
        self.isRetired = isRetired
        self.seals = seals
        self.tags = tags
        self.tagFingerprint = tagFingerprint
        self.digestFingerprint = digestFingerprint
    }
}

/// What a line of the ring proves that it is, without the secret.
struct MasterKeyFingerprints: Sendable, Hashable {
    let tag: [UInt8]
    /// Nil for an entry that only recognises tags.
    let digest: [UInt8]?
}

extension Subkeys {
    /// 16 bytes under each subkey: whoever holds the subkey can check them, and they say nothing about it.
    var fingerprints: MasterKeyFingerprints {
        MasterKeyFingerprints(tag: Self.fingerprint(tagKey), digest: digest.map { Self.fingerprint($0) })
    }

    private static func fingerprint(_ key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array("keybearer v1 fingerprint".utf8), using: key).prefix(16))
    }
}
