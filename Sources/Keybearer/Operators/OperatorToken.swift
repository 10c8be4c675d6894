import Crypto

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
    /// When it ends by itself; nil for never.
    public let expiresAt: Timestamp?
    /// The first characters of the secret, by which people recognise it; nil for one that version 0.1 made.
    public let shownPrefix: String?
    /// The latest request with it, to the minute.
    public let lastUse: LastUse?
    /// The master key whose tag the secret carries that was presented: its tag subkey stays in the ring for as long as the
    /// token lives. Nil where no secret was presented, and for one that version 0.1 made.
    var tagKeyID: MasterKeyID?

    /// Puts a record together.
    package init(
        id: OperatorTokenID, name: String, scopes: Set<OperatorScope>, createdAt: Timestamp,
        expiresAt: Timestamp? = nil, shownPrefix: String? = nil, lastUse: LastUse? = nil
    ) {
        self.id = id
        self.name = name
        self.scopes = scopes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.shownPrefix = shownPrefix
        self.lastUse = lastUse
    }
}

/// The secret of an operator token: `kbo_`, 43 random base62 characters (256 bits) and ten of the ring's keyed tag.
/// Prints as nothing but its kind.
///
/// The store keeps its SHA-256 alone. A password would need a slow hash; nobody guesses 256 bits.
public struct OperatorSecret: Sendable, CustomStringConvertible, CustomReflectable {
    /// The secret itself, shown once.
    public let characters: String
    /// Whether it was made by version 0.1, which put no tag into its tokens: only the store can tell a forgery.
    let isUntagged: Bool
    public var description: String { "operator token" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Mints a new one, with what the store keeps of it.
    static func mint(from vault: KeyVault, random: RandomSource) -> (secret: OperatorSecret, record: MintedToken) {
        let (characters, record) = vault.mint(.operatorToken, random: random)
        return (OperatorSecret(characters: characters), record)
    }

    private init(characters: String) {
        self.characters = characters
        isUntagged = false
    }

    /// Accepts what was presented; nil when it cannot be one, so that the store is not asked.
    public init?(presented text: some StringProtocol) {
        let isTagged = TokenKind.operatorToken.hasFormat(text)
        guard isTagged || TokenKind.operatorToken.hasFormatWithoutTag(text) else { return nil }
        characters = String(text)
        isUntagged = !isTagged
    }

    /// What is shown of it: the kind and four characters.
    var shownPrefix: String { String(characters.prefix(TokenKind.operatorToken.prefix.count + 4)) }

    /// What the store knows it by.
    package var digest: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }
}
