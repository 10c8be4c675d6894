/// A key that a customer of the product had before the product came to Keybearer.
///
/// It carries no tag and no checksum: that it may be a key is known from ``ImportedKeys`` alone.
struct ImportedToken: Sendable {
    /// All the characters. This is the secret.
    let characters: String
    /// As a request presents it.
    let token: PresentedToken

    /// Guessing must be out of the question, and no key that anybody made at random has fewer.
    static let fewestDistinct = 10

    /// Accepts what may become a key.
    ///
    /// - Parameters:
    ///   - keyPrefix: the one of new keys.
    ///   - vault: knows the tags of this installation.
    /// - Throws: `VALIDATION_FAILED` with the field `key`. The message never repeats the token.
    init(importing text: String, keyPrefix: KeyPrefix, vault: KeyVault) throws(KeybearerError) {
        guard let token = ImportedToken(opened: text) else {
            throw Self.refusal(
                "Send 20 to 128 letters, digits and the characters - . _ ~ + /, with = at the end alone.")
        }
        guard Array(text.utf8).withUnsafeBufferPointer(Token68.distinctCount) >= Self.fewestDistinct else {
            throw Self.refusal("It has fewer than 10 different characters: it could be guessed.")
        }
        let isOurs =
            SecretKey(parsing: text.utf8) != nil || Self.looksLikeKey(text, keyPrefix)
            || Self.looksLikeKey(text, .standard)
            || TokenKind.allCases.contains { kind in
                kind.hasFormat(text) || !kind.prefix.isEmpty && text.hasPrefix(kind.prefix)
                    || vault.tagKey(of: text, kind: kind) != nil
            }
        guard !isOurs else { throw Self.refusal("It looks like a key or token of Keybearer's own, which is none.") }
        self = token
    }

    /// Takes the characters of a key that was imported before; nil where they can be none.
    init?(opened text: String) {
        let bytes = Array(text.utf8)
        let token = bytes.withUnsafeBufferPointer { Token68.isValid($0) ? PresentedToken($0) : nil }
        guard let token else { return nil }
        (characters, self.token) = (text, token)
    }

    /// Whether a text has the length and the characters of a key with this prefix, whatever its checksum.
    private static func looksLikeKey(_ text: String, _ prefix: KeyPrefix) -> Bool {
        text.hasPrefix(prefix.characters) && text.utf8.count == prefix.characters.utf8.count + SecretKey.bodyLength
            && text.utf8.suffix(SecretKey.bodyLength).allSatisfy(Base62.contains)
    }

    private static func refusal(_ problem: String) -> KeybearerError { KeybearerError.validation(["key": problem]) }
}

extension ImportedToken: CustomStringConvertible, CustomReflectable {
    /// Says only what it is.
    var description: String { "imported key" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension PresentedToken {
    /// Whether the token may have been imported, by its characters. What may not is refused whatever memory holds.
    ///
    /// Asked only of what is no key of our own. A key with the prefix of most installations and a typing error is none
    /// that was imported, nor is an operator token.
    var mayBeImported: Bool {
        withBytes { bytes in
            if TokenKind.allCases.contains(where: { Self.begins(bytes, with: $0.prefix) }) { return false }
            guard isWhole else { return true }
            return Token68.isValid(bytes) && Token68.distinctCount(bytes) >= ImportedToken.fewestDistinct
                && !Self.isMistypedKey(bytes)
        }
    }

    private static func isMistypedKey(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.count == KeyPrefix.standard.characters.utf8.count + SecretKey.bodyLength
            && begins(bytes, with: KeyPrefix.standard.characters)
            && bytes.suffix(SecretKey.bodyLength).allSatisfy(Base62.contains)
    }

    /// Whether the bytes begin with a prefix, which is not empty.
    private static func begins(_ bytes: UnsafeBufferPointer<UInt8>, with prefix: String) -> Bool {
        !prefix.isEmpty && bytes.starts(with: prefix.utf8)
    }
}

/// The key that an account is to have from its beginning, as the product sent it. Prints as nothing but its kind.
public struct KeyToImport: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    let characters: String

    /// Wraps what was sent; what may be imported is looked at when the account is made.
    public init(_ characters: String) {
        self.characters = characters
    }

    public var description: String { "key to import" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a token is stored under with one master key.
package struct KeyDigest: Sendable, Hashable {
    /// The master key.
    package let masterKeyID: MasterKeyID
    /// The digest under it.
    package let digest: [UInt8]

    /// Puts both together.
    package init(masterKeyID: MasterKeyID, digest: [UInt8]) {
        self.masterKeyID = masterKeyID
        self.digest = digest
    }
}
