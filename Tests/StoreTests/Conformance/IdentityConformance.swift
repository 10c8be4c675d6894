import Keybearer
import KeybearerSQL
import TestSupport
import Testing

/// The ``IdentityStore`` on every engine (``Identities``).
@Suite struct IdentityConformance {
    private static func identity(_ subject: String) -> Identity {
        Identity(issuer: "https://login.example", subject: subject)
    }

    private static func verified(_ store: any Store, _ samples: Samples) async throws -> Account {
        let new = samples.newAccount()
        let user = User(
            id: new.user.id, email: new.user.email, name: "Ada", createdAt: new.user.createdAt, isEmailVerified: true)
        return try await store.add(
            NewAccount(
                user: user, passwordHash: new.passwordHash, key: new.key, sealedKey: new.sealedKey,
                workspaceID: new.workspaceID, workspaceName: new.workspaceName), samples)
    }

    private static func link(
        _ identity: Identity, to account: Account, _ store: any Store, _ samples: Samples
    ) async throws {
        try await store.linkIdentity(
            identity, toVerified: account.user.email, of: account.user.id,
            audit: samples.event(.identityLinked, user: account.user.id))
    }

    @Test(arguments: storesUnderTest)
    func anIdentityIsOneAccountsAndGoesWithIt(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let (ada, eve) = (
                try await Self.verified(first, samples), try await Self.verified(first, samples)
            )
            let one = Self.identity("one")
            #expect(try await first.account(identity: one) == nil)
            try await Self.link(one, to: ada, first, samples)
            #expect(try await second.account(identity: one)?.user.id == ada.user.id)
            #expect(
                try await second.account(identity: Identity(issuer: "https://other.example", subject: "one")) == nil)
            #expect(try await second.account(identity: Self.identity("ONE")) == nil)
            await expect(.conflict) { try await Self.link(one, to: eve, second, samples) }
            for number in 2...Identity.mostPerAccount {
                try await Self.link(Self.identity("\(number)"), to: ada, first, samples)
            }
            await expect(.conflict) { try await Self.link(Self.identity("too many"), to: ada, first, samples) }
            #expect(try await second.identities(of: ada.user.id).count == Identity.mostPerAccount)
            _ = await applied(
                try await first.deleteAccount(
                    ada.user.id, by: .commandLine, audit: samples.event(.userDeleted, user: ada.user.id)))
            #expect(try await second.account(identity: one) == nil)
            #expect(try await second.identities(of: ada.user.id).isEmpty)
            try await Self.link(one, to: eve, second, samples)
        }
    }

    @Test(arguments: storesUnderTest)
    func onlyAnActiveAccountWithThisVerifiedAddressIsLinkedByIt(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let unverified = try await store.addAccount(samples)
            await expect(.notFound) { try await Self.link(Self.identity("one"), to: unverified, store, samples) }
            let ada = try await Self.verified(store, samples)
            await expect(.notFound) {
                try await store.linkIdentity(
                    Self.identity("one"), toVerified: EmailAddress(normalised: "old@example.com"), of: ada.user.id,
                    audit: samples.event(.identityLinked))
            }
            _ = await applied(
                try await store.setStatus(
                    .disabled, of: ada.user.id, by: .commandLine, audit: samples.event(.userDisabled)))
            await expect(.notFound) { try await Self.link(Self.identity("one"), to: ada, store, samples) }
            let events = try await store.auditEvents(userID: nil, limit: 100)
            #expect(!events.contains { $0.action == .identityLinked })
        }
    }

    @Test(arguments: storesUnderTest)
    func aNewPasswordDisconnectsEveryIdentity(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let (account, other) = (try await Self.verified(store, samples), try await Self.verified(store, samples))
            try await Self.link(Self.identity("one"), to: account, store, samples)
            try await Self.link(Self.identity("two"), to: other, store, samples)
            _ = try await store.setPassword(
                "hash", of: account.user.id, keeping: nil, audit: samples.event(.passwordChanged))
            #expect(try await store.identities(of: account.user.id).isEmpty)
            #expect(try await store.account(identity: Self.identity("one")) == nil)
            #expect(try await store.identities(of: other.user.id) == [Self.identity("two")])
        }
    }

    @Test(arguments: storesUnderTest)
    func anAttemptIsUsedOnce(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let now = Clocks.system.wall()
            for _ in 1...20 {
                let digest = samples.random.bytes(32)
                let outcomes = await raced(
                    { try await first.useSignInAttempt(digest: digest, now: now) },
                    { try await second.useSignInAttempt(digest: digest, now: now) })
                let uses = try outcomes.map { try $0.get() }
                #expect(Set(uses) == [true, false])
                let again = try await first.useSignInAttempt(digest: digest, now: now)
                #expect(!again)
                #expect(try await first.pendingIdentity(ofAttempt: digest, now: now) == nil)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func whoWaitsIsConnectedOnceByALiveSession(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let now = Clocks.system.wall()
            let ada = try await first.addAccount(samples)
            let session = try await first.startSession(
                samples.session(of: ada.user.id), token: Self.minted(samples), replacing: nil, by: .commandLine,
                audit: samples.event(.sessionStarted)
            ).id
            for (number, email) in [(1, "ada@example.com"), (2, nil)] as [(Int, String?)] {
                let digest = samples.random.bytes(32)
                let pending = PendingIdentity(identity: Self.identity("\(number)"), email: email)
                #expect(try await first.useSignInAttempt(digest: digest, now: now))
                try await first.putPendingIdentity(pending, ofAttempt: digest)
                let found = try #require(try await second.pendingIdentity(ofAttempt: digest, now: now))
                #expect(found.pending == pending)
                #expect((.zero ..< .seconds(60)).contains(found.usedAt.duration(to: found.now)))
                let link = { @Sendable (store: any Store) in
                    try await store.linkPendingIdentity(
                        ofAttempt: digest, to: ada.user.id, by: Authority(.session(session, of: ada.user.id)),
                        audit: samples.event(.identityLinked, user: ada.user.id))
                }
                let outcomes = await raced({ try await link(first) }, { try await link(second) })
                #expect(outcomes.count { $0.code == nil } == 1 && outcomes.contains { $0.code == .notFound })
                #expect(try await second.pendingIdentity(ofAttempt: digest, now: now) == nil)
                #expect(try await second.account(identity: pending.identity)?.user.id == ada.user.id)
            }
            let late = samples.random.bytes(32)
            #expect(try await first.useSignInAttempt(digest: late, now: now))
            try await first.putPendingIdentity(
                PendingIdentity(identity: Self.identity("late"), email: nil), ofAttempt: late)
            try await first.endSession(
                session, of: ada.user.id, by: .commandLine, audit: samples.event(.sessionEnded))
            await expect(.unauthorized) {
                try await second.linkPendingIdentity(
                    ofAttempt: late, to: ada.user.id, by: Authority(.session(session, of: ada.user.id)),
                    audit: samples.event(.identityLinked))
            }
            #expect(try await first.account(identity: Self.identity("late")) == nil)
        }
    }

    /// What a session does to its own account's identities.
    private static let bySession: [(name: String, AuditEvent.Action)] = [
        ("connects", .identityLinked), ("disconnects", .identityUnlinked),
    ]

    @Test(arguments: storesUnderTest)
    func aSessionWhoseSignInIsOldConnectsAndDisconnectsNothing(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let held = try #require(store as? SQLStore)
            // The hold is longer than what is left of the recent sign-in.
            let cases: [(seconds: Int64, isHeld: Bool, isDone: Bool)] = [
                (15 * 60 - 10, false, true), (15 * 60 + 1, false, false), (15 * 60 - 1, true, false),
            ]
            for (name, action) in Self.bySession {
                for (seconds, isHeld, isDone) in cases {
                    let ada = try await store.addAccount(samples)
                    let session = try await store.startSession(
                        samples.session(of: ada.user.id), token: Self.minted(samples), replacing: nil, by: .commandLine,
                        audit: samples.event(.sessionStarted)
                    ).id
                    let authority = Authority(.session(session, of: ada.user.id))
                    let identity = Self.identity(ada.user.id.rawValue)
                    let digest = samples.random.bytes(32)
                    #expect(try await store.useSignInAttempt(digest: digest, now: Samples.start))
                    try await store.putPendingIdentity(
                        PendingIdentity(identity: identity, email: nil), ofAttempt: digest)
                    if action == .identityUnlinked {
                        try await store.linkPendingIdentity(
                            ofAttempt: digest, to: ada.user.id, by: .commandLine, audit: samples.event(.identityLinked))
                    }
                    let before = try await store.identities(of: ada.user.id)
                    if isHeld { held.holdWrites { _ in try? await Task.sleep(for: .milliseconds(1_200)) } }
                    let audit = samples.event(action, user: ada.user.id, after: seconds)
                    let asked = Task {
                        if action == .identityLinked {
                            try await store.linkPendingIdentity(
                                ofAttempt: digest, to: ada.user.id, by: authority, audit: audit)
                        } else {
                            try await store.unlinkIdentity(
                                identity, of: ada.user.id, signInIssuer: identity.issuer, by: authority, audit: audit)
                        }
                    }
                    let result = await asked.result
                    held.holdWrites(nil)
                    if isDone { try result.get() } else { await expect(.forbidden) { try result.get() } }
                    let after = try await store.identities(of: ada.user.id)
                    #expect((after != before) == isDone, "\(name), \(seconds) s")
                    let events = try await store.auditEvents(userID: ada.user.id, limit: 10)
                    #expect(events.contains { $0.id == audit.id } == isDone)
                }
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func theOnlyWayToSignInIsNotDisconnected(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let here = "https://login.example"
            let elsewhere = Identity(issuer: "https://old.example", subject: "one")
            let unlink = { @Sendable (identity: Identity, account: Account, issuer: String?, store: any Store) in
                try await store.unlinkIdentity(
                    identity, of: account.user.id, signInIssuer: issuer, by: .commandLine,
                    audit: samples.event(.identityUnlinked, user: account.user.id))
            }
            // With a password, everything goes.
            let eve = try await Self.verified(first, samples)
            try await Self.link(Self.identity("eve"), to: eve, first, samples)
            let connected = try await second.connectedIdentities(of: eve.user.id)
            #expect(connected.map(\.identity) == [Self.identity("eve")])
            #expect(connected.map(\.connectedAt) == [samples.event(.identityLinked).at])
            let plain = samples.newAccount()
            let ada = try await first.createAccount(
                NewAccount(
                    user: plain.user, passwordHash: "", key: plain.key, sealedKey: plain.sealedKey,
                    workspaceID: plain.workspaceID, workspaceName: plain.workspaceName), with: Self.identity("one"),
                audit: samples.event(.userCreated),
                linked: samples.event(.identityLinked))
            await expect(.notFound) { try await unlink(Self.identity("one"), eve, here, second) }
            try await unlink(Self.identity("eve"), eve, here, second)
            await expect(.notFound) { try await unlink(Self.identity("eve"), eve, here, first) }
            #expect(try await first.account(identity: Self.identity("eve")) == nil)
            // Without one, not the last, nor the last that signs in.
            for issuer in [here, nil] {
                await expect(.conflict) { try await unlink(Self.identity("one"), ada, issuer, second) }
            }
            for other in [elsewhere, Self.identity("two")] { try await Self.connect(other, to: ada, first, samples) }
            try await unlink(Self.identity("two"), ada, here, first)
            await expect(.conflict) { try await unlink(Self.identity("one"), ada, here, first) }
            try await unlink(elsewhere, ada, here, first)
            #expect(try await second.identities(of: ada.user.id) == [Self.identity("one")])
            let events = try await first.auditEvents(userID: ada.user.id, limit: 100)
            #expect(events.count { $0.action == .identityUnlinked } == 2)
            // Two at the same moment: one stays.
            for _ in 1...10 {
                try await Self.connect(Self.identity("two"), to: ada, first, samples)
                let outcomes = await raced(
                    { try await unlink(Self.identity("one"), ada, here, first) },
                    { try await unlink(Self.identity("two"), ada, here, second) })
                #expect(outcomes.count { $0.code == nil } == 1 && outcomes.contains { $0.code == .conflict })
                let left = try await first.identities(of: ada.user.id)
                #expect(left.count == 1)
                if left == [Self.identity("two")] {
                    try await Self.connect(Self.identity("one"), to: ada, first, samples)
                    try await unlink(Self.identity("two"), ada, here, first)
                }
            }
        }
    }

    private static func connect(
        _ identity: Identity, to account: Account, _ store: any Store, _ samples: Samples
    ) async throws {
        let digest = samples.random.bytes(32)
        _ = try await store.useSignInAttempt(digest: digest, now: Clocks.system.wall())
        try await store.putPendingIdentity(PendingIdentity(identity: identity, email: nil), ofAttempt: digest)
        try await store.linkPendingIdentity(
            ofAttempt: digest, to: account.user.id, by: .commandLine, audit: samples.event(.identityLinked))
    }

    @Test(arguments: storesUnderTest)
    func aNewAccountAndItsIdentityAreOneChange(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let create = { @Sendable (store: any Store, subject: String) in
                let new = samples.newAccount()
                return try await store.createAccount(
                    new, with: Self.identity(subject), audit: samples.event(.userCreated, user: new.user.id),
                    linked: samples.event(.identityLinked, user: new.user.id))
            }
            for round in 1...10 {
                let outcomes = await raced(
                    { try await create(first, "\(round)") }, { try await create(second, "\(round)") })
                #expect(outcomes.count { $0.code == nil } == 1 && outcomes.contains { $0.code == .conflict })
            }
            #expect(try await first.accounts(offset: 0, limit: 100).total == 10)
            let events = try await first.auditEvents(userID: nil, limit: 100)
            #expect(events.count { $0.action == .userCreated } == 10)
            #expect(events.count { $0.action == .identityLinked } == 10)
        }
    }

    @Test(arguments: storesUnderTest)
    func anIdentityThatIsTakenAwaySignsNobodyIn(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let (ada, eve) = (
                try await Self.verified(store, samples), try await Self.verified(store, samples)
            )
            try await Self.link(Self.identity("ada"), to: ada, store, samples)
            let start = { (identity: String, account: Account) in
                try await store.startSession(
                    samples.session(of: account.user.id), token: Self.minted(samples), replacing: nil,
                    by: Authority(.identity(Self.identity(identity), of: account.user.id)),
                    audit: samples.event(.sessionStarted))
            }
            _ = try await start("ada", ada)
            await expect(.unauthorized) { _ = try await start("ada", eve) }
            await expect(.unauthorized) { _ = try await start("eve", eve) }
            _ = await applied(
                try await store.setStatus(
                    .disabled, of: ada.user.id, by: .commandLine, audit: samples.event(.userDisabled)))
            await expect(.unauthorized) { _ = try await start("ada", ada) }
        }
    }

    @Test(arguments: storesUnderTest)
    func attemptsAreRemovedOnceTheyCannotMatter(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let (recent, old) = (samples.random.bytes(32), samples.random.bytes(32))
            let now = Clocks.system.wall()
            #expect(try await store.useSignInAttempt(digest: recent, now: now))
            let table = try #require(CopiedTable.all.first { $0.name == "sign_in_attempts" })
            let row: [SQLValue] = [
                .bytes(old), .time(now.advanced(by: .seconds(-3_700))), .text("https://login.example"), .text("old"),
                .text("ada@example.com"),
            ]
            try (store as? SQLStore)?.engine.withCopyWriter { try $0.insertMany([row], into: table) }
            #expect(try await store.pendingIdentity(ofAttempt: old, now: now)?.pending.identity.subject == "old")
            try await store.removeOldSignInAttempts(now: now)
            #expect(try await store.pendingIdentity(ofAttempt: old, now: now) == nil)
            #expect(try await store.useSignInAttempt(digest: recent, now: now) == false)
        }
    }

    private static func minted(_ samples: Samples) -> MintedToken {
        MintedToken(digest: samples.random.bytes(32), tagKeyID: MasterKeyID(rawValue: "mk_one"))
    }
}
