import KeybearerPostgres
import KeybearerSQLite
import Logging
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerSQL
@testable import KeybearerServer

/// The databases that the walk goes over.
enum WalkEngine: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite = "SQLite"
    case postgres = "PostgreSQL"

    var testDescription: String { rawValue }

    /// A new database, opened.
    func open(in directory: TemporaryDirectory) throws -> SQLStore { try database(in: directory)() }

    /// What is walked over which wire. Databases differ in the transaction and wires in how a request arrives: not each
    /// with each.
    static let wires: [(WalkEngine, Wire)] = [(.sqlite, .http1), (.sqlite, .http2), (.postgres, .http1)]

    /// A new database, and how to open it: each time as another process would.
    func database(in directory: TemporaryDirectory) throws -> () throws -> SQLStore {
        switch self {
        case .sqlite: return { try SQLiteStore.openStore(path: directory.file("walk.db"), role: .server) }
        case .postgres:
            // The machine may be busy.
            let address = try PostgresDatabase().address(parameters: "connect_timeout=60")
            var options = PostgresStore.Options()
            options.lease = WalkStage.lease
            let fixed = options
            return { try PostgresStore.openStore(address, options: fixed) }
        }
    }
}

/// A server whose writes can be held, and a second process on the same database that never is.
struct WalkStage: Sendable {
    let server: KeybearerServer
    let client: WireClient
    let wire: Wire
    /// The server's own store.
    let heldStore: SQLStore
    /// What a command does whose writes can be held.
    let heldCommands: Services
    /// Everybody else: the holder's other devices, and the operator.
    let others: Services
    let otherStore: SQLStore
    let ring: MasterKeyRing
    /// An Owner beside every subject, so that these can lose their role and leave.
    let holder: UserID
    private let count = Counter()
    static let lease: Duration = .seconds(30)

    /// Runs a body on a new database.
    ///
    /// - Parameter checks: whether the server's store looks at authorities in the committing transaction.
    static func run(
        _ engine: WalkEngine, over wire: Wire, checks: Bool = true, _ body: @Sendable (WalkStage) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let store = try engine.open(in: directory)
        let heldStore = checks ? SQLStore(engine: store.engine) : store.withoutAuthorityCheck()
        let ring = try MasterKeyRing.generate(from: .system)
        let certificate = wire.isTLS ? try ServerFixture.certificate() : nil
        let fixture = try ServerFixture(
            tls: certificate.map { ($0.certificateFile, $0.keyFile) }, store: heldStore, ring: ring,
            identityProvider: FixedIdentityProvider()
        ) { edge, domain in
            edge.trustedProxies = [AddressRange("127.0.0.0/8")].compactMap { $0 }
            domain.isPlanSwitchOpen = true
            // They stay in the outbox.
            domain.isMailOn = true
            // The machine may be busy: no time that runs out is a part of this walk.
            edge.bodyTimeout = .seconds(120)
            domain.lease = lease
            domain.patience = Verifier.Patience(near: .seconds(60), longest: .seconds(60), request: .seconds(60))
        }
        let others = commands(on: store, ring)
        let holder = try await others.accounts.create(
            name: "Keeper", email: "keeper@example.com", password: Password("a keeper's password"), by: .commandLine)
        let server = try fixture.server()
        try await fixture.listening(server) { client in
            try await body(
                WalkStage(
                    server: server, client: client, wire: wire, heldStore: heldStore,
                    heldCommands: commands(on: heldStore, ring), others: others, otherStore: store, ring: ring,
                    holder: holder.user.id))
        }
        try store.close()
    }

    private static let routesPerDatabase = 5

    /// Runs a body for each of many. Every few have a new database: what a snapshot reads grows with each.
    static func run<Each: Sendable>(
        _ engine: WalkEngine, over wire: Wire, checks: Bool = true, through all: [Each],
        _ body: @escaping @Sendable (Each, WalkStage) async throws -> Void
    ) async throws {
        for first in stride(from: 0, to: all.count, by: Self.routesPerDatabase) {
            do {
                try await run(engine, over: wire, checks: checks) { stage in
                    for each in all[first..<min(first + Self.routesPerDatabase, all.count)] {
                        try await body(each, stage)
                    }
                }
            } catch let error as KeybearerError {
                // What it says to anyone does not tell why.
                Issue.record("\(error), \(error.cause.map { String(reflecting: $0) } ?? "without a cause")")
            }
        }
    }

    private static func commands(on store: SQLStore, _ ring: MasterKeyRing) -> Services {
        var settings = Services.Settings()
        settings.passwordCost = 10
        settings.lease = lease
        return Services(
            store: store, ring: ring, loadRing: { ring }, settings: settings, role: .command,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// A new account with all that it can present.
    ///
    /// - Parameters:
    ///   - hasTeam: whether others are in its workspace, and it is invited to another one.
    ///   - hasSecondFactor: whether it has an authenticator app.
    ///   - isUnverified: whether its address is not verified.
    ///   - hasEventType: whether there is a kind of event that is its own.
    func subject(
        hasTeam: Bool = false, hasSecondFactor: Bool = false, isUnverified: Bool = false,
        hasEventType: Bool = false
    ) async throws -> WalkSubject {
        count.increment()
        let number = count.value
        let address = IPAddress(v4: 0xC612_0000 + UInt32(number))
        let email = "subject\(number)@example.com"
        let account = try await others.accounts.create(
            name: "Ada", email: email, password: WalkSubject.password,
            by: isUnverified ? Authority(.anyone, from: address) : .commandLine)
        let workspace = account.workspaces[0].workspace.id
        try await others.workspaces.setPlan(PlanID(rawValue: "pro"), of: workspace, by: .commandLine)
        try await others.workspaces.putMember(holder, in: workspace, role: .owner, by: .commandLine)
        let second = hasSecondFactor ? try await secondFactor(of: account, address) : nil
        let sessions = try await (0..<3).asyncMap { _ in
            try await others.sessions.start(
                for: account, replacing: nil, action: .sessionStarted, by: Authority(.commandLine, from: address),
                userAgent: "Browser/1.0")
        }
        let token = try await others.operatorTokens.create(
            name: "billing", scopes: Set(OperatorScope.allCases), by: .commandLine)
        let link = try await others.portalLinks.create(
            for: .id(account.user.id), by: OperatorCaller(token.token, from: address))
        let attempt = SignInAttempt.begin(
            from: KeyVault(ring: ring), random: .system, at: Clocks.system.wall(), confirming: nil, next: "/")
        try await putPending(FixedIdentityProvider.claims("thief \(number)").identity, attempt.digest)
        let own = FixedIdentityProvider.claims("subject \(number)").identity
        let ownDigest = RandomSource.system.bytes(32)
        try await putPending(own, ownDigest)
        try await otherStore.linkPendingIdentity(
            ofAttempt: ownDigest, to: account.user.id, by: .commandLine,
            audit: AuditEvent(
                id: .random(from: .system), at: Clocks.system.wall(), actor: .commandLine, action: .identityLinked,
                userID: account.user.id))
        let webhook = try await webhook(of: workspace, number)
        let eventType = EventName(rawValue: "order.stolen_\(number)")
        if hasEventType {
            _ = try await others.events.put(eventType, description: "Own", example: nil, by: .commandLine)
        }
        return WalkSubject(
            account: account, key: try await others.keys.reveal(account.user.id, by: .commandLine).characters,
            address: address, email: email, workspace: workspace, cookie: sessions[0].token.characters,
            session: sessions[0].signedIn.session.id, otherSession: sessions[1].signedIn.session.id,
            thirdSession: sessions[2].signedIn.session.id, operatorToken: token.secret.characters,
            operatorTokenID: token.token.id, portalCode: link.code.characters,
            identity: ConnectedIdentity(identity: own, connectedAt: Samples.start), attempt: attempt,
            team: hasTeam ? try await team(of: workspace, inviting: email, number) : .none,
            recoveryCode: second?.code ?? "", pendingSignIn: second?.pending ?? "",
            verifyCode: try await mailCode(.verifyEmail, of: account, account.user.email),
            changeCode: try await mailCode(
                .changeEmail, of: account, EmailAddress(normalised: "wanted\(number)@example.com")),
            resetCode: try await mailCode(.resetPassword, of: account, account.user.email), webhook: webhook.id,
            message: webhook.message, disabledWebhook: webhook.disabled, eventType: eventType)
    }

    /// A webhook of a workspace, with a message that is queued for it.
    private func webhook(
        of workspace: WorkspaceID, _ number: Int
    ) async throws -> (id: WebhookEndpointID, message: WebhookMessageID, disabled: WebhookEndpointID) {
        let input = WebhookService.Input(name: "Hooks", url: "https://192.0.2.1/hooks", events: ["*"])
        let made = try await others.webhooks.create(input, in: workspace, by: .commandLine)
        let message = try await others.webhooks.test(made.endpoint.id, in: workspace, by: .commandLine)
        while try await otherStore.spreadMessages(limit: 100, now: Clocks.system.wall()) > 0 {}
        let other = try await others.webhooks.create(input, in: workspace, by: .commandLine).endpoint.id
        _ = try await others.webhooks.update(
            other, in: workspace, WebhookService.Input(isEnabled: false), by: .commandLine)
        return (made.endpoint.id, message, other)
    }

    /// The code of a link that was sent.
    private func mailCode(
        _ purpose: MailLink.Purpose, of account: Account, _ email: EmailAddress
    ) async throws -> String {
        let (now, random, userID) = (Clocks.system.wall(), RandomSource.system, account.user.id)
        let (mail, claim) = (MailID.random(from: random), random.bytes(16))
        let audit = AuditEvent(
            id: .random(from: random), at: now, actor: .commandLine, action: .emailChangeAsked, userID: userID)
        let new = NewMail(id: mail, .keyRevoked, to: .address(email, of: userID), at: now.advanced(by: .seconds(-1)))
        if purpose == .changeEmail {
            try await otherStore.askForEmailChange(of: userID, to: email, by: .commandLine, audit: audit, mail: new)
        } else {
            try await otherStore.addMail(new)
        }
        _ = try await otherStore.claimMails(claim, limit: 1_000, now: now)
        let (code, token) = KeyVault(ring: ring).mint(.mailLink, random: random)
        let link = MailLink(purpose, of: userID, sentTo: email, passwordVersion: 1, createdAt: now)
        guard try await otherStore.addMailLink(link, code: token, of: mail, claim: claim, audit: nil) else {
            throw KeybearerError(.internalError, "The link is not kept.")
        }
        _ = try await otherStore.dropMail(mail)
        return code
    }

    /// Sets an app up, and gives the password of a sign-in that waits for the code.
    ///
    /// - Returns: a recovery code, and what the browser that waits has.
    private func secondFactor(
        of account: Account, _ address: IPAddress
    ) async throws -> (code: String, pending: String) {
        let code = RecoveryCode.random(from: .system)
        let id = SecondFactorID.random(from: .system)
        try await otherStore.addSecondFactor(
            SecondFactor(
                id: id, userID: account.user.id,
                sealed: try KeyVault(ring: ring).seal(
                    [1, 2, 3], boundTo: SecondFactor.binding(id, of: account.user.id)),
                createdAt: Clocks.system.wall()),
            lastStep: 0, recoveryCodes: [code.digest(of: account.user.id)], keeping: .random(from: .system),
            by: .commandLine,
            audit: AuditEvent(
                id: .random(from: .system), at: Clocks.system.wall(), actor: .commandLine, action: .secondFactorAdded))
        let step = try await others.signIn.begin(
            email: account.user.email.rawValue, password: WalkSubject.password, from: address, userAgent: "Browser/1.0")
        guard case .codeNeeded(let token) = step else { throw KeybearerError.codeNeeded }
        return (code.text, token.characters)
    }

    private func putPending(_ identity: Identity, _ digest: [UInt8]) async throws {
        _ = try await otherStore.useSignInAttempt(digest: digest, now: Clocks.system.wall())
        try await otherStore.putPendingIdentity(
            PendingIdentity(identity: identity, email: nil), ofAttempt: digest)
    }

    private func team(of workspace: WorkspaceID, inviting email: String, _ number: Int) async throws -> WalkTeam {
        let (colleague, host) = (try await account("colleague\(number)"), try await account("host\(number)"))
        try await others.workspaces.putMember(colleague.user.id, in: workspace, role: .member, by: .commandLine)
        let service = try await others.writes.createServiceAccount(
            name: "Testing", in: .id(workspace), by: .commandLine)
        let waiting = try await others.invitations.invite(
            "guest\(number)@example.com", as: .member, to: workspace,
            by: try await others.accounts.account(holder).user,
            authority: .commandLine)
        let hostWorkspace = host.workspaces[0].workspace.id
        let own = try await others.invitations.invite(
            email, as: .member, to: hostWorkspace, by: host.user, authority: .commandLine)
        return WalkTeam(
            colleague: colleague.user.id, serviceAccount: service.user.id, invitation: waiting.invitation.id,
            host: host.user.id,
            hostWorkspace: hostWorkspace, hostInvitation: own.invitation.id, code: own.code.characters)
    }

    private func account(_ name: String) async throws -> Account {
        try await others.accounts.create(
            name: name, email: "\(name)@example.com", password: WalkSubject.password, by: .commandLine)
    }
}

extension Sequence {
    /// What each element comes to, one after another.
    func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
