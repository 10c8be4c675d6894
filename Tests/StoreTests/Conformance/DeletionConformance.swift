import Keybearer
import KeybearerSQL
import TestSupport
import Testing

/// ``AccountDeletion`` on every engine: what becomes of workspaces and of the audit log, and what ``PersonalDataRead``
/// shows before; and the step ``OriginMigration``.
@Suite struct DeletionConformance {
    /// An Owner with a workspace of her own and one that she shares with a member.
    private struct Stage {
        let store: any Store
        let samples: Samples
        let owner: Account
        let member: Account
        let shared: WorkspaceID

        init(_ store: any Store, _ samples: Samples) async throws {
            (self.store, self.samples) = (store, samples)
            owner = try await store.addAccount(samples)
            member = try await store.addAccount(samples, after: 1)
            shared = .random(from: samples.random)
            _ = try await store.createWorkspace(
                id: shared, name: "Team", owner: owner.user.id, createdAt: samples.at(2),
                audit: samples.event(.workspaceCreated))
            _ = try await store.putMember(
                Membership(workspaceID: shared, userID: member.user.id, role: .member),
                audit: samples.event(.memberAdded))
        }

        func delete(
            _ store: any Store, successor: UserID? = nil, deletesWorkspaces: Bool = false
        ) async throws {
            let samples = samples
            let deletion = AccountDeletion(
                id: owner.user.id, successor: successor, deletesWorkspaces: deletesWorkspaces
            ) { .random(from: samples.random) }
            let audit = samples.event(.userDeleted, user: owner.user.id)
            await applied(try await store.deleteAccount(deletion, by: .commandLine, audit: audit)).value
        }
    }

    @Test(arguments: storesUnderTest)
    func theLastOwnerIsTold(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let before = try await store.newestPosition(samples)
            let refused = await #expect(throws: KeybearerError.self) { try await stage.delete(store) }
            #expect(refused?.code == .conflict)
            #expect(refused?.message.contains("\(stage.shared) ('Team')") == true)
            #expect(refused?.message.contains(stage.owner.workspaces[0].workspace.id.rawValue) == false)
            let gone = UserID.random(from: samples.random)
            for wrong in [stage.owner.user.id, gone] {
                await expect(.validationFailed) { try await stage.delete(store, successor: wrong) }
            }
            _ = try await store.setStatus(
                .disabled, of: stage.member.user.id, audit: samples.event(.userDisabled))
            await expect(.validationFailed) { try await stage.delete(store, successor: stage.member.user.id) }
            #expect(try await store.account(id: stage.owner.user.id)?.workspaces.count == 2)
            #expect(try await store.changes(after: before, limit: 10)?.count == 1, "the disabled member alone")
        }
    }

    @Test(arguments: storesUnderTest)
    func anotherBecomesOwner(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let other = try await first.addAccount(samples, after: 3).user.id
            let before = try await first.newestPosition(samples)
            try await stage.delete(second, successor: other)
            #expect(try await first.account(id: stage.owner.user.id) == nil)
            let members = try await first.members(of: stage.shared)
            #expect(members.map(\.user.id) == [stage.member.user.id, other])
            #expect(members.map(\.role) == [.member, .owner])
            #expect(try await first.workspace(id: stage.owner.workspaces[0].workspace.id) == nil, "she was alone there")
            let subjects = try await first.changes(after: before, limit: 10)?.map(\.subject)
            #expect(subjects == [.user(stage.owner.user.id), .user(other)])
            let event = try #require(try await first.auditEvents(userID: other, limit: 1).first)
            #expect(event.action == .memberAdded && event.workspaceID == stage.shared && event.detail == "owner")
        }
    }

    @Test(arguments: storesUnderTest)
    func workspacesGoWithTheLastOwner(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let confined = try await Self.confine(stage.member, to: stage.shared, first, samples)
            let before = try await first.newestPosition(samples)
            try await stage.delete(second, deletesWorkspaces: true)
            #expect(try await first.workspace(id: stage.shared) == nil)
            #expect(try await first.account(id: stage.member.user.id)?.workspaces.count == 1)
            #expect(try await first.session(tokenDigest: confined) == nil)
            let subjects = try await first.changes(after: before, limit: 10)?.map(\.subject)
            #expect(subjects == [.user(stage.owner.user.id), .workspace(stage.shared)])
            let events = try await first.auditEvents(userID: nil, limit: 2)
            #expect(events.map(\.action) == [.userDeleted, .workspaceDeleted] && events[1].workspaceID == stage.shared)
        }
    }

    @Test(arguments: storesUnderTest)
    func aSuccessorThatIsDisabledAtTheSameMoment(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            for _ in 0..<15 {
                let stage = try await Stage(first, samples)
                let event = samples.event(.userDisabled)
                let outcomes = await raced(
                    { try await stage.delete(first, successor: stage.member.user.id) },
                    { _ = try await second.setStatus(.disabled, of: stage.member.user.id, audit: event) })
                #expect(outcomes[1].code == nil)
                let members = try await first.members(of: stage.shared)
                let isDeleted = try await first.account(id: stage.owner.user.id) == nil
                #expect(isDeleted == (outcomes[0].code == nil), "\(outcomes)")
                #expect(members.contains { $0.role == .owner })
            }
        }
    }

    /// A session that is confined to a workspace.
    ///
    /// - Returns: the digest of its token.
    private static func confine(
        _ account: Account, to workspace: WorkspaceID, _ store: any Store, _ samples: Samples
    ) async throws -> [UInt8] {
        let digest = samples.random.bytes(32)
        let plain = samples.session(of: account.user.id)
        let access = PortalAccess(
            tokenID: .random(from: samples.random), section: .apiKey, workspaceID: workspace, returnURL: nil)
        try await store.startSession(
            Session(
                id: plain.id, userID: plain.userID, createdAt: plain.createdAt, authenticatedAt: plain.authenticatedAt,
                lastSeenAt: plain.lastSeenAt, address: plain.address, userAgent: plain.userAgent, portal: access),
            tokenDigest: digest, replacing: nil, audit: samples.event(.sessionStarted))
        return digest
    }

    @Test(arguments: storesUnderTest)
    func aWorkspaceGoesWithWhatIsConfinedToIt(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let inside = try await Self.confine(stage.member, to: stage.shared, first, samples)
            let own = stage.member.workspaces[0].workspace.id
            let outside = try await Self.confine(stage.member, to: own, first, samples)
            let before = try await first.newestPosition(samples)
            func write(_ id: WorkspaceID, _ version: Int?) -> StoreWrite {
                StoreWrite(
                    .deleteWorkspace(samples.deletion(of: id, version: version)),
                    audit: samples.event(.workspaceDeleted, workspace: id))
            }
            await expect(.notFound) {
                _ = try await second.perform([write(.random(from: samples.random), nil)], by: .commandLine)
            }
            await expect(.conflict) { _ = try await second.perform([write(stage.shared, 2)], by: .commandLine) }
            _ = try await second.perform([write(stage.shared, 1)], by: .commandLine)
            #expect(try await first.workspace(id: stage.shared) == nil)
            #expect(try await first.account(id: stage.owner.user.id)?.workspaces.count == 1)
            #expect(try await first.session(tokenDigest: inside) == nil)
            #expect(try await first.session(tokenDigest: outside) != nil)
            #expect(try await first.changes(after: before, limit: 10)?.map(\.subject) == [.workspace(stage.shared)])
            #expect(try await first.auditEvents(userID: nil, limit: 1).first?.action == .workspaceDeleted)
        }
    }

    @Test(arguments: storesUnderTest)
    func whatTellsWhoItWasIsErased(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let store = try #require(first as? SQLStore)
            let stage = try await Stage(first, samples)
            let (user, other) = (stage.owner.user, stage.member.user.id)
            // More than one transaction erases.
            let rows = (0..<2_500).map { place -> [SQLValue] in
                let isActor = place.isMultiple(of: 2)
                return [
                    .number(10_000 + place), .id(EventID.random(from: samples.random)), .time(samples.at(5)),
                    .text(isActor ? user.id.rawValue : "cli"), .text("key.revealed"),
                    .id(isActor ? other : user.id), .null, .text("192.0.2.9"),
                    .text(place == 7 ? "mailed to \(user.email)" : "free"), .null, .text("Browser/1.0"), .null, .null,
                    .null, .null, .null, .null, .null, .null,
                ]
            }
            try store.engine.withCopyWriter { try $0.insertMany(rows, into: CopiedTable.auditEvents) }
            let data = try #require(try await second.personalData(of: user.id, now: samples.at(10)))
            // The first is that the account was made.
            #expect(data.auditEvents.count == 2_501 && !data.isAuditCut && data.account.user == user)
            #expect(data.auditEvents.first?.actor == .commandLine)
            #expect(data.auditEvents.dropLast().last?.actor == .user(user.id))
            #expect(data.auditEvents.last?.action == .userCreated)
            try await stage.delete(second, successor: other)
            // As if the process had been killed behind the deletion: another one goes on.
            try await first.erasePersonalData(of: nil)
            let all = try await first.auditEvents(of: nil, before: nil, limit: 5_000).map(\.1)
            let named = all.filter { $0.userID == user.id || $0.actor == .user(user.id) }
            #expect(named.count == 2_502, "they stay, with the account's id")
            #expect(named.allSatisfy { $0.address == nil && $0.origin?.userAgent == nil })
            #expect(named.count { $0.detail == "free" } == 2_499)
            #expect(!all.contains { $0.detail?.contains("@") == true })
            let others = all.filter { $0.userID != user.id && $0.actor != .user(user.id) }
            #expect(others.contains { $0.address != nil }, "nobody else's")
            #expect(try await second.personalData(of: user.id, now: samples.at(10)) == nil)
            try await second.erasePersonalData(of: user.id)
        }
    }

    @Test(arguments: storesUnderTest)
    func theSameAddressStartsClean(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let old = try await store.addAccount(samples)
            _ = try await store.reserve(
                [.reserve(old.user.id, count: 1_000, limit: 1_000, life: .seconds(60))], now: samples.at(80))
            _ = try await store.deleteAccount(old.user.id, audit: samples.event(.userDeleted))
            let new = try await store.add(samples.newAccount(email: old.user.email.rawValue), samples)
            #expect(new.user.id != old.user.id && new.key.version == 1 && new.workspaces.count == 1)
            #expect(try await store.pastKeys(of: new.user.id).isEmpty)
            let data = try #require(try await store.personalData(of: new.user.id, now: samples.at(90)))
            #expect(data.auditEvents.map(\.action) == [.userCreated] && data.sessions.isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func allThatIsKeptIsShownWithoutSecrets(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let identity = Identity(issuer: "https://login.example", subject: "ada")
            let account = try await store.createAccount(
                samples.newAccount(), with: identity, audit: samples.event(.userCreated),
                linked: samples.event(.identityLinked))
            let now = Clocks.system.wall()
            let live = samples.session(of: account.user.id).stamped(now)
            try await store.startSession(
                live, tokenDigest: samples.random.bytes(32), replacing: nil, audit: samples.event(.sessionStarted))
            _ = try await store.replaceKey(samples.replacement(of: account), audit: samples.event(.keyRegenerated))
            let other = try await store.addAccount(samples)
            let data = try #require(try await store.personalData(of: account.user.id, now: now))
            #expect(data.account.user == account.user && data.account.key.version == 2)
            #expect(data.sessions.map(\.id) == [live.id] && data.pastKeys.count == 1)
            #expect(data.identities == [identity])
            #expect(data.auditEvents.allSatisfy { $0.userID == account.user.id })
            let later = now.advanced(by: .seconds(8 * 24 * 3_600))
            if subject.testDescription == "SQLite" {
                let data = try await store.personalData(of: account.user.id, now: later)
                #expect(data?.sessions.isEmpty == true, "it has ended")
            }
            #expect(try await store.personalData(of: other.user.id, now: now)?.pastKeys.isEmpty == true)
        }
    }
}
