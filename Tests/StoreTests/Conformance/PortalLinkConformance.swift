import Keybearer
import TestSupport
import Testing

/// The ``PortalLinkStore`` on every engine.
@Suite struct PortalLinkConformance {
    private static let masterKey = MasterKeyID(rawValue: "mk_one")

    /// A link in a store, with what uses it.
    private struct Stage {
        let store: any Store
        let samples: Samples
        let account: Account
        let token: OperatorToken
        /// By the clock that judges: links are stamped by it.
        let now: Timestamp

        init(_ store: any Store, _ samples: Samples, tokenLife: Duration? = nil, now: Timestamp? = nil) async throws {
            (self.store, self.samples) = (store, samples)
            self.now = now ?? Clocks.system.wall()
            account = try await store.addAccount(samples)
            token = OperatorToken(
                id: .random(from: samples.random), name: "app", scopes: [.portal], createdAt: self.now,
                expiresAt: tokenLife.map { [now = self.now] in now.advanced(by: $0) })
            try await store.createOperatorToken(
                token, digest: samples.random.bytes(32), audit: samples.event(.operatorTokenCreated))
        }

        func make(
            life: Duration = .seconds(60), workspace: WorkspaceID? = nil, request: IdempotentRequest? = nil,
            by store: (any Store)? = nil
        ) async throws -> (link: PortalLink, code: [UInt8]) {
            let code = samples.random.bytes(32)
            let link = PortalLink(
                id: .random(from: samples.random), userID: account.user.id, tokenID: token.id, section: .apiKey,
                workspaceID: workspace, returnURL: ReturnURL(stored: "https://app.example/back?x=1"), createdAt: now,
                expiresAt: now.advanced(by: life))
            let stamped = try await (store ?? self.store).createPortalLink(
                link, code: MintedToken(digest: code, tagKeyID: PortalLinkConformance.masterKey), request: request,
                by: Authority(.operatorToken(token.id)), audit: event(.portalLinkCreated))
            return (stamped, code)
        }

        func event(_ action: AuditEvent.Action) -> AuditEvent {
            AuditEvent(id: .random(from: samples.random), at: now, actor: .system, action: action)
        }

        func use(
            _ code: [UInt8], in other: (any Store)? = nil, digest: [UInt8]? = nil, after: Duration = .zero,
            replacing old: ReplacedSession? = nil
        ) async throws -> Session? {
            let time = now.advanced(by: after)
            let session = Session(
                id: .random(from: samples.random), userID: account.user.id, createdAt: time, authenticatedAt: time,
                lastSeenAt: time, address: Samples.address, userAgent: "Browser",
                portal: PortalAccess(tokenID: token.id, section: .apiKey, workspaceID: nil, returnURL: nil))
            return try await (other ?? store).usePortalLink(
                codeDigest: code,
                session: session,
                token: MintedToken(
                    digest: digest ?? samples.random.bytes(32), tagKeyID: PortalLinkConformance.masterKey),
                replacing: old,
                audit: event(.sessionStarted))
        }
    }

    @Test(arguments: storesUnderTest)
    func aLinkIsKeptWithItsCodesDigestAndUsedOnce(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let (link, code) = try await stage.make(workspace: stage.account.workspaces[0].workspace.id)
            let found = try #require(try await second.portalLink(codeDigest: code, now: stage.now))
            #expect(found.link == link && link.returnURL?.description == "https://app.example/back?x=1")
            #expect(link.isUsable(at: found.now) && link.createdAt.duration(to: link.expiresAt) == .seconds(60))
            #expect(try await second.portalLink(codeDigest: samples.random.bytes(32), now: stage.now) == nil)
            let digest = samples.random.bytes(32)
            let session = try #require(try await stage.use(code, in: second, digest: digest))
            #expect(try await first.session(tokenDigest: digest, now: stage.now)?.session.id == session.id)
            #expect(try await first.portalLink(sessionDigest: digest)?.id == link.id)
            let used = try #require(try await first.portalLink(codeDigest: code, now: stage.now))
            #expect(used.link.usedAt != nil && !used.link.isUsable(at: used.now))
            #expect(try await stage.use(code) == nil)
            #expect(try await stage.use(samples.random.bytes(32)) == nil)
            #expect(try await first.sessions(of: stage.account.user.id, now: stage.now).sessions.count == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func ofTwoUsesAtTheSameMomentExactlyOneOpensASession(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            for round in 1...20 {
                let code = try await stage.make().code
                let outcomes = await raced({ try await stage.use(code) }, { try await stage.use(code, in: second) })
                #expect(try outcomes.map { try $0.get() }.count { $0 != nil } == 1)
                #expect(try await first.sessions(of: stage.account.user.id, now: stage.now).sessions.count == round)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func anIdempotencyKeyMakesOneLink(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            for round in 1...10 {
                let request = samples.request(UInt8(round))
                let outcomes = await raced(
                    { try await stage.make(request: request) }, { try await stage.make(request: request, by: second) })
                #expect(outcomes.count { $0.code == nil } == 1 && outcomes.contains { $0.code == .conflict })
                await expect(.conflict) { _ = try await stage.make(request: request) }
                await expect(.validationFailed) {
                    _ = try await stage.make(request: samples.request(UInt8(round), asked: 2))
                }
            }
            let made = try await first.auditEvents(userID: nil, limit: 100).count { $0.action == .portalLinkCreated }
            #expect(made == 10)
        }
    }

    @Test(arguments: storesUnderTest)
    func whatHasEndedOpensNothing(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            // PostgreSQL judges by its own clock, SQLite by the caller's.
            let expired = try await stage.make(life: .zero)
            #expect(try await stage.use(expired.code) == nil, "its time is over")
            let revoked = try await stage.make()
            try await second.revokeOperatorToken(stage.token.id, audit: samples.event(.operatorTokenRevoked))
            #expect(try await stage.use(revoked.code) == nil, "its token was revoked")
            await expect(.unauthorized) { _ = try await stage.make() }
            let other = try await Stage(first, samples)
            let disabled = try await other.make()
            _ = try await second.setStatus(.disabled, of: other.account.user.id, audit: samples.event(.userDisabled))
            #expect(try await other.use(disabled.code) == nil, "the account is disabled")
            await expect(.conflict) { _ = try await other.make() }
            #expect(try await first.portalLink(codeDigest: disabled.code, now: other.now)?.link.usedAt == nil)
            _ = try await second.deleteAccount(other.account.user.id, audit: samples.event(.userDeleted))
            #expect(try await other.use(disabled.code) == nil, "the account is gone")
            await expect(.notFound) { _ = try await other.make() }
            let old = try await Stage(first, samples, tokenLife: .zero)
            await expect(.unauthorized) { _ = try await old.make() }
            // A workspace that is not the account's.
            let third = try await Stage(first, samples)
            await expect(.notFound) { _ = try await third.make(workspace: .random(from: samples.random)) }
            await expect(.notFound) {
                _ = try await third.make(workspace: stage.account.workspaces[0].workspace.id)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func theSessionEndsAfterAnHourAndWithTheToken(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for life in [nil, Duration.seconds(600)] {
                let stage = try await Stage(first, samples, tokenLife: life)
                let digest = samples.random.bytes(32)
                _ = try await stage.use(try await stage.make().code, digest: digest)
                let session = try #require(try await second.session(tokenDigest: digest, now: stage.now)?.session)
                let end: Int64 = life == nil ? 3_600 : 600
                for (seconds, isLive) in [(end - 60, true), (end + 60, false)] {
                    let time = stage.now.advanced(by: .seconds(seconds))
                    #expect(SessionPolicy().isLive(session.times, at: time) == isLive, "\(end) \(seconds)")
                }
                #expect(SessionPolicy().isRecent(session.times, at: session.createdAt.advanced(by: .seconds(899))))
                #expect(!SessionPolicy().isRecent(session.times, at: session.createdAt.advanced(by: .seconds(900))))
                try await second.revokeOperatorToken(stage.token.id, audit: samples.event(.operatorTokenRevoked))
                #expect(try await first.session(tokenDigest: digest, now: stage.now) == nil)
                #expect(try await first.portalLink(sessionDigest: digest)?.returnURL != nil, "it leads back still")
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aRevokedTokenAndAUseAtTheSameMomentLeaveNoSession(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for _ in 0..<15 {
                let stage = try await Stage(first, samples)
                let code = try await stage.make().code
                let outcomes = await raced(
                    { _ = try await stage.use(code) },
                    { try await second.revokeOperatorToken(stage.token.id, audit: stage.event(.operatorTokenRevoked)) })
                #expect(outcomes.allSatisfy { $0.code == nil })
                #expect(try await first.sessions(of: stage.account.user.id, now: stage.now).sessions.isEmpty)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func anotherSessionOfTheBrowserEndsInTheSameTransaction(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let other = try await first.addAccount(samples).user.id
            let (session, digest) = (samples.session(of: other), samples.random.bytes(32))
            try await first.startSession(
                session, tokenDigest: digest, replacing: nil, audit: samples.event(.sessionStarted))
            let old = ReplacedSession(id: session.id, userID: other, audit: samples.event(.sessionEnded, user: other))
            let code = try await stage.make().code
            #expect(try await stage.use(samples.random.bytes(32), replacing: old) == nil)
            #expect(try await second.session(tokenDigest: digest) != nil, "a code that opens nothing ends nothing")
            #expect(try await stage.use(code, replacing: old) != nil)
            #expect(try await second.session(tokenDigest: digest) == nil)
            #expect(try await second.auditEvents(userID: other, limit: 10).map(\.action).contains(.sessionEnded))
        }
    }

    @Test(arguments: storesUnderTest)
    func linksAreKeptForADayBehindTheirEnd(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let code = try await stage.make().code
            try await store.removeOldPortalLinks(now: stage.now.advanced(by: .seconds(24 * 3_600)))
            #expect(try await store.portalLink(codeDigest: code, now: stage.now) != nil)
        }
    }

    @Test func linksGoADayBehindTheirEnd() async throws {
        // SQLite judges by the caller's clock.
        try await StoreUnderTest.sqlite.run { store, samples in
            let now = Clocks.system.wall()
            let stage = try await Stage(store, samples, now: now.advanced(by: .seconds(-24 * 3_600 - 61)))
            let code = try await stage.make().code
            try await store.removeOldPortalLinks(now: now)
            #expect(try await store.portalLink(codeDigest: code, now: now).map { _ in true } == nil)
        }
    }
}
