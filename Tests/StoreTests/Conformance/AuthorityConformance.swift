import Keybearer
import KeybearerPostgres
import KeybearerSQL
import Synchronization
import TestSupport
import Testing

/// A change and the end of its authority, begun at the same moment on two connections: by the ``AuthorityCheck`` the
/// change is committed before the end, or it is refused. Never behind it.
@Suite struct AuthorityConformance {
    /// Of each change with each end, and at most.
    private static let rounds = 16
    private static let mostRounds = 500

    /// An account with what can be presented for it.
    struct Subject: Sendable {
        let account: Account
        let session: Session
        let otherSession: Session
        let operatorToken: OperatorTokenID
        let samples: Samples

        var id: UserID { account.user.id }
        var workspace: WorkspaceID { account.workspaces[0].workspace.id }
        var byKey: Authority { Authority(.key(account.key.id, version: account.key.version, of: id)) }
        var bySession: Authority { Authority(.session(session.id, of: id)) }
        var byPassword: Authority { Authority(.password(version: 1, of: id)) }
        /// Who the account is at a provider.
        var identity: Identity { Identity(issuer: "https://login.example", subject: id.rawValue) }
        var byIdentity: Authority { Authority(.identity(identity, of: id)) }
        var byOperatorToken: Authority { Authority(.operatorToken(operatorToken)) }

        func replaceKey(_ store: any Store, by authority: Authority, _ event: AuditEvent) async throws -> Bool {
            let committed = try await store.replaceKey(
                samples.replacement(of: account), by: authority, needs: nil, audit: event)
            return await applied(committed).value == .replaced
        }
    }

    /// Makes a change, audited as the event; false when it changed nothing.
    typealias Step = @Sendable (any Store, Subject, AuditEvent) async throws -> Bool

    /// A change with one authority, and what ends that.
    struct Race: Sendable {
        let name: String
        let change: Step
        let ends: [Step]
    }

    private static let races = [
        Race(
            name: "a key", change: { try await $1.replaceKey($0, by: $1.byKey, $2) }, ends: [replace, disable, delete]),
        Race(
            name: "a session that reveals",
            change: {
                _ = try await $0.revealKey(of: $1.id, by: $1.bySession, needs: nil, audit: $2)
                return true
            }, ends: [endSession, setPassword, disable]),
        Race(
            name: "a session that changes the password",
            change: { store, subject, event in
                let authority = Authority(.session(subject.session.id, of: subject.id, passwordVersion: 1))
                _ = try await store.setPassword(
                    "thief's", of: subject.id, keeping: subject.session.id, by: authority, audit: event)
                return true
            }, ends: [endSession, setPassword, delete]),
        Race(
            name: "a password that signs in",
            change: { store, subject, event in
                _ = try await store.startSession(
                    subject.samples.session(of: subject.id), token: minted(subject.samples), replacing: nil,
                    by: subject.byPassword, audit: event)
                return true
            }, ends: [setPassword, disable, delete]),
        Race(
            name: "an identity that signs in",
            change: { store, subject, event in
                _ = try await store.startSession(
                    subject.samples.session(of: subject.id), token: minted(subject.samples), replacing: nil,
                    by: subject.byIdentity, audit: event)
                return true
            }, ends: [disable, delete]),
        Race(
            name: "an operator's token",
            change: { store, subject, event in
                _ = try await store.setStatus(.disabled, of: subject.id, by: subject.byOperatorToken, audit: event)
                return true
            }, ends: [revokeOperatorToken]),
        Race(
            name: "an Owner who changes the plan",
            change: { store, subject, event in
                _ = try await store.setPlan(
                    PlanID(rawValue: "free"), of: subject.workspace, by: subject.bySession,
                    needs: Requirement(.changePlan, in: subject.workspace), audit: event)
                return true
            }, ends: [removeMember, lowerRole]),
        Race(
            name: "a member whose plan shows the key",
            change: { store, subject, event in
                _ = try await store.revealKey(
                    of: subject.id, by: subject.bySession, needs: Requirement(.revealKey, in: subject.workspace),
                    audit: event)
                return true
            }, ends: [downgrade, removeMember]),
    ]

    @Test(arguments: storesUnderTest)
    func aChangeIsCommittedBeforeItsAuthorityEndsOrRefused(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let holder = try await first.addAccount(samples).user.id
            for race in Self.races {
                for (index, end) in race.ends.enumerated() {
                    var (rounds, changes) = (0, 0)
                    // Each end meets every delay of either side; and each side comes first at least once.
                    var isOneSided: Bool { changes == 0 || changes == rounds }
                    while rounds < Self.rounds || isOneSided && rounds < Self.mostRounds {
                        let raced = try await Self.makeSubject(first, holder, samples)
                        if try await Self.run(race, against: end, on: raced, rounds, first, second) { changes += 1 }
                        rounds += 1
                    }
                    #expect(!isOneSided, "\(race.name), end \(index): in \(rounds) rounds one side always came first")
                }
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aSessionThatRunsOutAtTheHoldShowsNothing(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let holder = try await store.addAccount(samples).user.id
            let held = try #require(store as? SQLStore)
            let cases: [(seconds: Int64, isHeld: Bool, isShown: Bool)] = [
                (0, false, true), (15 * 60 - 10, false, true), (15 * 60 - 1, true, false),
            ]
            for (seconds, isHeld, isShown) in cases {
                let asking = try await Self.makeSubject(store, holder, samples)
                // The hold is longer than what is left of the session's recent sign-in.
                if isHeld { held.holdWrites { _ in try? await Task.sleep(for: .milliseconds(1_200)) } }
                let reveal = Task {
                    try await store.revealKey(
                        of: asking.id, by: asking.bySession, needs: Requirement(.revealKey, in: asking.workspace),
                        audit: samples.event(.keyRevealed, user: asking.id, after: seconds))
                }
                let response = await reveal.result
                held.holdWrites(nil)
                if isShown { _ = try response.get() } else { await expect(.forbidden) { _ = try response.get() } }
                let events = try await store.auditEvents(userID: asking.id, limit: 10)
                #expect(events.contains { $0.action == .keyRevealed } == isShown)
            }
        }
    }

    private static func run(
        _ race: Race, against end: @escaping Step, on subject: Subject, _ round: Int, _ first: any Store,
        _ second: any Store
    ) async throws -> Bool {
        let samples = subject.samples
        let changing = samples.event(.planPut, user: subject.id)
        let ending = samples.event(.masterKeysChanged, user: subject.id)
        // Now one, now the other begins a little later.
        let delay = Duration.microseconds((round / 2 % 5) * 150)
        async let change: Bool = {
            if round.isMultiple(of: 2) { try await Task.sleep(for: delay) }
            do {
                return try await race.change(first, subject, changing)
            } catch let error as KeybearerError {
                #expect(
                    [.unauthorized, .forbidden, .notFound, .featureLocked, .validationFailed].contains(error.code),
                    "\(race.name): \(error)")
                return false
            }
        }()
        async let isEnded: Bool = {
            if !round.isMultiple(of: 2) { try await Task.sleep(for: delay) }
            return try await end(second, subject, ending)
        }()
        let (isChanged, ended) = (try await change, try await isEnded)
        let newestFirst = try await first.auditEvents(userID: subject.id, limit: 10).map(\.id)
        let (changedAt, endedAt) = (newestFirst.firstIndex(of: changing.id), newestFirst.firstIndex(of: ending.id))
        #expect((changedAt != nil) == isChanged && (endedAt != nil) == ended, "\(race.name), round \(round)")
        #expect(isChanged || ended, "\(race.name), round \(round): neither")
        if let changedAt, let endedAt {
            #expect(changedAt > endedAt, "\(race.name), round \(round): changed behind the end of its authority")
        }
        return isChanged
    }

    static func makeSubject(_ store: any Store, _ holder: UserID, _ samples: Samples) async throws -> Subject {
        let new = samples.newAccount()
        let account = try await store.createAccount(
            new, with: Identity(issuer: "https://login.example", subject: new.user.id.rawValue),
            audit: samples.event(.userCreated), linked: samples.event(.identityLinked))
        let workspace = account.workspaces[0].workspace.id
        _ = try await store.setPlan(PlanID(rawValue: "pro"), of: workspace, audit: samples.event(.planChanged))
        _ = try await store.putMember(
            Membership(workspaceID: workspace, userID: holder, role: .owner), audit: samples.event(.memberAdded))
        let sessions = [samples.session(of: account.user.id), samples.session(of: account.user.id, after: 1)]
        for session in sessions {
            try await store.startSession(
                session, tokenDigest: samples.random.bytes(32), replacing: nil, audit: samples.event(.sessionStarted))
        }
        let token = OperatorToken(
            id: .random(from: samples.random), name: "billing", scopes: [.introspect], createdAt: Samples.start)
        try await store.createOperatorToken(
            token, digest: samples.random.bytes(32), audit: samples.event(.operatorTokenCreated))
        return Subject(
            account: account, session: sessions[0], otherSession: sessions[1], operatorToken: token.id,
            samples: samples)
    }

    private static func minted(_ samples: Samples) -> MintedToken {
        MintedToken(digest: samples.random.bytes(32), tagKeyID: MasterKeyID(rawValue: "mk_one"))
    }
}

/// The ends of authorities.
extension AuthorityConformance {
    private static let replace: Step = { try await $1.replaceKey($0, by: .commandLine, $2) }
    private static let disable: Step = {
        _ = try await $0.setStatus(.disabled, of: $1.id, audit: $2)
        return true
    }
    private static let delete: Step = {
        _ = try await $0.deleteAccount($1.id, audit: $2)
        return true
    }
    /// By another session of the same account: their locks meet, and the change may end that one.
    private static let endSession: Step = { store, subject, event in
        do {
            try await store.endSession(
                subject.session.id, of: subject.id, by: Authority(.session(subject.otherSession.id, of: subject.id)),
                audit: event)
            return true
        } catch let error as KeybearerError where error.code == .unauthorized {
            return false
        }
    }
    private static let setPassword: Step = {
        _ = try await $0.setPassword("operator's", of: $1.id, keeping: nil, audit: $2)
        return true
    }
    private static let revokeOperatorToken: Step = {
        try await $0.revokeOperatorToken($1.operatorToken, audit: $2)
        return true
    }
    private static let removeMember: Step = {
        _ = try await $0.removeMember($1.id, from: $1.workspace, audit: $2)
        return true
    }
    private static let lowerRole: Step = { store, subject, event in
        _ = try await store.putMember(
            Membership(workspaceID: subject.workspace, userID: subject.id, role: .admin), audit: event)
        return true
    }
    private static let downgrade: Step = {
        _ = try await $0.setPlan(PlanID(rawValue: "free"), of: $1.workspace, audit: $2)
        return true
    }
}
