import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// The ``ConnectedIdentityService``: what the holder of an account sees of each ``ConnectedIdentity``, and disconnects.
@Suite struct ConnectedIdentityServiceTests {
    private static let here = FixedIdentityProvider.issuer
    private let fixture: NodeFixture
    private let samples = Samples()

    init() throws {
        fixture = try NodeFixture()
    }

    private func services(_ issuer: String? = Self.here) -> Services {
        var settings = Services.Settings()
        settings.passwordCost = 10
        settings.identities = issuer.map { IdentitySettings(issuer: $0, name: "Example") }
        let ring = fixture.ring
        return Services(
            store: fixture.store, ring: ring, loadRing: { ring }, settings: settings, role: .command,
            clocks: fixture.clock.clocks, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func connect(_ identity: Identity, to account: Account) async throws {
        let digest = fixture.random.bytes(32)
        _ = try await fixture.store.useSignInAttempt(digest: digest, now: fixture.clock.clocks.wall())
        try await fixture.store.putPendingIdentity(
            PendingIdentity(identity: identity, email: nil), ofAttempt: digest)
        try await fixture.store.linkPendingIdentity(
            ofAttempt: digest, to: account.user.id, by: .commandLine, audit: samples.event(.identityLinked))
    }

    private func isRefused(_ code: ErrorCode, _ body: () async throws -> Void) async -> Bool {
        do {
            try await body()
            return false
        } catch {
            return (error as? KeybearerError)?.code == code
        }
    }

    @Test("The holder sees the provider's name, and disconnects what is theirs, after a recent sign-in")
    func disconnecting() async throws {
        let services = services()
        let ada = try await services.accounts.create(
            name: "Ada", email: "ada@example.com", password: Password("long enough secret"), by: .commandLine)
        let eve = try await services.accounts.create(
            name: "Eve", email: "eve@example.com", password: Password("long enough secret"), by: .commandLine)
        let (one, old) = (
            Identity(issuer: Self.here, subject: "one"), Identity(issuer: "https://old.example", subject: "one")
        )
        for identity in [one, old] { try await connect(identity, to: ada) }
        try await connect(Identity(issuer: Self.here, subject: "eve"), to: eve)
        let listed = try await services.connectedIdentities.list(of: ada.user)
        #expect(Set(listed.map(\.connected.identity)) == [one, old] && !listed.contains { $0.isOnlyWay })
        #expect(Set(listed.map(\.provider)) == ["Example", "https://old.example"])
        let references = listed.map(\.connected.reference)
        #expect(Set(references).count == 2 && references.allSatisfy { $0.utf8.count == 32 })
        #expect(references.allSatisfy { reference in reference.allSatisfy { "0123456789abcdef".contains($0) } })

        let (signedIn, _) = try await services.sessions.start(for: ada, from: Samples.address, userAgent: "Browser")
        let theirs = try #require(try await services.connectedIdentities.list(of: eve.user).first)
        for reference in [theirs.connected.reference, "", "\(references[0])0"] {
            #expect(
                await isRefused(.notFound) {
                    try await services.connectedIdentities.disconnect(reference, from: signedIn, at: Samples.address)
                })
        }
        try await services.connectedIdentities.disconnect(references[0], from: signedIn, at: Samples.address)
        #expect(
            await isRefused(.notFound) {
                try await services.connectedIdentities.disconnect(references[0], from: signedIn, at: Samples.address)
            })
        fixture.clock.advance(by: .seconds(16 * 60))
        #expect(
            await isRefused(.forbidden) {
                try await services.connectedIdentities.disconnect(references[1], from: signedIn, at: Samples.address)
            })
        let left = try await services.connectedIdentities.list(of: ada.user)
        #expect(left.map(\.connected.reference) == [references[1]])
        let events = try await services.directory.auditEvents(of: nil, limit: 100).entries
        let unlinked = events.filter { $0.action == .identityUnlinked }
        #expect(unlinked.count == 1 && unlinked.first?.userID == ada.user.id && unlinked.first?.address != nil)
        #expect(unlinked.first?.detail == listed[0].connected.identity.issuer)
    }

    @Test("Without a password the last one stays, and is shown as the only way, with a provider and without")
    func onlyWay() async throws {
        var input = UserInput()
        (input.email, input.name) = ("ada@example.com", "Ada")
        let ada = try await services().writes.create(input, by: .commandLine)
        try await connect(Identity(issuer: Self.here, subject: "one"), to: ada)
        for issuer in [Self.here, nil, "https://new.example"] {
            let services = services(issuer)
            let listed = try await services.connectedIdentities.list(of: ada.user)
            let only = try #require(listed.first)
            #expect(listed.count == 1 && only.isOnlyWay)
            let (signedIn, _) = try await services.sessions.start(
                for: ada, replacing: nil, action: .sessionStarted, by: .commandLine, userAgent: "Browser")
            #expect(
                await isRefused(.conflict) {
                    try await services.connectedIdentities.disconnect(
                        only.connected.reference, from: signedIn, at: Samples.address)
                })
        }
    }
}
