import Crypto

/// The keys that one master key stands for, each derived with HKDF-SHA-256 under a label of its own, so that
/// what one of them does says nothing about the others.
struct Subkeys: Sendable {
    let id: MasterKeyID
    /// Makes the keyed tag: protects the store from forged keys. It is not the access check.
    let tagKey: SymmetricKey
    /// Makes the digest by which a key is found; nil in an entry that only recognises tags.
    let digest: SymmetricKey?
    /// Seals and opens keys; nil where only verification is possible.
    let seal: SymmetricKey?
    /// Seals the audit log; nil where only verification is possible.
    let audit: SymmetricKey?
    /// Seals audit subkeys of retired master keys; nil where only verification is possible.
    let auditWrapping: SymmetricKey?
    /// HMAC with ``tagKey`` already taken in: half of the work, and the same for every token of a flood.
    private let tagAuthenticator: HMAC<SHA256>
    /// The same with ``digest``.
    private let digestAuthenticator: HMAC<SHA256>?

    init(_ entry: MasterKeyRing.Entry) {
        id = entry.id
        switch entry.material {
        case .master(let bytes):
            let master = SymmetricKey(data: bytes)
            tagKey = Self.derive("tag", from: master)
            digest = Self.derive("digest", from: master)
            seal = Self.derive("seal", from: master)
            audit = Self.derive("audit", from: master)
            auditWrapping = Self.derive("audit wrapping", from: master)
        case .verifyOnly(let tagBytes, let digestBytes):
            tagKey = SymmetricKey(data: tagBytes)
            digest = SymmetricKey(data: digestBytes)
            (seal, audit, auditWrapping) = (nil, nil, nil)
        case .tagOnly(let tagBytes):
            tagKey = SymmetricKey(data: tagBytes)
            (digest, seal, audit, auditWrapping) = (nil, nil, nil, nil)
        }
        tagAuthenticator = HMAC(key: tagKey)
        digestAuthenticator = digest.map { HMAC(key: $0) }
    }

    private static func derive(_ purpose: String, from master: SymmetricKey) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: master, info: Array("keybearer v1 \(purpose)".utf8), outputByteCount: 32)
    }

    /// The number for which the tag's ten base62 characters stand. Of HMAC-SHA-256 over the prefix and the random
    /// characters, the first eight bytes as a big-endian number, modulo 62^10 (59.5 bits).
    func tag(over bytes: UnsafeRawBufferPointer) -> UInt64 {
        var authenticator = tagAuthenticator
        authenticator.update(data: bytes)
        let code = authenticator.finalize().withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
        return code % 839_299_365_868_340_224
    }

    /// The first eight bytes of a token's digest; nil where this entry makes none.
    func digestPrefix(of token: PresentedToken) -> DigestPrefix? {
        guard var authenticator = digestAuthenticator else { return nil }
        token.withBytes { authenticator.update(data: UnsafeRawBufferPointer($0)) }
        return authenticator.finalize().withUnsafeBytes { DigestPrefix($0) }
    }

    /// Whether a tag is the one that this entry gives. Compares in constant time.
    func made(_ presented: UInt64, over covered: UnsafeRawBufferPointer) -> Bool {
        isNone(tag(over: covered) ^ presented)
    }

    /// The entry with its secrets cut down to what recognising tags needs.
    var tagOnlyEntry: MasterKeyRing.Entry { .init(id: id, material: .tagOnly(tagKey.bytes)) }

    /// The entry with its secrets cut down to what verifying needs; tag-only entries stay what they are.
    var verifyOnlyEntry: MasterKeyRing.Entry {
        guard let digest else { return tagOnlyEntry }
        return .init(id: id, material: .verifyOnly(tag: tagKey.bytes, digest: digest.bytes))
    }
}

extension SymmetricKey {
    fileprivate var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}
