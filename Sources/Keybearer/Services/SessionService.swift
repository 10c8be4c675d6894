/// Signed-in browsers: starting, finding, confirming, listing and ending sessions.
public final class SessionService: Sendable {
    /// A session with its account.
    public struct SignedIn: Sendable {
        /// The session.
        public let session: Session
        /// Whose it is.
        public let account: Account
    }

    /// How long sessions last.
    public let policy = SessionPolicy()
    private let context: ServiceContext
    private let hasher: PasswordHasher
    private let throttle: SignInThrottle

    init(context: ServiceContext, hasher: PasswordHasher, throttle: SignInThrottle) {
        self.context = context
        self.hasher = hasher
        self.throttle = throttle
    }

    /// Starts a session for someone who knows the password.
    ///
    /// An unknown address takes as long as a wrong password and reads the same.
    ///
    /// - Throws: `UNAUTHORIZED`; `RATE_LIMITED` after too many failures; `UNAVAILABLE`.
    public func signIn(
        email: String, password: Password, from address: IPAddress, userAgent: String
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        let account = try await checkPassword(email: email, password: password, from: address)
        return try await start(
            for: account, replacing: nil, action: .sessionStarted, from: address, userAgent: userAgent)
    }

    /// Starts a session for an account that was made just now, whose password was chosen in the same request.
    public func start(
        for account: Account, from address: IPAddress, userAgent: String
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        try await start(for: account, replacing: nil, action: .sessionStarted, from: address, userAgent: userAgent)
    }

    /// Puts a new session in the place of one whose holder gives the password again.
    ///
    /// - Throws: as ``signIn(email:password:from:userAgent:)``.
    public func confirm(
        _ signedIn: SignedIn, password: Password, from address: IPAddress, userAgent: String
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        let account = try await checkPassword(
            email: signedIn.account.user.email.rawValue, password: password, from: address)
        return try await start(
            for: account, replacing: signedIn.session.id, action: .sessionConfirmed, from: address,
            userAgent: userAgent)
    }

    private func checkPassword(email: String, password: Password, from address: IPAddress) async throws -> Account {
        let refusal = KeybearerError(.unauthorized, "The e-mail address or the password is wrong.")
        guard let email = EmailAddress(email) else {
            try await hasher.verifyNothing(password)
            throw refusal
        }
        try throttle.begin(account: email, address: address)
        guard password.characters.utf8.count <= 1_024, let account = try await context.store.account(email: email),
            let hash = try await context.store.passwordHash(of: account.user.id)
        else {
            try await hasher.verifyNothing(Password(String(password.characters.prefix(1_024))))
            throw refusal
        }
        guard try await hasher.verify(password, against: hash), account.user.status == .active else { throw refusal }
        throttle.succeed(account: email, address: address)
        return account
    }

    private func start(
        for account: Account, replacing old: SessionID?, action: AuditEvent.Action, from address: IPAddress,
        userAgent: String
    ) async throws -> (signedIn: SignedIn, token: SessionToken) {
        let now = context.clocks.wall()
        let token = SessionToken(random: context.random)
        let session = Session(
            id: .random(from: context.random), userID: account.user.id, createdAt: now, authenticatedAt: now,
            lastSeenAt: now, address: address, userAgent: String(userAgent.prefix(200)))
        let origin = Origin(actor: .user(account.user.id), address: address)
        try await context.store.startSession(
            session, tokenDigest: token.digest, replacing: old,
            audit: context.event(action, by: origin, user: account.user.id))
        return (SignedIn(session: session, account: account), token)
    }

    /// The session behind a cookie; nil when there is none that may still be used.
    ///
    /// Read from the store every time: a session that was ended anywhere is ended everywhere at once.
    public func find(_ token: SessionToken) async throws -> SignedIn? {
        let now = context.clocks.wall()
        guard let session = try await context.store.session(tokenDigest: token.digest), policy.isLive(session, at: now),
            let account = try await context.store.account(id: session.userID), account.user.status == .active
        else { return nil }
        if session.lastSeenAt.duration(to: now) >= .seconds(60) {
            try await context.store.touchSession(session.id, at: now)
        }
        return SignedIn(session: session, account: account)
    }

    /// Whether the password was given recently enough to show or change a secret.
    public func isRecent(_ session: Session) -> Bool { policy.isRecent(session, at: context.clocks.wall()) }

    /// All sessions of an account that may still be used, the latest first.
    public func list(of userID: UserID) async throws -> [Session] {
        let now = context.clocks.wall()
        return try await context.store.sessions(of: userID).filter { policy.isLive($0, at: now) }
    }

    /// Ends one of the account's own sessions.
    public func end(_ id: SessionID, of userID: UserID, from address: IPAddress) async throws {
        let origin = Origin(actor: .user(userID), address: address)
        try await context.store.endSession(
            id, of: userID, audit: context.event(.sessionEnded, by: origin, user: userID))
    }

    /// Removes the sessions that can no longer be used.
    public func removeExpired() async throws {
        let now = context.clocks.wall()
        try await context.store.removeSessions(
            begunBefore: now.advanced(by: .zero - policy.absolute), unseenSince: now.advanced(by: .zero - policy.idle))
    }
}
