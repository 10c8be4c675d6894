import KeybearerSQL
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// Forgeries are refused from memory: ``SessionService``, ``OperatorTokenService``, ``PortalLinkService`` and
/// ``DirectoryService`` never reach the store with one.
@Suite struct ForgedTokenTests {
    @Test(arguments: storesUnderTest)
    func forgedCookiesAndOperatorTokensNeverReachTheStore(_ subject: StoreUnderTest) async throws {
        try await subject.run { plain, samples in
            let (services, engine) = try await Self.services(over: plain)
            let password = Password("long enough secret")
            _ = try await services.accounts.create(
                name: "Ada", email: "ada@example.com", password: password, by: .commandLine)
            let (_, session) = try await services.signIn.withPassword(
                email: "ada@example.com", password: password, from: Samples.address, userAgent: "Browser")
            let (_, secret) = try await services.operatorTokens.create(
                name: "CI", scopes: [.introspect], by: .commandLine)
            // Those of another ring, of the other kind, and with one character changed.
            let other = KeyVault(ring: try .generate(from: .system))
            var cookies = (0..<50).map { _ in SessionToken.mint(from: other, random: .system).token.characters }
            cookies.append(String(secret.characters.dropFirst(4)))
            cookies.append(Self.altered(session.characters))
            var secrets = (0..<50).map { _ in OperatorSecret.mint(from: other, random: .system).secret.characters }
            secrets.append("kbo_" + session.characters)
            secrets.append(Self.altered(secret.characters))
            await services.node?.fence.step()
            let before = engine.calls
            for cookie in cookies {
                let token = try #require(SessionToken(parsing: cookie))
                #expect(try await services.sessions.find(token) == nil)
            }
            for text in secrets {
                let forged = try #require(OperatorSecret(presented: text))
                await expect(.unauthorized) {
                    _ = try await services.operatorTokens.authenticate(forged, from: .localSocket)
                }
            }
            #expect(engine.calls == before)
            #expect(try await services.sessions.find(session) != nil)
            _ = try await services.operatorTokens.authenticate(secret, from: .localSocket)
            #expect(engine.calls > before, "a real one does")
        }
    }

    @Test(arguments: storesUnderTest)
    func forgedPortalCodesAndKeysNeverReachTheStore(_ subject: StoreUnderTest) async throws {
        try await subject.run { plain, _ in
            let (services, engine) = try await Self.services(over: plain)
            let account = try await services.accounts.create(
                name: "Ada", email: "ada@example.com", password: Password("long enough secret"), by: .commandLine)
            let key = try await services.keys.reveal(account.user.id, by: .commandLine).characters
            let (token, secret) = try await services.operatorTokens.create(
                name: "App", scopes: [.portal], by: .commandLine)
            let caller = OperatorCaller(token, from: .localSocket)
            let code = try await services.portalLinks.create(for: .id(account.user.id), by: caller).code
            let other = KeyVault(ring: try .generate(from: .system))
            var codes = (0..<50).map { _ in PortalCode.mint(from: other, random: .system).code.characters }
            codes += [Self.altered(code.characters), "kbl_" + secret.characters.dropFirst(4)]
            var keys = try (0..<50).map { _ in try other.issue(prefix: .standard, random: .system).characters }
            keys += [Self.altered(key), "", "x", secret.characters, code.characters, " " + key]
            await services.node?.fence.step()
            let before = engine.calls
            for text in codes {
                let forged = try #require(PortalCode(parsing: text))
                #expect(services.portalLinks.isForged(forged))
                guard case .none = try await services.portalLinks.find(forged) else {
                    throw KeybearerError(.internalError, "A forged code was found.")
                }
            }
            for text in keys { await expect(.notFound) { _ = try await services.directory.owner(of: text) } }
            #expect(engine.calls == before)
            // What has not the shape of our own keys may be one that was imported, and has ended since.
            await expect(.notFound) { _ = try await services.directory.owner(of: key + "0") }
            guard case .usable = try await services.portalLinks.find(code),
                case .live = try await services.directory.owner(of: key)
            else { throw KeybearerError(.internalError, "Genuine ones were not found.") }
            #expect(engine.calls > before, "a real one does")
        }
    }

    @Test(arguments: storesUnderTest)
    func forgedInvitationsNeverReachTheStore(_ subject: StoreUnderTest) async throws {
        try await subject.run { plain, _ in
            let (services, engine) = try await Self.services(over: plain)
            let account = try await services.accounts.create(
                name: "Ada", email: "ada@example.com", password: Password("long enough secret"), by: .commandLine)
            let code = try await services.invitations.invite(
                "bob@example.com", as: .member, to: account.workspaces[0].workspace.id, by: account.user,
                authority: .commandLine
            ).code
            let other = KeyVault(ring: try .generate(from: .system))
            var codes = (0..<50).map { _ in InvitationCode.mint(from: other, random: .system).code.characters }
            codes += [
                Self.altered(code.characters),
                "kbv_" + PortalCode.mint(from: other, random: .system).code.characters.dropFirst(4),
            ]
            await services.node?.fence.step()
            let before = engine.calls
            for text in codes {
                let forged = try #require(InvitationCode(parsing: text))
                #expect(services.invitations.isForged(forged))
                #expect(try await services.invitations.find(forged) == nil)
                #expect(try await services.invitations.requestAnother(forged, for: nil, from: .localSocket) == nil)
                #expect(
                    try await services.invitations.accept(forged, as: account.user.id, by: .commandLine).outcome
                        == .unknown)
            }
            #expect(engine.calls == before)
            #expect(try await services.invitations.find(code) != nil)
            #expect(engine.calls > before, "a real one does")
        }
    }

    @Test(arguments: storesUnderTest)
    func forgedMailCodesNeverReachTheStore(_ subject: StoreUnderTest) async throws {
        try await subject.run { plain, _ in
            let (services, engine, own) = try await Self.servicesWithVault(over: plain)
            let other = KeyVault(ring: try .generate(from: .system))
            var codes = (0..<50).map { _ in other.mint(.mailLink, random: .system).characters }
            codes.append("kbm_" + own.mint(.invitation, random: .system).characters.dropFirst(4))
            let before = engine.calls
            for text in codes {
                let forged = try #require(MailCode(parsing: text))
                guard case .none = try await services.emails.find(forged) else {
                    Issue.record("a forgery is known")
                    continue
                }
                #expect(try await services.passwordResets.find(forged) == nil)
            }
            #expect(engine.calls == before)
            let genuine = try #require(MailCode(parsing: own.mint(.mailLink, random: .system).characters))
            guard case .none = try await services.emails.find(genuine) else {
                Issue.record("nobody was sent it")
                return
            }
            #expect(engine.calls > before, "a real one does")
        }
    }

    private static func services(over plain: any Store) async throws -> (Services, CountingEngine) {
        let (services, engine, _) = try await servicesWithVault(over: plain)
        return (services, engine)
    }

    private static func servicesWithVault(
        over plain: any Store
    ) async throws -> (Services, CountingEngine, KeyVault) {
        let engine = CountingEngine(try #require(plain as? SQLStore).engine)
        let ring = try MasterKeyRing.generate(from: .system)
        var settings = Services.Settings()
        settings.passwordCost = 10
        // No slow machine outlives it: what happens without a lease is tested elsewhere.
        settings.lease = .seconds(30)
        let services = Services(
            store: SQLStore(engine: engine), ring: ring, loadRing: { ring }, settings: settings, role: .server,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await services.node?.fence.step()
        return (services, engine, KeyVault(ring: ring))
    }

    private static func altered(_ text: String) -> String {
        text.dropLast() + (text.last == "0" ? "1" : "0")
    }
}

/// An engine that counts how often it is asked for anything.
private final class CountingEngine: SQLEngine {
    private let engine: any SQLEngine
    private let count = Lock(0)

    init(_ engine: any SQLEngine) {
        self.engine = engine
    }

    var calls: Int { count.withLock { $0 } }

    private var counted: any SQLEngine {
        count.withLock { $0 += 1 }
        return engine
    }

    var settledAuditRows: SQL { engine.settledAuditRows }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value { try await counted.read(body) }

    func shortRead<Value: Sendable>(
        on lane: SQLLane, _ body: @escaping @Sendable (any SQLConnection) throws -> Value
    ) async throws -> Value { try await counted.shortRead(on: lane, body) }

    func write<Value: Sendable>(
        on lane: SQLLane, _ body: @escaping @Sendable (any SQLConnection) throws -> Commit<Value>
    ) async throws -> Value { try await counted.write(on: lane, body) }

    func change<Value: Sendable>(
        at time: Timestamp,
        _ body: @escaping @Sendable (any SQLConnection) throws -> (commit: Commit<Value>, subjects: [Change.Subject])
    ) async throws -> (value: Value, position: ChangeLogPosition) { try await counted.change(at: time, body) }

    func withCopyReader<Value>(_ body: (any SQLConnection) throws -> Value) throws -> Value {
        try counted.withCopyReader(body)
    }
    func withCopyWriter<Value>(_ body: (any SQLConnection) throws -> Value) throws -> Value {
        try counted.withCopyWriter(body)
    }
    func beginHistory(at position: ChangeLogPosition, _ time: Timestamp, _ connection: any SQLConnection) throws {
        try counted.beginHistory(at: position, time, connection)
    }
    func checkWritable() async throws { try await counted.checkWritable() }
    func newestNumber(_ connection: any SQLConnection) throws -> Int64 { try counted.newestNumber(connection) }
    func registerNode(_ id: NodeID, label: String, version: String, lease: Duration) async throws -> ChangeLogPosition {
        try await counted.registerNode(id, label: label, version: version, lease: lease)
    }
    func renewLease(of id: NodeID, applied: ChangeLogPosition) async throws -> LeaseRenewal {
        try await counted.renewLease(of: id, applied: applied)
    }
    func changes(after position: ChangeLogPosition, limit: Int) async throws -> [Change]? {
        try await counted.changes(after: position, limit: limit)
    }
    func waitForNotification(atMost span: Duration) async { await engine.waitForNotification(atMost: span) }
    var executor: any TaskExecutor { engine.executor }
    var observation: StoreObservation { engine.observation }
    var connections: StoreConnections? { engine.connections }
    func checkReadiness() async throws { try await counted.checkReadiness() }
    func close() throws { try engine.close() }
    func reserve(_ requests: [QuotaRequest], now: Timestamp) async throws -> [Reservation] {
        try await counted.reserve(requests, now: now)
    }
    func postReclaims(of userIDs: [UserID], now: Timestamp) async throws {
        try await counted.postReclaims(of: userIDs, now: now)
    }
    func reclaims(now: Timestamp) async throws -> [ReclaimRequest] { try await counted.reclaims(now: now) }
}
