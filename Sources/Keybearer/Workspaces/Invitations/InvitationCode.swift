import Crypto

/// The code of an invitation: 43 random base62 characters (256 bits) and ten of the ring's keyed tag, so that a forgery is
/// refused from memory. Prints as nothing but its kind.
public struct InvitationCode: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The characters, for the link alone.
    public let characters: String

    static func mint(from vault: KeyVault, random: RandomSource) -> (code: InvitationCode, record: MintedToken) {
        let (characters, record) = vault.mint(.invitation, random: random)
        return (InvitationCode(characters: characters), record)
    }

    private init(characters: String) {
        self.characters = characters
    }

    /// Accepts what was presented; nil when it cannot be one.
    public init?(parsing text: some StringProtocol) {
        guard TokenKind.invitation.hasFormat(text) else { return nil }
        characters = String(text)
    }

    /// What the store knows it by.
    package var digest: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }

    public var description: String { "invitation code" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
