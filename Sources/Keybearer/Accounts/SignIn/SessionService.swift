/// Signed-in browsers: starting, finding, confirming, listing and ending sessions.
public final class SessionService: Sendable {
    /// A session with its account.
    public struct SignedIn: Sendable {
        /// The session.
        public let session: Session
        /// Whose it is.
        public let account: Account
        /// Whether the password was given recently enough to show or change a secret.
        public let isRecent: Bool

        /// What a change is made by that this browser asks for.
        public func authority(from address: IPAddress) -> Authority {
            Authority(.session(session.id, of: account.user.id), from: address)
        }
    }

    /// How long sessions last.
    public let policy = SessionPolicy()
    private let context: ServiceContext
    let hasher: PasswordHasher
    private let throttle: SignInThrottle
    private let node: Node?

    init(context: ServiceContext, hasher: PasswordHasher, throttle: SignInThrottle, node: Node?) {
        self.context = context
        self.node = node
        self.hasher = hasher
        self.throttle = throttle
    }

    /// Starts a session for someone who knows the password.
    ///
    /// An unknown address takes as long as a wrong password and reads the same.
    ///
    /// - Parameter cookie: the session that the same browser has so far, whosever it is: it ends as the new one begins.
    /// - Throws: `UNAUTHORIZED`; `RATE_LIMITED` after too many failures; `UNAVAILABLE`.
    public func signIn(
        email: String, password: Password, from address: IPAddress, userAgent: String,
        inPlaceOf cookie: SessionToken? = nil
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        // All spellings of an address are throttled together, those of accounts that earlier versions made included.
        let name = EmailAddress(email) ?? EmailAddress.legacyForm(email)
        let (account, version) = try await checkPassword(password, of: name, from: address) { [context] in
            try await context.account(spelt: email)
        }
        let authority = Authority(.password(version: version, of: account.user.id), from: address)
        return try await start(
            for: account, replacing: try await replaced(by: cookie, authority), action: .sessionStarted, by: authority,
            userAgent: userAgent)
    }

    /// Starts a session for an account that was made just now, whose password was chosen in the same request.
    public func start(
        for account: Account, from address: IPAddress, userAgent: String, inPlaceOf cookie: SessionToken? = nil
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        let authority = Authority(.password(version: 1, of: account.user.id), from: address)
        return try await start(
            for: account, replacing: try await replaced(by: cookie, authority), action: .sessionStarted, by: authority,
            userAgent: userAgent)
    }

    /// The live session of a browser that signs in again; nil for a cookie that is forged or dead.
    private func replaced(by cookie: SessionToken?, _ authority: Authority) async throws -> ReplacedSession? {
        guard let cookie, !isForged(cookie) else { return nil }
        let found = try await context.store.session(tokenDigest: cookie.digest, now: context.clocks.wall())
        guard let (session, now) = found, policy.isLive(session.times, at: now) else { return nil }
        return ReplacedSession(
            id: session.id, userID: session.userID,
            audit: context.event(.sessionEnded, by: authority, user: session.userID))
    }

    /// Puts a new session in the place of one whose holder gives the password again.
    ///
    /// - Throws: as ``signIn(email:password:from:userAgent:)``.
    public func confirm(
        _ signedIn: SignedIn, password: Password, from address: IPAddress, userAgent: String
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        let user = signedIn.account.user
        let (account, version) = try await checkPassword(password, of: user.email, from: address) { [context] in
            try await context.store.account(id: user.id)
        }
        let old = ReplacedSession(id: signedIn.session.id, userID: user.id)
        do {
            return try await start(
                for: account, replacing: old, action: .sessionConfirmed,
                by: Authority(
                    .session(signedIn.session.id, of: account.user.id, passwordVersion: version), from: address),
                userAgent: userAgent)
        } catch let error as KeybearerError where error.isPasswordChanged {
            throw Self.wrongPassword
        }
    }

    private static let wrongPassword = KeybearerError(.unauthorized, "The e-mail address or the password is wrong.")

    /// - Returns: the account, and the version of the password that was verified: a session starts only while that is
    ///   still the password.
    ///
    /// - Parameter email: what the attempt counts for; nil where no account can have the address that was given.
    private func checkPassword(
        _ password: Password, of email: EmailAddress?, from address: IPAddress, find: () async throws -> Account?
    ) async throws -> (account: Account, passwordVersion: Int) {
        let (account, stored, _) = try await throttle.attempt(email, from: address, clears: { !$0.2 }) {
            guard password.isWithinLimit, let account = try await find(),
                let stored = try await context.store.password(of: account.user.id)
            else {
                try await hasher.verifyNothing(password.cut)
                throw Self.wrongPassword
            }
            guard try await hasher.verify(password, against: stored.hash), account.user.status == .active else {
                throw Self.wrongPassword
            }
            return (account, stored, try await context.hasTwin(account.user))
        }
        await rehashIfBelowCost(password, stored, of: account.user.id)
        return (account, stored.version)
    }

    /// Brings a hash to today's cost. Whoever signs in does not fail for it.
    private func rehashIfBelowCost(_ password: Password, _ stored: StoredPassword, of userID: UserID) async {
        guard hasher.isBelowCost(stored.hash), let hash = try? await hasher.hash(password) else { return }
        try? await context.store.rehashPassword(hash, of: userID, replacing: stored)
    }

    private func start(
        for account: Account, replacing old: ReplacedSession?, action: AuditEvent.Action, by authority: Authority,
        userAgent: String
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        let now = context.clocks.wall()
        let (token, record) = SessionToken.mint(from: context.vault.current, random: context.random)
        let session = Session(
            id: .random(from: context.random), userID: account.user.id, createdAt: now, authenticatedAt: now,
            lastSeenAt: now, address: authority.address ?? .localSocket,
            userAgent: String(userAgent.prefix(200)))
        let stamped = try await context.store.startSession(
            session, token: record, replacing: old, by: authority,
            audit: context.event(action, by: authority, user: account.user.id))
        return (SignedIn(session: stamped, account: account, isRecent: true), token)
    }

    /// Whether a cookie's value was not made here: told from memory, so that a forgery never reaches the store.
    public func isForged(_ token: SessionToken) -> Bool { origin(of: token) == .forged }

    private func origin(of token: SessionToken) -> TokenOrigin {
        context.origin(of: token.characters, kind: .session, at: node)
    }

    /// The session behind a cookie; nil when there is none that may still be used.
    ///
    /// Read from the store every time: a session that was ended anywhere is ended everywhere at once.
    ///
    /// - Throws: `UNAVAILABLE`, also for a tag that is not recognised by a server that may lack a master key.
    public func find(_ token: SessionToken) async throws -> SignedIn? {
        switch origin(of: token) {
        case .genuine: break
        case .forged: return nil
        case .unknown: throw KeybearerError.unavailable()
        }
        let found = try await context.store.session(tokenDigest: token.digest, now: context.clocks.wall())
        guard let (session, now) = found, policy.isLive(session.times, at: now),
            let account = try await context.store.account(id: session.userID), account.user.status == .active
        else { return nil }
        if session.lastSeenAt.duration(to: now) >= .seconds(60) {
            try await context.store.touchSession(session.id, at: now)
        }
        return SignedIn(session: session, account: account, isRecent: policy.isRecent(session.times, at: now))
    }

    /// All sessions of an account that may still be used, the latest first.
    public func list(of userID: UserID) async throws -> [Session] {
        let (sessions, now) = try await context.store.sessions(of: userID, now: context.clocks.wall())
        return sessions.filter { policy.isLive($0.times, at: now) }
    }

    /// Ends one of the account's own sessions.
    public func end(_ id: SessionID, of userID: UserID, by authority: Authority) async throws {
        try await context.store.endSession(
            id, of: userID, by: authority, audit: context.event(.sessionEnded, by: authority, user: userID))
    }

    /// Removes the sessions that can no longer be used.
    public func removeExpired() async throws {
        try await context.store.removeExpiredSessions(policy, now: context.clocks.wall())
    }
}
