import KeybearerSQL
import Logging
import TestSupport
import Testing

@testable import Keybearer

/// Two-step sign-in on every engine: ``SecondFactorService``, the ``CodeStep`` of a sign-in with its ``PendingSignIn``, and
/// the ``SecondFactorStore`` over the tables of ``SecondFactorMigration``.
@Suite struct SecondFactorConformance {
    /// A process, with a clock that stands still.
    private struct Process {
        let services: Services
        let clock: TestClock
        let store: any Store
        let ring: MasterKeyRing
        let password = Password("long enough secret")

        init(_ store: any Store, _ ring: MasterKeyRing, _ clock: TestClock) {
            var settings = Services.Settings()
            settings.passwordCost = 10
            settings.lease = .milliseconds(500)
            self.store = store
            self.ring = ring
            self.clock = clock
            services = Services(
                store: store, ring: ring, loadRing: { ring }, settings: settings, role: .command,
                clocks: clock.clocks,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        /// An account, signed in.
        func account(_ email: String) async throws -> SessionService.SignedIn {
            let account = try await services.accounts.create(
                name: "Ada", email: email, password: password, by: .commandLine)
            return try await services.sessions.start(for: account, from: Samples.address, userAgent: "Browser")
                .signedIn
        }

        /// The code that the app shows, some steps from now.
        func code(_ app: OneTimePassword, after steps: Int64 = 0) -> String {
            app.code(at: OneTimePassword.step(at: clock.clocks.wall()) + steps)
        }

        /// An account with an app that was set up a step ago.
        func protected(
            _ email: String
        ) async throws -> (signedIn: SessionService.SignedIn, app: OneTimePassword, codes: [RecoveryCode]) {
            let signedIn = try await account(email)
            let app = services.secondFactors.makeSecret()
            let codes = try await services.secondFactors.turnOn(
                app, code: code(app, after: -1), for: signedIn, from: Samples.address)
            return (signedIn, app, codes)
        }

        func begin(_ email: String, _ password: Password? = nil) async throws -> PendingSignInToken? {
            let step = try await services.signIn.begin(
                email: email, password: password ?? self.password, from: Samples.address, userAgent: "Browser")
            guard case .codeNeeded(let token) = step else { return nil }
            return token
        }

        @discardableResult
        func enter(_ code: String, _ token: PendingSignInToken) async throws -> SessionToken {
            try await services.signIn.withCode(code, token, from: Samples.address, userAgent: "Browser").token
        }
    }

    private static func run(
        _ subject: StoreUnderTest, _ test: (_ first: Process, _ second: Process) async throws -> Void
    ) async throws {
        try await subject.runTwice { first, second, _ in
            let ring = try MasterKeyRing.generate(from: .system)
            // The database's clock judges sessions on PostgreSQL, and no clock may be far from it.
            let clock = TestClock(start: Clocks.system.wall())
            try await test(Process(first, ring, clock), Process(second, ring, clock))
        }
    }

    @Test(arguments: storesUnderTest)
    func thePasswordAloneSignsNobodyIn(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, second in
            let (signedIn, app, _) = try await first.protected("ada@example.com")
            let user = signedIn.account.user
            await expect(.unauthorized) {
                _ = try await first.services.signIn.withPassword(
                    email: "ada@example.com", password: first.password, from: Samples.address, userAgent: "Browser")
            }
            let token = try #require(try await first.begin("ada@example.com"))
            #expect(try await second.services.signIn.isWaiting(token))
            await expect(.unauthorized) { try await second.enter("000000", token) }
            let session = try await second.enter(second.code(app), token)
            let found = try #require(try await first.services.sessions.find(session))
            #expect(found.account.user.id == user.id && found.isRecent)
            // It is used up.
            #expect(try await first.services.signIn.isWaiting(token) == false)
            await expect(.unauthorized) { try await first.enter(first.code(app, after: 1), token) }
            let events = try await first.store.auditEvents(userID: user.id, limit: 10)
            // The password was right twice.
            #expect(
                events.map(\.action).prefix(4) == [.sessionStarted, .codeAsked, .codeAsked, .secondFactorAdded])
            #expect(events.first?.detail == "with a code")
        }
    }

    @Test(arguments: storesUnderTest)
    func aCodeWorksOnceOverTwoNodes(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, second in
            let (signedIn, app, codes) = try await first.protected("ada@example.com")
            for code in [first.code(app), codes[3].text] {
                var tokens: [PendingSignInToken] = []
                for _ in 0..<4 { tokens.append(try #require(try await first.begin("ada@example.com"))) }
                let outcomes = await withTaskGroup(of: Bool.self) { group in
                    for (number, token) in tokens.enumerated() {
                        let node = number.isMultiple(of: 2) ? first : second
                        group.addTask { (try? await node.enter(code, token)) != nil }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                #expect(outcomes.filter { $0 }.count == 1)
            }
            // The step before one that was used counts no more.
            let token = try #require(try await second.begin("ada@example.com"))
            await expect(.unauthorized) { try await second.enter(second.code(app, after: -1), token) }
            #expect(try await first.services.secondFactors.status(of: signedIn.account.user.id)?.codesLeft == 9)
        }
    }

    @Test(arguments: storesUnderTest)
    func aPendingSignInTakesFiveCodesAndFiveMinutes(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, second in
            let (signedIn, app, _) = try await first.protected("ada@example.com")
            let token = try #require(try await first.begin("ada@example.com"))
            for _ in 0..<3 {
                await expect(.unauthorized) { try await first.enter("000000", token) }
                await expect(.unauthorized) { try await second.enter("wrong", token) }
            }
            await expect(.unauthorized) { try await second.enter(second.code(app), token) }
            // As many wrong codes slow the account down, and its password does not make them forgotten.
            await expect(.unauthorized) {
                try await first.enter("000000", try #require(await first.begin("ada@example.com")))
            }
            await expect(.unauthorized) {
                try await first.enter("000000", try #require(await first.begin("ada@example.com")))
            }
            await expect(.rateLimited) { _ = try await first.begin("ada@example.com") }

            // Eleven that wait: the first one ended.
            first.clock.advance(by: .seconds(3_700))
            let sqlStore = try #require(first.store as? SQLStore)
            let samples = Samples()
            func add(_ digest: UInt8, at time: Timestamp) async throws {
                try await sqlStore.addPendingSignIn(
                    PendingSignIn(userID: signedIn.account.user.id, passwordVersion: 1, createdAt: time),
                    digest: [digest], by: .commandLine,
                    audit: samples.event(.codeAsked, user: signedIn.account.user.id))
            }
            let now = Clocks.system.wall()
            for digest in 1...11 { try await add(UInt8(digest), at: now) }
            var left = 0
            for digest in 1...11 where try await second.store.pendingSignIn(digest: [UInt8(digest)], now: now) != nil {
                left += 1
            }
            #expect(left == PendingSignIn.mostPerAccount)
            #expect(try await second.store.pendingSignIn(digest: [11], now: now) != nil)
            try await sqlStore.removeOldPendingSignIns(now: now)
            #expect(try await second.store.pendingSignIn(digest: [11], now: now) != nil)
        }
        let pending = PendingSignIn(userID: UserID(rawValue: "usr_a"), passwordVersion: 1, createdAt: Samples.start)
        #expect(pending.isAlive(at: Samples.start.advanced(by: .seconds(299))))
        #expect(!pending.isAlive(at: Samples.start.advanced(by: .seconds(300))))
        #expect(!pending.isAlive(at: Samples.start.advanced(by: .seconds(-121))))
    }

    @Test(arguments: storesUnderTest)
    func whatEndsAPasswordEndsWhoWaits(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, second in
            let (signedIn, app, _) = try await first.protected("ada@example.com")
            let user = signedIn.account.user
            let waiting = { try #require(try await first.begin("ada@example.com")) }
            let ends: [(Process) async throws -> Void] = [
                { try await $0.services.accounts.setPassword(of: user, to: $0.password, by: .commandLine) },
                { try await $0.services.writes.endSessions(of: user.id, by: .commandLine) },
                { process in
                    try await process.services.accounts.setStatus(.disabled, of: user.id, by: .commandLine)
                    try await process.services.accounts.setStatus(.active, of: user.id, by: .commandLine)
                },
                { try await $0.services.writes.resetSecondFactor(of: user.id, by: .commandLine) },
            ]
            for end in ends {
                let token = try await waiting()
                try await end(second)
                #expect(try await first.services.signIn.isWaiting(token) == false)
                await expect(.unauthorized) { try await first.enter(first.code(app), token) }
            }
            // The operator has turned it off: the password signs in again.
            #expect(try await first.begin("ada@example.com") == nil)
            #expect(
                try await first.store.auditEvents(userID: user.id, limit: 2).map(\.action).contains(
                    .secondFactorRemoved))
        }
    }

    @Test(arguments: storesUnderTest)
    func turningOnEndsOtherSessionsAndNeedsTheCode(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, second in
            let signedIn = try await first.account("ada@example.com")
            let (_, other) = try await second.services.sessions.start(
                for: signedIn.account, from: Samples.address, userAgent: "Other")
            let app = first.services.secondFactors.makeSecret()
            let turnOn = { (code: String) in
                try await first.services.secondFactors.turnOn(app, code: code, for: signedIn, from: Samples.address)
            }
            await expect(.validationFailed) { _ = try await turnOn("000000") }
            #expect(try await second.services.secondFactors.status(of: signedIn.account.user.id) == nil)
            let codes = try await turnOn(first.code(app))
            #expect(Set(codes.map(\.text)).count == 10)
            #expect(try await first.services.sessions.find(other) == nil)
            await expect(.conflict) { _ = try await turnOn(first.code(app, after: 1)) }
        }
    }

    @Test(arguments: storesUnderTest)
    func newRecoveryCodesAndTurningOffUseACodeUp(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, second in
            let (signedIn, app, codes) = try await first.protected("ada@example.com")
            let service = second.services.secondFactors
            let userID = signedIn.account.user.id
            await expect(.validationFailed) {
                _ = try await service.replaceRecoveryCodes(code: "000000", for: signedIn, from: Samples.address)
            }
            let fresh = try await service.replaceRecoveryCodes(
                code: codes[0].text, for: signedIn, from: Samples.address)
            #expect(try await service.status(of: userID)?.codesLeft == 10)
            await expect(.validationFailed) {
                try await service.turnOff(code: codes[1].text, for: signedIn, from: Samples.address)
            }
            try await service.turnOff(code: first.code(app), for: signedIn, from: Samples.address)
            #expect(try await service.status(of: userID) == nil)
            #expect(try await first.begin("ada@example.com") == nil)
            await expect(.conflict) {
                try await service.turnOff(code: fresh[0].text, for: signedIn, from: Samples.address)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aConfirmationNeedsTheCodeToo(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, second in
            let (signedIn, app, _) = try await first.protected("ada@example.com")
            let confirm = { (code: String) in
                try await second.services.signIn.confirm(
                    signedIn, password: second.password, code: code, from: Samples.address, userAgent: "Browser")
            }
            await expect(.unauthorized) { _ = try await confirm("") }
            await expect(.unauthorized) { _ = try await confirm("000000") }
            let (confirmed, _) = try await confirm(first.code(app))
            #expect(confirmed.isRecent)
        }
    }

    @Test(arguments: storesUnderTest)
    func aSessionOfAPasswordIsNotStartedWithoutTheCode(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, second in
            // It was turned on between the password and the session.
            let (signedIn, _, _) = try await first.protected("ada@example.com")
            await expect(.unauthorized) {
                _ = try await second.services.sessions.start(
                    for: signedIn.account, from: Samples.address, userAgent: "Browser")
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aRotationSealsItAgain(_ subject: StoreUnderTest) async throws {
        try await Self.run(subject) { first, _ in
            let (_, app, _) = try await first.protected("ada@example.com")
            let old = try #require(first.ring.activeID)
            let ring = try await first.services.masterKeys.rotate(save: { _ in }, progress: { _ in })
            #expect(try await first.store.secondFactors(notSealedUnder: old, limit: 10).count == 1)
            #expect(ring.entries.first { $0.id == old }.map { KeyVault(ring: ring).canOpen(under: $0.id) } != true)
            let token = try #require(try await first.begin("ada@example.com"))
            try await first.enter(first.code(app), token)
        }
    }
}
