/// Sign-in with an OpenID Connect provider: the way of a browser to it and back, and who that is here.
///
/// ``IdentityRules`` decides; this asks the provider and the store, and carries it out.
package final class IdentityService: Sendable {
    /// What the operator has decided.
    package let settings: IdentitySettings
    private let context: ServiceContext
    private let provider: any IdentityProvider
    private let accounts: AccountService
    private let sessions: SessionService
    private let throttle: SignInThrottle
    private let node: Node?

    init(
        context: ServiceContext, settings: IdentitySettings, provider: any IdentityProvider, accounts: AccountService,
        sessions: SessionService, throttle: SignInThrottle, node: Node?
    ) {
        self.context = context
        self.settings = settings
        self.provider = provider
        self.accounts = accounts
        self.sessions = sessions
        self.throttle = throttle
        self.node = node
    }

    /// How a sign-in ended.
    package enum Finished: Sendable {
        /// The browser has a session.
        case signedIn(SessionToken)
        /// No account has this identity. It waits with the attempt until the person has signed in another way.
        case signInFirst
    }

    /// Where a browser comes back to, with what.
    package struct Return: Sendable {
        let code: String
        let state: String
        let redirectURI: String

        /// Puts the parts together.
        package init(code: String, state: String, redirectURI: String) {
            self.code = code
            self.state = state
            self.redirectURI = redirectURI
        }
    }

    /// Where a request comes from.
    package struct Client: Sendable {
        let address: IPAddress
        let userAgent: String
        let cookie: SessionToken?

        /// - Parameter cookie: the session that the browser has so far: it ends as the new one begins.
        package init(address: IPAddress, userAgent: String, cookie: SessionToken?) {
            self.address = address
            self.userAgent = userAgent
            self.cookie = cookie
        }
    }

    /// Begins a sign-in. Nothing is stored.
    ///
    /// - Parameter signedIn: whose proof is wanted again; nil for a sign-in.
    /// - Returns: the provider's page, and what the browser's cookie keeps.
    /// - Throws: `UNAVAILABLE` where the provider is out of reach.
    package func begin(
        next: String, confirming signedIn: SessionService.SignedIn?, redirectURI: String
    ) async throws -> (url: String, attempt: SignInAttempt) {
        let attempt = SignInAttempt.begin(
            from: context.vault.current, random: context.random, at: context.clocks.wall(),
            confirming: signedIn?.session.id, next: next)
        let request = AuthorizationRequest(
            redirectURI: redirectURI, state: attempt.state, nonce: attempt.nonce,
            codeChallenge: attempt.codeChallenge, asksAgain: signedIn != nil)
        do {
            return (try await provider.authorizationURL(for: request), attempt)
        } catch let failure as IdentityProviderFailure {
            throw refusal(after: failure)
        }
    }

    /// Whether an attempt is this deployment's, still alive, and the one that a state belongs to.
    ///
    /// - Throws: `BAD_REQUEST`; `UNAVAILABLE` for a tag that is not recognised by a server that may lack a master key.
    package func require(_ attempt: SignInAttempt?, state: String) throws -> SignInAttempt {
        guard let attempt else { throw Self.over }
        switch context.origin(of: attempt.token, kind: .signInAttempt, at: node) {
        case .genuine: break
        case .forged: throw Self.over
        case .unknown: throw KeybearerError.unavailable()
        }
        guard attempt.has(state: state), attempt.isAlive(at: context.clocks.wall()) else { throw Self.over }
        return attempt
    }

    /// Finishes a sign-in, or a confirmation, for a browser that is back from the provider.
    ///
    /// - Parameter signedIn: who the browser is signed in as.
    /// - Throws: `BAD_REQUEST` for an attempt that is over; `UNAUTHORIZED` where the provider's answer is refused;
    ///   `FORBIDDEN` for a disabled account, and where somebody else gave proof; `RATE_LIMITED`; `UNAVAILABLE`.
    package func finish(
        _ attempt: SignInAttempt, _ back: Return, signedIn: SessionService.SignedIn?, client: Client
    ) async throws -> Finished {
        let attempt = try require(attempt, state: back.state)
        // Each try costs a request to the provider: those that fail are counted for the client's network.
        let claims = try await throttle.attempt(nil, from: client.address) {
            guard try await context.store.useSignInAttempt(digest: attempt.digest, now: context.clocks.wall()) else {
                throw Self.over
            }
            return try await self.claims(attempt, back)
        }
        guard claims.identity.issuer == settings.issuer else {
            throw refusal(after: .refused("the token is another provider's"))
        }
        if attempt.confirmed != nil { return try await confirm(attempt, claims, signedIn, client) }
        return try await enter(attempt, claims, client)
    }

    private func claims(_ attempt: SignInAttempt, _ back: Return) async throws -> IdentityClaims {
        let grant = AuthorizationGrant(
            code: back.code, redirectURI: back.redirectURI, codeVerifier: attempt.codeVerifier, nonce: attempt.nonce,
            authenticatedAfter: attempt.confirmed == nil ? nil : attempt.begunAt)
        do {
            return try await provider.claims(for: grant)
        } catch let failure as IdentityProviderFailure {
            throw refusal(after: failure)
        }
    }

    /// Who a person is here, and a session for them. Where two browsers of one person come at the same moment, the second
    /// finds what the first has made.
    private func enter(
        _ attempt: SignInAttempt, _ claims: IdentityClaims, _ client: Client
    ) async throws -> Finished {
        for isLast in [false, true] {
            do {
                switch try await outcome(of: claims) {
                case .signIn(let account): return .signedIn(try await start(account, claims.identity, client))
                case .link(let account):
                    try await context.store.linkIdentity(
                        claims.identity, toVerified: account.user.email, of: account.user.id,
                        audit: event(.identityLinked, claims.identity, account.user.id, client))
                    return .signedIn(try await start(account, claims.identity, client))
                case .create(let name, let email, let isEmailVerified):
                    let account = try await create(
                        name: name, email: email, isEmailVerified: isEmailVerified, claims.identity, client)
                    return .signedIn(try await start(account, claims.identity, client))
                case .signInFirst:
                    try await context.store.putPendingIdentity(
                        PendingIdentity(
                            identity: claims.identity, email: claims.email.flatMap { EmailAddress($0) }?.rawValue),
                        ofAttempt: attempt.digest)
                    return .signInFirst
                case .refuse: throw Self.disabled
                }
            } catch let error as KeybearerError where !isLast && [.conflict, .notFound].contains(error.code) {
                continue
            }
        }
        throw KeybearerError(.conflict, "The account was changed meanwhile. Sign in again.")
    }

    private func outcome(of claims: IdentityClaims) async throws -> IdentityOutcome {
        let owner = try await context.store.account(identity: claims.identity)
        var holders: [Account] = []
        if owner == nil, let email = claims.email {
            for spelling in EmailAddress.spellings(of: email) {
                if let holder = try await context.store.account(email: spelling) { holders.append(holder) }
            }
        }
        return IdentityRules.outcome(of: claims, owner: owner, holders: holders, settings: settings)
    }

    /// A new session in the place of one whose holder gave proof again.
    private func confirm(
        _ attempt: SignInAttempt, _ claims: IdentityClaims, _ signedIn: SessionService.SignedIn?, _ client: Client
    ) async throws -> Finished {
        guard let signedIn, signedIn.session.id == attempt.confirmed, signedIn.session.portal == nil else {
            throw Self.over
        }
        guard let owner = try await context.store.account(identity: claims.identity),
            owner.user.id == signedIn.account.user.id
        else {
            throw KeybearerError(
                .forbidden, "You signed in at \(settings.name) as somebody else. Nothing was changed.")
        }
        guard owner.user.status == .active else { throw Self.disabled }
        let (_, token) = try await sessions.start(
            for: owner, replacing: ReplacedSession(id: signedIn.session.id, userID: owner.user.id),
            action: .sessionConfirmed, by: authority(claims.identity, owner.user.id, client),
            userAgent: client.userAgent, detail: settings.issuer)
        return .signedIn(token)
    }

    private func start(_ account: Account, _ identity: Identity, _ client: Client) async throws -> SessionToken {
        let authority = authority(identity, account.user.id, client)
        return try await sessions.start(
            for: account, replacing: try await sessions.replaced(by: client.cookie, authority),
            action: .sessionStarted, by: authority, userAgent: client.userAgent, detail: settings.issuer
        ).token
    }

    private func create(
        name: String, email: EmailAddress, isEmailVerified: Bool, _ identity: Identity, _ client: Client
    ) async throws -> Account {
        let new = try accounts.makeAccount(name: name, email: email, isEmailVerified: isEmailVerified)
        try await context.claimNewDatabase()
        return try await context.store.createAccount(
            new, with: identity,
            audit: context.event(
                .userCreated, by: Authority(.anyone, from: client.address), user: new.user.id,
                workspace: new.workspaceID, detail: settings.issuer),
            linked: event(.identityLinked, identity, new.user.id, client))
    }

    private func authority(_ identity: Identity, _ userID: UserID, _ client: Client) -> Authority {
        Authority(.identity(identity, of: userID), from: client.address)
    }

    private func event(
        _ action: AuditEvent.Action, _ identity: Identity, _ userID: UserID, _ client: Client
    ) -> AuditEvent {
        context.event(action, by: authority(identity, userID, client), user: userID, detail: settings.issuer)
    }

    /// What a person is told, and what the log is told.
    private func refusal(after failure: IdentityProviderFailure) -> KeybearerError {
        switch failure {
        case .unreachable:
            KeybearerError(
                .unavailable, "\(settings.name) cannot be reached. Try again in a minute, or sign in another way.",
                cause: failure)
        case .refused:
            KeybearerError(
                .unauthorized,
                "The answer of \(settings.name) was not accepted. Sign in again; if it stays, tell the operator of "
                    + "this service the request id below.", cause: failure)
        }
    }

    private static let over = KeybearerError(
        .badRequest,
        "This sign-in is over, or it began in another browser. Nothing was changed; begin again.")
    private static let disabled = KeybearerError(
        .forbidden, "This account is disabled. Ask the operator of this service.")
}

extension IdentityService {
    /// Who waits to be connected with the account that signs in.
    ///
    /// - Returns: nil where nobody waits, or no longer.
    package func pending(_ attempt: SignInAttempt) async throws -> PendingIdentity? {
        guard context.origin(of: attempt.token, kind: .signInAttempt, at: node) == .genuine else { return nil }
        let found = try await context.store.pendingIdentity(ofAttempt: attempt.digest, now: context.clocks.wall())
        guard let found else { return nil }
        let age = found.usedAt.duration(to: found.now)
        let isAlive = age < SignInAttempt.life && age >= .zero - SessionPolicy.clockTolerance
        return isAlive && found.pending.identity.issuer == settings.issuer ? found.pending : nil
    }

    /// Connects who waits with the account of a person who has signed in.
    ///
    /// - Throws: `BAD_REQUEST` where nobody waits any more; `CONFLICT` where another account has the identity.
    package func link(
        _ attempt: SignInAttempt?, to signedIn: SessionService.SignedIn, from address: IPAddress
    ) async throws {
        guard let attempt, try await pending(attempt) != nil else { throw Self.over }
        let authority = signedIn.authority(from: address)
        do {
            try await context.store.linkPendingIdentity(
                ofAttempt: attempt.digest, to: signedIn.account.user.id, by: authority,
                audit: context.event(
                    .identityLinked, by: authority, user: signedIn.account.user.id, detail: settings.issuer))
        } catch let error as KeybearerError where error.code == .notFound {
            throw Self.over
        }
    }

    /// Whether an account can give proof at the provider.
    package func isLinked(_ userID: UserID) async throws -> Bool {
        try await context.store.identities(of: userID).contains { $0.issuer == settings.issuer }
    }
}
