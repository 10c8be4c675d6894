import Crypto

/// What an operator's program may do with its token.
public enum OperatorScope: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Ask whether a Secret Key may pass (RFC 7662).
    case introspect

    public static func < (left: OperatorScope, right: OperatorScope) -> Bool { left.rawValue < right.rawValue }
}

/// The record of a credential that an operator gave to one of its programs. The token itself was shown once.
public struct OperatorToken: Sendable, Hashable {
    /// Names the token in lists; it is not the secret.
    public let id: OperatorTokenID
    /// What people call it: which program holds it.
    public let name: String
    /// What it is good for.
    public let scopes: Set<OperatorScope>
    /// When it was made.
    public let createdAt: Timestamp

    /// Puts a record together.
    public init(id: OperatorTokenID, name: String, scopes: Set<OperatorScope>, createdAt: Timestamp) {
        self.id = id
        self.name = name
        self.scopes = scopes
        self.createdAt = createdAt
    }
}

/// The secret of an operator token: `kbo_` and 43 base62 characters (256 bits). Prints as nothing but its kind.
///
/// The store keeps its SHA-256 alone. A password would need a slow hash; nobody guesses 256 bits.
public struct OperatorSecret: Sendable, CustomStringConvertible, CustomReflectable {
    static let prefix = "kbo_"
    private static let bodyLength = 43

    /// The secret itself, shown once.
    public let characters: String
    public var description: String { "operator token" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Makes a new one.
    init(from random: RandomSource) {
        characters = Self.prefix + String(decoding: random.base62(count: Self.bodyLength), as: UTF8.self)
    }

    /// Accepts what was presented; nil when it cannot be one, so that the store is not asked.
    public init?(presented text: some StringProtocol) {
        guard text.utf8.count == Self.prefix.utf8.count + Self.bodyLength, text.hasPrefix(Self.prefix),
            text.utf8.dropFirst(Self.prefix.utf8.count).allSatisfy(Base62.contains)
        else { return nil }
        characters = String(text)
    }

    /// What the store knows it by.
    public var digest: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }
}
