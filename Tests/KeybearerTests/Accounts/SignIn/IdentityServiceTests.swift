import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// The ``IdentityService`` over a real store: sign-in with an ``IdentityProvider``, the ``Identity`` that an account gets,
/// and every way in which somebody else could get the account.
@Suite struct IdentityServiceTests {
    private let fixture: NodeFixture
    private let provider = FixedIdentityProvider()

    init() throws {
        fixture = try NodeFixture()
    }

    /// A person with a browser, and the services.
    private struct Stage {
        let fixture: NodeFixture
        let services: Services
        let identities: IdentityService
        static let redirectURI = "https://yourapp.com/sign-in/oidc/callback"
        static let address = IPAddress(v4: 0x0A00_0001)

        /// To the provider and back.
        func signIn(
            state: String? = nil, confirming: SessionService.SignedIn? = nil, now: SessionService.SignedIn? = nil,
            cookie: SessionToken? = nil, after span: Duration = .seconds(1)
        ) async throws -> (IdentityService.Finished, SignInAttempt) {
            let (_, attempt) = try await identities.begin(
                next: "/", confirming: confirming, redirectURI: Self.redirectURI)
            fixture.clock.advance(by: span)
            return (try await back(attempt, state: state, now: now ?? confirming, cookie: cookie), attempt)
        }

        func back(
            _ attempt: SignInAttempt, state: String? = nil, now: SessionService.SignedIn? = nil,
            cookie: SessionToken? = nil
        ) async throws -> IdentityService.Finished {
            try await identities.finish(
                attempt,
                IdentityService.Return(code: "a code", state: state ?? attempt.state, redirectURI: Self.redirectURI),
                signedIn: now,
                client: IdentityService.Client(address: Self.address, userAgent: "Browser/1.0", cookie: cookie))
        }

        /// Whose session a finished sign-in has begun.
        func account(_ finished: IdentityService.Finished) async throws -> Account? {
            guard case .signedIn(let token) = finished else { return nil }
            return try await services.sessions.find(token)?.account
        }

        func session(_ finished: IdentityService.Finished) async throws -> SessionService.SignedIn {
            guard case .signedIn(let token) = finished else {
                throw KeybearerError(.internalError, "nobody is signed in")
            }
            return try #require(try await services.sessions.find(token))
        }

        func code(_ body: () async throws -> Void) async -> ErrorCode? {
            do {
                try await body()
                return nil
            } catch {
                return (error as? KeybearerError)?.code
            }
        }
    }

    private func stage(
        _ trust: IdentitySettings.EmailTrust = .verified, provisions: Bool = false
    ) throws -> Stage {
        var settings = Services.Settings()
        settings.passwordCost = 10
        settings.identities = IdentitySettings(
            issuer: FixedIdentityProvider.issuer, name: "Example", emailTrust: trust, isProvisioningOpen: provisions)
        let ring = fixture.ring
        let services = Services(
            store: fixture.store, ring: ring, loadRing: { ring }, settings: settings, role: .command,
            identityProvider: provider, clocks: fixture.clock.clocks,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return Stage(fixture: fixture, services: services, identities: try #require(services.identities))
    }

    private func ada(_ stage: Stage, isVerified: Bool = true) async throws -> Account {
        try await stage.services.accounts.create(
            name: "Ada", email: "ada@example.com", password: Password("long enough secret"),
            by: isVerified ? .commandLine : Authority(.anyone, from: Stage.address))
    }

    @Test("An account with a verified address is linked at the first sign-in, and found by its identity from then on")
    func link() async throws {
        let stage = try stage()
        let ada = try await ada(stage)
        let (first, attempt) = try await stage.signIn()
        #expect(try await stage.account(first)?.user.id == ada.user.id)
        let grant = try #require(provider.grants.last)
        #expect(grant.code == "a code" && grant.nonce == attempt.nonce && grant.codeVerifier == attempt.codeVerifier)
        #expect(grant.redirectURI == Stage.redirectURI && grant.authenticatedAfter == nil)
        let request = try #require(provider.requests.last)
        #expect(request.codeChallenge == attempt.codeChallenge && request.state == attempt.state && !request.asksAgain)
        // The address at the provider changes, and then is another account's.
        let eve = try await stage.services.accounts.create(
            name: "Eve", email: "eve@example.com", password: Password("long enough secret"), by: .commandLine)
        for email in ["new@example.com", "eve@example.com", nil] {
            provider.says(.success(FixedIdentityProvider.claims(email: email)))
            #expect(try await stage.account(try await stage.signIn().0)?.user.id == ada.user.id)
        }
        let account = try await stage.services.accounts.account(ada.user.id)
        #expect(account.user.email == ada.user.email && account.user.version == ada.user.version)
        #expect(try await stage.services.accounts.account(eve.user.id).user.email == eve.user.email)
        let events = try await stage.services.accounts.auditEvents(of: ada.user.id, limit: 20)
        #expect(events.map(\.action).filter { $0 == .identityLinked }.count == 1)
        #expect(events.filter { $0.action == .sessionStarted }.count == 4)
        #expect(events.allSatisfy { $0.action == .userCreated || $0.detail == FixedIdentityProvider.issuer })
        #expect(events.first?.actor == .user(ada.user.id))
    }

    @Test("Where the address is not verified here, or not there, nobody is linked, and there is no second account")
    func takeOver() async throws {
        let stage = try stage(provisions: true)
        // Somebody signed up with Ada's address before she came.
        let stranger = try await ada(stage, isVerified: false)
        guard case .signInFirst = try await stage.signIn().0 else {
            Issue.record("Ada got a stranger's account")
            return
        }
        #expect(try await fixture.store.identities(of: stranger.user.id).isEmpty)
        #expect(try await fixture.store.account(identity: FixedIdentityProvider.claims().identity) == nil)
        // Somebody else has her address at the provider.
        try await stage.services.accounts.delete(stranger.user.id, by: .commandLine)
        let ada = try await ada(stage)
        for verification in [IdentityClaims.Verification.unverified, .absent, .verifiedText] {
            provider.says(.success(FixedIdentityProvider.claims("mallory", verification)))
            guard case .signInFirst = try await stage.signIn().0 else {
                Issue.record("\(verification)")
                return
            }
        }
        #expect(try await fixture.store.identities(of: ada.user.id).isEmpty)
        #expect(try await stage.services.accounts.list(page: 1, limit: 10).total == 1)
    }

    @Test(
        "Who waits is connected with the account that signs in meanwhile: once, within ten minutes, by a live session")
    func connect() async throws {
        let stage = try stage()
        let ada = try await ada(stage, isVerified: false)
        let (waiting, attempt) = try await stage.signIn()
        guard case .signInFirst = waiting else {
            Issue.record("she does not wait")
            return
        }
        let pending = try await stage.identities.pending(attempt)
        #expect(pending == PendingIdentity(identity: FixedIdentityProvider.claims().identity, email: "ada@example.com"))
        let session = try await stage.services.sessions.start(for: ada, from: Stage.address, userAgent: "Browser/1.0")
        try await stage.identities.link(attempt, to: session.signedIn, from: Stage.address)
        #expect(try await stage.identities.pending(attempt) == nil)
        #expect(
            await stage.code { try await stage.identities.link(attempt, to: session.signedIn, from: Stage.address) }
                == .badRequest)
        #expect(try await stage.account(try await stage.signIn().0)?.user.id == ada.user.id)
        // Another one waits, and is too late; another's session has ended.
        provider.says(.success(FixedIdentityProvider.claims("late", email: nil)))
        let (_, late) = try await stage.signIn()
        fixture.clock.advance(by: .seconds(599))
        #expect(try await stage.identities.pending(late) != nil)
        try await stage.services.sessions.end(session.signedIn.session.id, of: ada.user.id, by: .commandLine)
        #expect(
            await stage.code { try await stage.identities.link(late, to: session.signedIn, from: Stage.address) }
                == .unauthorized)
        fixture.clock.advance(by: .seconds(1))
        #expect(try await stage.identities.pending(late) == nil)
        #expect(try await fixture.store.identities(of: ada.user.id).count == 1)
    }

    @Test("Provisioning makes one account without a password, verified as the provider says")
    func provision() async throws {
        let stage = try stage(provisions: true)
        let made = try #require(try await stage.account(try await stage.signIn().0))
        #expect(made.user.email.rawValue == "ada@example.com" && made.user.name == "Ada")
        #expect(!made.user.hasPassword && made.user.isEmailVerified && made.workspaces.count == 1)
        #expect(try await stage.account(try await stage.signIn().0)?.user.id == made.user.id)
        provider.says(.success(FixedIdentityProvider.claims("eve", email: "eve@example.com", .unverified)))
        let unproved = try #require(try await stage.account(try await stage.signIn().0))
        #expect(!unproved.user.isEmailVerified)
        // Two browsers of one person at the same moment.
        provider.says(.success(FixedIdentityProvider.claims("two", email: "two@example.com")))
        async let one = stage.signIn()
        async let two = stage.signIn()
        let both = [
            try await stage.account(try await one.0)?.user.id, try await stage.account(try await two.0)?.user.id,
        ]
        #expect(Set(both).count == 1 && both[0] != nil)
        #expect(try await stage.services.accounts.list(page: 1, limit: 10).total == 3)
    }

    @Test("A state of another attempt, an attempt that was used, that is over, or that nobody began here, is refused")
    func replay() async throws {
        let stage = try stage(provisions: true)
        let (_, used) = try await stage.signIn()
        #expect(await stage.code { _ = try await stage.back(used) } == .badRequest)
        #expect(await stage.code { _ = try await stage.signIn(state: used.state) } == .badRequest)
        #expect(await stage.code { _ = try await stage.signIn(state: "") } == .badRequest)
        #expect(await stage.code { _ = try await stage.signIn(after: .seconds(600)) } == .badRequest)
        let foreign = SignInAttempt.begin(
            from: KeyVault(ring: try .generate(from: .system)), random: .system, at: fixture.clock.clocks.wall(),
            confirming: nil, next: "/")
        #expect(await stage.code { _ = try await stage.back(foreign) } == .badRequest)
        #expect(provider.grants.count == 1, "no code was sent anywhere")
        #expect(await stage.code { _ = try stage.identities.require(nil, state: "") } == .badRequest)
    }

    @Test("A disabled account signs in nowhere; a deleted one leaves no identity behind")
    func disabled() async throws {
        let stage = try stage()
        let ada = try await ada(stage)
        _ = try await stage.signIn()
        try await stage.services.accounts.setStatus(.disabled, of: ada.user.id, by: .commandLine)
        #expect(await stage.code { _ = try await stage.signIn() } == .forbidden)
        try await stage.services.accounts.setStatus(.active, of: ada.user.id, by: .commandLine)
        #expect(try await stage.account(try await stage.signIn().0)?.user.id == ada.user.id)
        try await stage.services.accounts.delete(ada.user.id, by: .commandLine)
        guard case .signInFirst = try await stage.signIn().0 else {
            Issue.record("the identity is still there")
            return
        }
    }

    @Test("Confirming wants proof again, of the same person, in the same session, and starts a recent one")
    func confirm() async throws {
        let stage = try stage()
        let ada = try await ada(stage)
        let session = try await stage.session(try await stage.signIn().0)
        fixture.clock.advance(by: .seconds(1_000))
        let confirmed = try await stage.session(try await stage.signIn(confirming: session).0)
        #expect(confirmed.isRecent && confirmed.account.user.id == ada.user.id)
        #expect(provider.requests.last?.asksAgain == true)
        let grant = try #require(provider.grants.last)
        #expect(grant.authenticatedAfter == fixture.clock.clocks.wall().advanced(by: .seconds(-1)))
        #expect(try await stage.services.sessions.list(of: ada.user.id).map(\.id) == [confirmed.session.id])
        // The old session is gone, somebody else gave proof, or the provider knows nobody by that name.
        let (_, attempt) = try await stage.identities.begin(
            next: "/", confirming: confirmed, redirectURI: Stage.redirectURI)
        #expect(await stage.code { _ = try await stage.back(attempt, now: session) } == .badRequest)
        #expect(await stage.code { _ = try await stage.back(attempt) } == .badRequest)
        provider.says(.success(FixedIdentityProvider.claims("mallory")))
        #expect(await stage.code { _ = try await stage.signIn(confirming: confirmed) } == .forbidden)
        #expect(try await fixture.store.identities(of: ada.user.id).count == 1)
    }

    @Test("A provider that is down is said to be; one whose answer is refused is counted, and nobody is told why")
    func failures() async throws {
        let stage = try stage()
        provider.says(.failure(.unreachable("the keys: 500")))
        #expect(await stage.code { _ = try await stage.signIn() } == .unavailable)
        provider.says(.success(FixedIdentityProvider.claims()))
        let (_, attempt) = try await stage.identities.begin(next: "/", confirming: nil, redirectURI: Stage.redirectURI)
        provider.says(.failure(.refused("the ID token has expired")))
        do {
            _ = try await stage.back(attempt)
            Issue.record("it is refused")
        } catch let error as KeybearerError {
            #expect(error.code == .unauthorized && !error.message.contains("expired"))
            #expect(error.cause.map { "\($0)" } == "the ID token has expired")
        }
        for _ in 0..<19 { _ = await stage.code { _ = try await stage.signIn() } }
        #expect(await stage.code { _ = try await stage.signIn(after: .milliseconds(1)) } == .rateLimited)
        // Another provider's token, whatever the client let pass.
        fixture.clock.advance(by: .seconds(3_600))
        let foreign = Identity(issuer: "https://evil.example", subject: "ada")
        provider.says(
            .success(
                IdentityClaims(identity: foreign, email: "ada@example.com", verification: .verified, name: nil)))
        #expect(await stage.code { _ = try await stage.signIn() } == .unauthorized)
    }

    @Test("Who takes an account over takes it from whoever signs in at the provider too")
    func adopted() async throws {
        let stage = try stage(provisions: true)
        // Mallory's provider account names Ada's address, and nobody has proved it.
        provider.says(.success(FixedIdentityProvider.claims("mallory", email: "ada@example.com", .unverified)))
        let made = try #require(try await stage.account(try await stage.signIn().0))
        let token = try await stage.services.operatorTokens.create(
            name: "app", scopes: Set(OperatorScope.allCases), by: .commandLine)
        let caller = OperatorCaller(token.token, from: Stage.address)
        var input = UserInput()
        input.email = "ada@example.com"
        input.name = "Ada"
        let reference = try #require(Reference<UserID>("ext:42"))
        #expect(
            await stage.code { _ = try await stage.services.writes.putting(reference, input, by: caller) } == .conflict)
        // Nor can the product vouch for the address while Mallory has the account.
        var vouching = UserInput()
        vouching.isEmailVerified = true
        let id = Reference<UserID>.id(made.user.id)
        #expect(
            await stage.code { _ = try await stage.services.writes.patching(id, vouching, by: caller) } == .conflict)
        input.adopts = true
        let write = try await stage.services.writes.putting(reference, input, by: caller)
        _ = try await stage.services.writes.perform(write, by: caller)
        #expect(try await fixture.store.identities(of: made.user.id).isEmpty)
        #expect(try await stage.services.sessions.list(of: made.user.id).isEmpty)
        guard case .signInFirst = try await stage.signIn().0 else {
            Issue.record("Mallory is still in")
            return
        }
    }
}

extension FixedIdentityProvider {
    fileprivate static func claims(_ subject: String, _ verification: IdentityClaims.Verification) -> IdentityClaims {
        claims(subject, email: "ada@example.com", verification, name: "Ada")
    }
}
