/// The characters of a Secret Key: what the account holder copies and the API client sends.
///
/// Shape: a ``KeyPrefix``, then 38 base62 characters: 22 random (131 bits), 10 of a keyed tag (59 bits, see
/// ``KeyVault``) and 6 with the CRC-32 of the 32 before them. The CRC tells a typing error from a key without any
/// secret; the tag tells a forgery from a key without any look-up; neither grants access.
///
/// A key that was imported has the shape that it came with, and no tag: see ``ImportedToken``.
///
/// A key never describes itself: every description and dump of it is its shown prefix.
public struct SecretKey: Sendable, Equatable {
    /// Characters behind the prefix.
    public static let bodyLength = randomLength + tagLength + checksumLength
    static let randomLength = 22
    static let tagLength = 10
    static let checksumLength = 6

    let token: PresentedToken
    /// The characters of an imported key, whose token may not hold all of them; nil for one that was made here.
    private let importedCharacters: String?

    /// Accepts a token with the shape and the checksum of a key; nil for everything else.
    ///
    /// It does not look at the tag: ask ``KeyVault/isGenuine(_:)``.
    public init?(parsing characters: some Sequence<UInt8>) {
        let copy = Array(characters)
        guard let token = copy.withUnsafeBufferPointer(PresentedToken.init) else { return nil }
        self.init(token: token)
    }

    init?(token: PresentedToken) {
        let wellFormed = token.withBytes { bytes in
            guard token.isWhole else { return false }
            let body = bytes.suffix(Self.bodyLength)
            guard KeyPrefix.isWellFormed(bytes.dropLast(Self.bodyLength)), body.allSatisfy(Base62.contains) else {
                return false
            }
            // Six characters stand for more numbers than a checksum has: each is written in one way alone.
            return Base62.decode(body.suffix(Self.checksumLength))
                == UInt64(CRC32.checksum(body.dropLast(Self.checksumLength)))
        }
        guard wellFormed else { return nil }
        self.token = token
        importedCharacters = nil
    }

    /// A key that its holder had before it came here.
    init(_ imported: ImportedToken) {
        token = imported.token
        importedCharacters = imported.characters
    }

    /// Whether the key was made elsewhere: it carries no tag.
    var isImported: Bool { importedCharacters != nil }

    /// Builds the key from its parts and adds the checksum; nil when a part is malformed.
    init?(prefix: KeyPrefix, random: [UInt8], tag: [UInt8]) {
        guard random.count == Self.randomLength, tag.count == Self.tagLength else { return nil }
        let checked = random + tag
        self.init(
            parsing: Array(prefix.characters.utf8) + checked + Self.checksumCharacters(CRC32.checksum(checked)))
    }

    static func checksumCharacters(_ checksum: UInt32) -> [UInt8] {
        Base62.encode(UInt64(checksum), width: checksumLength)
    }

    /// All the characters. This is the secret: it goes to the account holder and nowhere else.
    public var characters: String {
        importedCharacters ?? token.withBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Calls `body` with what the keyed tag covers, the prefix and the random characters, and with the number for which
    /// the ten characters of the tag stand.
    func withTag<Result>(_ body: (_ covered: UnsafeRawBufferPointer, _ tag: UInt64) -> Result) -> Result {
        token.withBytes { bytes in
            let covered = bytes.count - Self.tagLength - Self.checksumLength
            return body(
                UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<covered]),
                Base62.decode(bytes[covered..<covered + Self.tagLength]))
        }
    }

    /// The prefix and four characters more: enough to tell keys apart, far too few to use one. Of an imported key a
    /// quarter, and eight characters at most.
    public var shownPrefix: String {
        if let importedCharacters {
            return String(importedCharacters.prefix(min(8, importedCharacters.utf8.count / 4)))
        }
        return token.withBytes { String(decoding: $0.prefix($0.count - Self.bodyLength + 4), as: UTF8.self) }
    }
}

extension SecretKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { shownPrefix + "…" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["shownPrefix": shownPrefix]) }
}
