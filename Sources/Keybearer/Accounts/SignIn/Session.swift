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
    /// What it is confined to, where a portal link opened it; nil for one that a sign-in started.
    public let portal: PortalAccess?

    /// Puts a session together.
    package init(
        id: SessionID, userID: UserID, createdAt: Timestamp, authenticatedAt: Timestamp, lastSeenAt: Timestamp,
        address: IPAddress, userAgent: String, portal: PortalAccess? = nil
    ) {
        self.id = id
        self.userID = userID
        self.createdAt = createdAt
        self.authenticatedAt = authenticatedAt
        self.lastSeenAt = lastSeenAt
        self.address = address
        self.userAgent = userAgent
        self.portal = portal
    }
}

/// A session that ends as another one takes its place.
package struct ReplacedSession: Sendable, Hashable {
    /// The session.
    package let id: SessionID
    /// Whose it is.
    package let userID: UserID
    /// What is written where it did end; nil where the event of the new session says so.
    package let audit: AuditEvent?

    /// Puts it together.
    package init(id: SessionID, userID: UserID, audit: AuditEvent? = nil) {
        self.id = id
        self.userID = userID
        self.audit = audit
    }
}

/// The times by which a session is judged.
package struct SessionTimes: Sendable, Hashable {
    /// When it began.
    package let createdAt: Timestamp
    /// When the password was last given.
    package let authenticatedAt: Timestamp
    /// The last request seen, to the minute.
    package let lastSeenAt: Timestamp
    /// Whether a portal link opened it.
    package let isPortal: Bool
    /// When the session ends whatever happens: with the operator token that opened it.
    package let endsAt: Timestamp?

    /// Puts the times together.
    package init(
        createdAt: Timestamp, authenticatedAt: Timestamp, lastSeenAt: Timestamp, isPortal: Bool = false,
        endsAt: Timestamp? = nil
    ) {
        self.createdAt = createdAt
        self.authenticatedAt = authenticatedAt
        self.lastSeenAt = lastSeenAt
        self.isPortal = isPortal
        self.endsAt = endsAt
    }
}

extension Session {
    /// The times by which it is judged.
    package var times: SessionTimes {
        SessionTimes(
            createdAt: createdAt, authenticatedAt: authenticatedAt, lastSeenAt: lastSeenAt, isPortal: portal != nil,
            endsAt: portal?.tokenExpiresAt)
    }

    /// The same session, begun at another time.
    package func stamped(_ time: Timestamp) -> Session {
        Session(
            id: id, userID: userID, createdAt: time, authenticatedAt: time, lastSeenAt: time, address: address,
            userAgent: userAgent, portal: portal)
    }
}

/// How long sessions last.
package struct SessionPolicy: Sendable {
    /// A session that is not used for this long ends.
    package var idle: Duration = .seconds(12 * 3600)
    /// A session ends after this long whatever happens.
    package var absolute: Duration = .seconds(7 * 24 * 3600)
    /// Revealing and regenerating need a password given within this span.
    package var recentSignIn: Duration = .seconds(15 * 60)
    /// How far ahead a stamp may lie. One from further ahead was made by a clock that was wrong: it counts as over.
    package static let clockTolerance: Duration = .seconds(120)

    /// The spans above.
    package init() {}

    /// Whether the session may still be used.
    package func isLive(_ times: SessionTimes, at now: Timestamp) -> Bool {
        Self.isWithin(idle, since: times.lastSeenAt, at: now)
            && Self.isWithin(times.isPortal ? PortalLink.sessionLife : absolute, since: times.createdAt, at: now)
            && (times.endsAt.map { now < $0 } ?? true)
    }

    /// Whether the password was given recently enough to show or change a secret.
    package func isRecent(_ times: SessionTimes, at now: Timestamp) -> Bool {
        Self.isWithin(recentSignIn, since: times.authenticatedAt, at: now)
    }

    private static func isWithin(_ span: Duration, since start: Timestamp, at now: Timestamp) -> Bool {
        let age = start.duration(to: now)
        return age < span && age >= .zero - clockTolerance
    }
}

/// The secret in a session's cookie: 43 random base62 characters (256 bits) and ten of the ring's keyed tag, so that a
/// forgery is refused from memory. Prints as nothing but its kind.
public struct SessionToken: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The characters, for the cookie alone.
    public let characters: String

    /// Mints a new token, with what the store keeps of it.
    static func mint(from vault: KeyVault, random: RandomSource) -> (token: SessionToken, record: MintedToken) {
        let (characters, record) = vault.mint(.session, random: random)
        return (SessionToken(characters: characters), record)
    }

    private init(characters: String) {
        self.characters = characters
    }

    /// Accepts a cookie's value; nil when it cannot be a token.
    public init?(parsing text: some StringProtocol) {
        guard TokenKind.session.hasFormat(text) else { return nil }
        characters = String(text)
    }

    /// SHA-256 of the characters, by which the store knows the session. A plain hash suffices: the token is random.
    package var digest: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }

    public var description: String { "session token" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
