import Crypto

/// The part of the dashboard that a portal link opens.
public enum PortalSection: String, Sendable, Hashable, CaseIterable {
    /// The page of the Secret Key.
    case apiKey = "api-key"
    /// The workspace's webhooks.
    case webhooks
}

/// A link by which the product signs one of its users in: good for one use, for a short time. Its code was shown once.
public struct PortalLink: Sendable, Hashable {
    /// Names the link; it is not the code.
    public let id: PortalLinkID
    /// Whom it signs in.
    public let userID: UserID
    /// The operator token that made it: the session that it opens ends with the token.
    public let tokenID: OperatorTokenID
    /// What it opens.
    public let section: PortalSection
    /// The one workspace that it opens; nil for any of the account's.
    public let workspaceID: WorkspaceID?
    /// Where the pages lead back; nil for nowhere.
    public let returnURL: ReturnURL?
    /// When it was made.
    public let createdAt: Timestamp
    /// When it ends unused.
    public let expiresAt: Timestamp
    /// When it was used; nil for not yet.
    public let usedAt: Timestamp?

    /// Puts a link together.
    package init(
        id: PortalLinkID, userID: UserID, tokenID: OperatorTokenID, section: PortalSection, workspaceID: WorkspaceID?,
        returnURL: ReturnURL?, createdAt: Timestamp, expiresAt: Timestamp, usedAt: Timestamp? = nil
    ) {
        self.id = id
        self.userID = userID
        self.tokenID = tokenID
        self.section = section
        self.workspaceID = workspaceID
        self.returnURL = returnURL
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.usedAt = usedAt
    }

    /// The same link, made at another time.
    package func stamped(_ time: Timestamp) -> PortalLink {
        PortalLink(
            id: id, userID: userID, tokenID: tokenID, section: section, workspaceID: workspaceID, returnURL: returnURL,
            createdAt: time, expiresAt: time.advanced(by: createdAt.duration(to: expiresAt)))
    }

    /// How long a link can live at most, and how long one lives that does not say.
    public static let longestLife: Duration = .seconds(900)
    public static let usualLife: Duration = .seconds(60)
    /// How long links are kept behind their end: until then they lead back to the product.
    package static let memory: Duration = .seconds(24 * 3600)
    /// How long the session lives that a link opens.
    package static let sessionLife: Duration = .seconds(3600)

    /// Whether it can be used.
    package func isUsable(at now: Timestamp) -> Bool { usedAt == nil && now < expiresAt }

    /// Whether the page may send its code by itself: one that lives longer may have been sent by mail, and mail scanners
    /// run scripts.
    package var opensByItself: Bool { createdAt.duration(to: expiresAt) <= .seconds(120) }
}

/// What a session is confined to that a portal link opened.
public struct PortalAccess: Sendable, Hashable {
    /// The operator token that made the link.
    public let tokenID: OperatorTokenID
    /// What it opens.
    public let section: PortalSection
    /// The one workspace that it opens; nil for any of the account's.
    public let workspaceID: WorkspaceID?
    /// Where the pages lead back.
    public let returnURL: ReturnURL?
    /// When the token ends, and the session with it; nil for a token without an end.
    package let tokenExpiresAt: Timestamp?

    /// Puts the parts together.
    package init(
        tokenID: OperatorTokenID, section: PortalSection, workspaceID: WorkspaceID?, returnURL: ReturnURL?,
        tokenExpiresAt: Timestamp? = nil
    ) {
        self.tokenID = tokenID
        self.section = section
        self.workspaceID = workspaceID
        self.returnURL = returnURL
        self.tokenExpiresAt = tokenExpiresAt
    }
}

/// The code of a portal link: 43 random base62 characters (256 bits) and ten of the ring's keyed tag, so that a forgery
/// is refused from memory. Prints as nothing but its kind.
public struct PortalCode: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The characters, for the link alone.
    public let characters: String

    static func mint(from vault: KeyVault, random: RandomSource) -> (code: PortalCode, record: MintedToken) {
        let (characters, record) = vault.mint(.portalLink, random: random)
        return (PortalCode(characters: characters), record)
    }

    private init(characters: String) {
        self.characters = characters
    }

    /// Accepts what was presented; nil when it cannot be one.
    public init?(parsing text: some StringProtocol) {
        guard TokenKind.portalLink.hasFormat(text) else { return nil }
        characters = String(text)
    }

    /// What the store knows it by.
    package var digest: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }

    public var description: String { "portal code" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
