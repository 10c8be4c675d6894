import Crypto

/// A signed-in browser. The store keeps a digest of its token, so a copy of the store signs nobody in.
public struct Session: Sendable, Hashable {
    /// Names the session in lists and forms.
    public let id: SessionID
    /// Whose session it is.
    public let userID: UserID
    /// When it began.
    public let createdAt: Timestamp
    /// When the password was last given: revealing and regenerating need a recent one.
    public let authenticatedAt: Timestamp
    /// The last request seen, to the minute.
    public let lastSeenAt: Timestamp
    /// Where it was begun from.
    public let address: IPAddress
    /// The browser's own description, cut to 200 characters.
    public let userAgent: String

    /// Puts a session together.
    public init(
        id: SessionID, userID: UserID, createdAt: Timestamp, authenticatedAt: Timestamp, lastSeenAt: Timestamp,
        address: IPAddress, userAgent: String
    ) {
        self.id = id
        self.userID = userID
        self.createdAt = createdAt
        self.authenticatedAt = authenticatedAt
        self.lastSeenAt = lastSeenAt
        self.address = address
        self.userAgent = userAgent
    }
}

/// How long sessions last.
public struct SessionPolicy: Sendable {
    /// A session that is not used for this long ends.
    public var idle: Duration = .seconds(12 * 3600)
    /// A session ends after this long whatever happens.
    public var absolute: Duration = .seconds(7 * 24 * 3600)
    /// Revealing and regenerating need a password given within this span.
    public var recentSignIn: Duration = .seconds(15 * 60)

    /// The spans above.
    public init() {}

    /// Whether the session may still be used.
    public func isLive(_ session: Session, at now: Timestamp) -> Bool {
        session.lastSeenAt.duration(to: now) < idle && session.createdAt.duration(to: now) < absolute
    }

    /// Whether the password was given recently enough to show or change a secret.
    public func isRecent(_ session: Session, at now: Timestamp) -> Bool {
        session.authenticatedAt.duration(to: now) < recentSignIn
    }
}

/// The secret in a session's cookie: 43 base62 characters (256 bits). Prints as nothing but its kind.
public struct SessionToken: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    static let length = 43
    /// The characters, for the cookie alone.
    public let characters: String

    /// A new token.
    public init(random: RandomSource) {
        characters = String(decoding: random.base62(count: Self.length), as: UTF8.self)
    }

    /// Accepts a cookie's value; nil when it cannot be a token.
    public init?(parsing text: some StringProtocol) {
        guard text.utf8.count == Self.length, text.utf8.allSatisfy(Base62.contains) else { return nil }
        characters = String(text)
    }

    /// SHA-256 of the characters, by which the store knows the session. A plain hash suffices: the token is random.
    public var digest: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }

    public var description: String { "session token" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
