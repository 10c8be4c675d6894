/// Signed-in browsers: starting, finding, listing and ending sessions. ``SignInService`` decides who gets one.
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
    package let policy = SessionPolicy()
    private let context: ServiceContext
    private let node: Node?

    init(context: ServiceContext, node: Node?) {
        self.context = context
        self.node = node
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

    /// The live session of a browser that signs in again; nil for a cookie that is forged or has ended.
    func replaced(by cookie: SessionToken?, _ authority: Authority) async throws -> ReplacedSession? {
        guard let cookie, !isForged(cookie) else { return nil }
        let found = try await context.store.session(tokenDigest: cookie.digest, now: context.clocks.wall())
        guard let (session, now) = found, policy.isLive(session.times, at: now) else { return nil }
        return ReplacedSession(
            id: session.id, userID: session.userID,
            audit: context.event(.sessionEnded, by: authority, user: session.userID))
    }

    /// Starts a session by an authority that the commit checks.
    ///
    /// - Parameter detail: what the audit log says besides.
    func start(
        for account: Account, replacing old: ReplacedSession?, action: AuditEvent.Action, by authority: Authority,
        userAgent: String, proof: SignInProof? = nil, detail: String? = nil
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        let now = context.clocks.wall()
        let (token, record) = SessionToken.mint(from: context.vault.current, random: context.random)
        let session = Session(
            id: .random(from: context.random), userID: account.user.id, createdAt: now, authenticatedAt: now,
            lastSeenAt: now, address: authority.address ?? .localSocket,
            userAgent: String(userAgent.prefix(200)))
        let stamped = try await context.store.startSession(
            session, token: record, replacing: old, proof: proof, by: authority,
            audit: context.event(
                action, by: authority, user: account.user.id, detail: detail ?? proof?.factor.detail))
        return (SignedIn(session: stamped, account: account, isRecent: true), token)
    }

    /// Whether a cookie's value was not made here: told from memory, so that a forgery never reaches the store.
    public func isForged(_ token: SessionToken) -> Bool { origin(of: token) == .forged }

    private func origin(of token: SessionToken) -> TokenOrigin {
        context.origin(of: token.characters, kind: .session, at: node)
    }

    /// The session behind a cookie; nil when there is none that may still be used.
    ///
    /// Read from the store every time: a session that was ended anywhere is ended everywhere immediately.
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
}
