import Keybearer
import TestSupport
import Testing

/// The ``SessionStore`` on every engine.
@Suite struct SessionConformance {
    /// The session of a new account.
    private static func addAccountWithSession(_ store: any Store, _ samples: Samples) async throws -> Session {
        let session = samples.session(of: try await store.addAccount(samples).user.id)
        try await store.startSession(
            session, tokenDigest: samples.random.bytes(32), replacing: nil, audit: samples.event(.sessionStarted))
        return session
    }

    @Test(arguments: storesUnderTest)
    func aSessionIsKnownByItsDigestAlone(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let user = try await store.addAccount(samples).user.id
            let session = samples.session(of: user)
            let digest = samples.random.bytes(32)
            try await store.startSession(
                session, tokenDigest: digest, replacing: nil, audit: samples.event(.sessionStarted, user: user))
            #expect(try await second.session(tokenDigest: digest) == session)
            #expect(try await store.session(tokenDigest: samples.random.bytes(32)) == nil)
            #expect(try await store.auditEvents(userID: user, limit: 1).first?.action == .sessionStarted)
        }
    }

    @Test(arguments: storesUnderTest)
    func aNewSessionTakesThePlaceOfTheOld(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            let old = samples.session(of: user)
            let oldDigest = samples.random.bytes(32)
            try await store.startSession(
                old, tokenDigest: oldDigest, replacing: nil, audit: samples.event(.sessionStarted))
            let new = samples.session(of: user, after: 60)
            try await store.startSession(
                new, tokenDigest: samples.random.bytes(32), replacing: old.id, audit: samples.event(.sessionConfirmed))
            #expect(try await store.session(tokenDigest: oldDigest) == nil)
            #expect(try await store.sessions(of: user) == [new])
        }
    }

    @Test(arguments: storesUnderTest)
    func whatASignInReplacesEndsWithItsEvent(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            let old = try await Self.addAccountWithSession(store, samples)
            let other = old.userID
            let replaced = ReplacedSession(
                id: old.id, userID: other, audit: samples.event(.sessionEnded, user: other, after: 60))
            func start(_ session: Session) async throws {
                let token = MintedToken(digest: samples.random.bytes(32), tagKeyID: MasterKeyID(rawValue: "mk_one"))
                _ = try await store.startSession(
                    session, token: token, replacing: replaced, by: .commandLine,
                    audit: samples.event(.sessionStarted, user: session.userID, after: 60))
            }
            // What starts none ends none.
            await expect(.notFound) { try await start(samples.session(of: .random(from: samples.random))) }
            #expect(try await store.sessions(of: other) == [old])
            #expect(try await store.auditEvents(userID: other, limit: 1).first?.action != .sessionEnded)
            let new = samples.session(of: user, after: 60)
            try await start(new)
            #expect(try await store.sessions(of: other).isEmpty)
            #expect(try await store.sessions(of: user) == [new])
            #expect(try await store.auditEvents(userID: other, limit: 1).first == replaced.audit)
            // A session that has ended meanwhile ends only once.
            try await start(samples.session(of: user, after: 61))
            let events = try await store.auditEvents(userID: other, limit: 10)
            #expect(events.count { $0.action == .sessionEnded } == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func nobodyReplacesAnothersSession(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let session = try await Self.addAccountWithSession(store, samples)
            let user = session.userID
            let other = try await store.addAccount(samples).user.id
            try await store.startSession(
                samples.session(of: other), tokenDigest: samples.random.bytes(32), replacing: session.id,
                audit: samples.event(.sessionStarted))
            try await store.endSession(session.id, of: other, audit: samples.event(.sessionEnded, user: other))
            #expect(try await store.sessions(of: user) == [session])
            // What did nothing leaves no event.
            #expect(try await store.auditEvents(userID: other, limit: 1).first?.action != .sessionEnded)
        }
    }

    @Test(arguments: storesUnderTest)
    func noSessionStartsForADisabledOrUnknownAccount(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            _ = try await store.setStatus(.disabled, of: user, audit: samples.event(.userDisabled))
            for id in [user, .random(from: samples.random)] {
                await expect(.notFound) {
                    try await store.startSession(
                        samples.session(of: id), tokenDigest: samples.random.bytes(32), replacing: nil,
                        audit: samples.event(.sessionStarted))
                }
                #expect(try await store.sessions(of: id).isEmpty)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func sessionsAreListedSeenAndEnded(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            let sessions = [1, 3, 2].map { samples.session(of: user, after: $0) }
            for session in sessions {
                try await store.startSession(
                    session, tokenDigest: samples.random.bytes(32), replacing: nil,
                    audit: samples.event(.sessionStarted))
            }
            #expect(try await store.sessions(of: user).map(\.id) == [1, 2, 0].map { sessions[$0].id })
            try await store.touchSession(sessions[0].id, at: samples.at(120))
            try await store.touchSession(sessions[0].id, at: samples.at(60))
            #expect(try await store.sessions(of: user).last?.lastSeenAt == samples.at(120))
            try await store.endSession(sessions[1].id, of: user, audit: samples.event(.sessionEnded, user: user))
            #expect(try await store.sessions(of: user).map(\.id) == [sessions[2].id, sessions[0].id])
            #expect(try await store.auditEvents(userID: user, limit: 1).first?.action == .sessionEnded)
        }
    }

    @Test(arguments: storesUnderTest)
    func oldAndUnseenSessionsAreRemoved(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            let old = samples.session(of: user, after: 0)
            let unseen = samples.session(of: user, after: 100)
            let live = samples.session(of: user, after: 101)
            for session in [old, unseen, live] {
                try await store.startSession(
                    session, tokenDigest: samples.random.bytes(32), replacing: nil,
                    audit: samples.event(.sessionStarted))
            }
            try await store.touchSession(old.id, at: samples.at(500))
            try await store.touchSession(live.id, at: samples.at(300))
            let lead = samples.session(of: user, after: 721)
            try await store.startSession(
                lead, tokenDigest: samples.random.bytes(32), replacing: nil, audit: samples.event(.sessionStarted))
            var policy = SessionPolicy()
            policy.absolute = .seconds(500)
            policy.idle = .seconds(300)
            try await store.removeExpiredSessions(policy, now: samples.at(600))
            #expect(try await store.sessions(of: user).map(\.id) == [live.id])
        }
    }
}
