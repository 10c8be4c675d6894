import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer

/// Service accounts (``ServiceAccounts``, ``NewServiceAccount``, ``ServiceAccountStore``) on every engine: what they may be,
/// how many there can be, who has seen their keys, who is responsible (``ResponsibleMigration``), and what becomes of them
/// with their workspace (``WorkspaceDeletion``).
@Suite struct ServiceAccountConformance {
    /// A workspace with an Owner, an Admin and a Member, all of them signed in.
    private struct Stage {
        let store: any Store
        let samples: Samples
        let owner: Account
        let workspace: WorkspaceID
        let sessions: [Role: Authority]

        init(_ store: any Store, _ samples: Samples) async throws {
            (self.store, self.samples) = (store, samples)
            owner = try await store.addAccount(samples)
            workspace = owner.workspaces[0].workspace.id
            _ = try await store.setPlan(
                PlanID(rawValue: "pro"), of: workspace, by: .commandLine, needs: nil, audit: samples.event(.planChanged)
            )
            var sessions: [Role: Authority] = [:]
            for role in Role.allCases {
                let id = role == .owner ? owner.user.id : try await store.addAccount(samples, after: 1).user.id
                _ = try await store.putMember(
                    Membership(workspaceID: workspace, userID: id, role: role), audit: samples.event(.memberAdded))
                let session = samples.session(of: id)
                try await store.startSession(
                    session, tokenDigest: samples.random.bytes(32), replacing: nil,
                    audit: samples.event(.sessionStarted))
                sessions[role] = Authority(.session(session.id, of: id))
            }
            self.sessions = sessions
        }

        func make(_ name: String = "Testing", in other: WorkspaceID? = nil) async throws -> Account {
            let new = samples.newServiceAccount(in: other ?? workspace, name: name)
            return try await store.makeServiceAccount(new, samples)
        }

        func reveal(_ id: UserID, as role: Role, in other: WorkspaceID? = nil) async throws {
            _ = try await store.revealKey(
                of: id, by: try #require(sessions[role]),
                needs: Requirement(.revealServiceKey, in: other ?? workspace, of: id),
                audit: samples.event(.keyRevealed, user: id))
        }

        func change(_ work: StoreWrite.Work, of id: UserID?, as role: Role) async throws -> StoreWrite.Outcome {
            await applied(
                try await store.changeServiceAccount(
                    StoreWrite(work, audit: samples.event(.userChanged, user: id)), by: try #require(sessions[role]),
                    needs: Requirement(.manageServiceAccounts, in: workspace, of: id))
            ).value
        }
    }

    @Test(arguments: storesUnderTest)
    func itIsAMemberOfItsWorkspaceWithoutAnAddress(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let made = try await stage.make()
            let found = try #require(try await second.account(id: made.user.id))
            #expect(found == made && found.user.kind == .service && found.user.address == nil)
            #expect(found.workspaces.map(\.workspace.id) == [stage.workspace] && found.workspaces[0].role == .member)
            #expect(!found.user.hasPassword && !found.user.isEmailVerified && !found.user.isOperator)
            // What is in the column of addresses finds nobody, and can be nobody's address.
            #expect(try await second.account(email: found.user.email) == nil)
            #expect(try await second.credentials(email: [found.user.email]) == nil)
            #expect(EmailAddress(found.user.email.rawValue) == nil)
            #expect(try await second.serviceAccounts(of: stage.workspace) == [made])
            // No seat: the lists of people do not have it.
            let people = try await second.members(of: stage.workspace, matching: MemberFilter(limit: 10))
            #expect(people.total == 3 && people.page.allSatisfy { $0.user.kind == .person })
            let counts = try await second.workspaces(offset: 0, limit: 10).page
            #expect(counts.first { $0.workspace.id == stage.workspace }?.memberCount == 3)
            #expect(try await second.members(of: stage.workspace).count == 4)
            for (kind, expected) in [(User.Kind.service, 1), (.person, 3)] {
                let (page, total) = try await second.accounts(of: kind, offset: 0, limit: 10)
                #expect(page.count == expected && total == expected && page.allSatisfy { $0.user.kind == kind })
                var filter = UserFilter()
                filter.kind = kind
                let listed = try await second.accounts(matching: filter, after: nil, limit: 10)
                #expect(listed.count == expected && listed.allSatisfy { filter.contains($0) })
                let bulk = try await second.bulkCount(BulkFilter(), status: nil, kind: kind)
                #expect(bulk == expected)
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aWorkspaceHasAtMostTen(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            for number in 1...9 { _ = try await stage.make("Number \(number)") }
            let outcomes = await raced(
                { try await first.makeServiceAccount(samples.newServiceAccount(in: stage.workspace), samples) },
                { try await second.makeServiceAccount(samples.newServiceAccount(in: stage.workspace), samples) })
            #expect(outcomes.count { $0.code == nil } == 1 && outcomes.contains { $0.code == .conflict })
            #expect(try await first.serviceAccountIDs(of: stage.workspace).count == NewServiceAccount.most)
            let refused = await #expect(throws: KeybearerError.self) { _ = try await stage.make() }
            #expect(refused?.code == .conflict && refused?.message.contains("at most 10 service accounts") == true)
            let one = try await first.serviceAccountIDs(of: stage.workspace)[0]
            _ = try await first.deleteAccount(one, audit: samples.event(.userDeleted, user: one))
            _ = try await stage.make()
            await expect(.notFound) { _ = try await stage.make(in: .random(from: samples.random)) }
        }
    }

    @Test(arguments: storesUnderTest)
    func itDoesNothingThatOnlyAPersonDoes(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let id = try await stage.make().user.id
            let other = try await store.addAccount(samples, after: 5)
            let elsewhere = other.workspaces[0].workspace.id
            let before = try #require(try await store.account(id: id))
            for (workspace, role) in [(stage.workspace, Role.owner), (stage.workspace, .admin), (elsewhere, .member)] {
                await expect(.conflict) {
                    _ = try await store.putMember(
                        Membership(workspaceID: workspace, userID: id, role: role),
                        audit: samples.event(.memberAdded))
                }
            }
            await expect(.conflict) {
                _ = try await store.removeMember(
                    id, from: stage.workspace, by: .commandLine, needs: nil, audit: samples.event(.memberRemoved))
            }
            await expect(.conflict) {
                _ = try await store.setPassword("hash", of: id, keeping: nil, audit: samples.event(.passwordChanged))
            }
            await expect(.conflict) {
                try await store.startSession(
                    samples.session(of: id), tokenDigest: samples.random.bytes(32), replacing: nil,
                    audit: samples.event(.sessionStarted))
            }
            await expect(.conflict) {
                _ = try await store.createWorkspace(
                    id: .random(from: samples.random), name: "Team", owner: id, createdAt: samples.at(2),
                    audit: samples.event(.workspaceCreated))
            }
            for work in [StoreWrite.Work.endSessions(of: id), .resetSecondFactor(of: id)] {
                await expect(.conflict) {
                    _ = try await store.perform(
                        [StoreWrite(work, audit: samples.event(.sessionEnded, user: id))], by: .commandLine)
                }
            }
            await expect(.validationFailed) {
                let deletion = AccountDeletion(id: stage.owner.user.id, successor: id) {
                    .random(from: samples.random)
                }
                _ = try await store.deleteAccount(
                    deletion, by: .commandLine, audit: samples.event(.userDeleted))
            }
            #expect(try await store.account(id: id) == before)
        }
    }

    @Test(arguments: storesUnderTest)
    func onlyItsOwnWorkspacesManagersTouchIt(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let stage = try await Stage(store, samples)
            let id = try await stage.make().user.id
            let foreign = try await stage.make(in: try await store.addAccount(samples).workspaces[0].workspace.id)
            for role in [Role.owner, .admin] {
                try await stage.reveal(id, as: role)
                _ = try await stage.change(.updateUser(UserUpdate(id: id, name: "By \(role)")), of: id, as: role)
                for absent in [foreign.user.id, stage.owner.user.id, .random(from: samples.random)] {
                    await expect(.notFound) { try await stage.reveal(absent, as: role) }
                    await expect(.notFound) {
                        _ = try await stage.change(.setStatus(.disabled, of: absent), of: absent, as: role)
                    }
                }
            }
            await expect(.forbidden) { try await stage.reveal(id, as: .member) }
            await expect(.forbidden) { _ = try await stage.change(.setStatus(.disabled, of: id), of: id, as: .member) }
            #expect(try await store.account(id: id)?.user.name == "By admin")
            #expect(try await store.account(id: foreign.user.id) == foreign)
            // The workspace sees it, also where whoever did it named none.
            let events = try await store.auditEvents(userID: id, limit: 10)
            #expect(events.count > 3 && events.allSatisfy { $0.workspaceID == stage.workspace })
        }
    }

    @Test(arguments: storesUnderTest)
    func whoHasSeenAKeyIsKnownUntilItIsRegenerated(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let (seen, other) = (try await stage.make("Testing"), try await stage.make("Production"))
            for role in [Role.owner, .admin, .admin] { try await stage.reveal(seen.user.id, as: role) }
            try await stage.reveal(other.user.id, as: .admin)
            // The operator is nobody of the workspace.
            _ = try await first.revealKey(
                of: other.user.id, by: .commandLine, needs: nil, audit: samples.event(.keyRevealed))
            let admin = try #require(stage.sessions[.admin]?.userID)
            var views = try await second.serviceKeyViews(in: stage.workspace)
            #expect(views.count == 3 && views.allSatisfy(\.mayStillSee))
            #expect(try await second.personalData(of: admin, now: samples.at(9))?.seenServiceKeys.count == 2)
            _ = try await first.putMember(
                Membership(workspaceID: stage.workspace, userID: admin, role: .member),
                audit: samples.event(.memberRoleChanged))
            views = try await second.serviceKeyViews(in: stage.workspace)
            #expect(views.filter { !$0.mayStillSee }.map(\.viewer) == [admin, admin])
            _ = await applied(
                try await first.removeMember(
                    admin, from: stage.workspace, by: .commandLine, needs: nil, audit: samples.event(.memberRemoved)))
            views = try await second.serviceKeyViews(in: stage.workspace).filter { !$0.mayStillSee }
            #expect(Set(views.map(\.name)) == ["Testing", "Production"])
            #expect(views.allSatisfy { $0.viewer == admin && $0.viewerName == "Ada" && $0.viewerRole == nil })
            _ = try await first.replaceKey(
                KeyReplacement(
                    userID: seen.user.id, key: samples.key(version: 2), sealed: samples.sealedKey(), request: nil),
                audit: samples.event(.keyRegenerated))
            _ = try await first.deleteAccount(admin, audit: samples.event(.userDeleted, user: admin))
            views = try await second.serviceKeyViews(in: stage.workspace)
            #expect(
                views.map(\.name) == ["Production"] && views[0].viewerName == nil, "the account is gone, not the key")
        }
    }

    @Test("Whoever made one is responsible for it, and an Owner follows (W11)", arguments: storesUnderTest)
    func somebodyIsAlwaysResponsible(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let admin = try #require(stage.sessions[.admin]?.userID)
            let new = samples.newServiceAccount(in: stage.workspace, maker: admin)
            let made = try await first.makeServiceAccount(new, samples).user.id
            let operators = try await stage.make("Production").user.id
            // In another workspace, to see that the statement looks at one.
            _ = try await first.addAccount(samples, after: 2)
            func responsible() async throws -> [UserID: UserID] {
                try await second.responsiblePeople(in: stage.workspace).mapValues(\.id)
            }
            let owner = stage.owner.user.id
            #expect(try await responsible() == [made: admin, operators: owner])
            #expect(try await second.responsiblePeople(in: stage.workspace)[made]?.name == "Ada")
            for role in [Role.member, .admin] {
                _ = try await first.putMember(
                    Membership(workspaceID: stage.workspace, userID: admin, role: role),
                    audit: samples.event(.memberRoleChanged))
                #expect(try await responsible()[made] == (role == .admin ? admin : owner))
            }
            _ = try await first.deleteAccount(admin, audit: samples.event(.userDeleted, user: admin))
            #expect(try await responsible() == [made: owner, operators: owner])
            #expect(try await second.account(id: made)?.user.status == .active, "the key works on")
        }
    }

    @Test(arguments: storesUnderTest)
    func itGoesWithItsWorkspace(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let stage = try await Stage(first, samples)
            let ids = [try await stage.make().user.id, try await stage.make("Production").user.id]
            let audit = samples.event(.workspaceDeleted, workspace: stage.workspace)
            // One that was made since they were read.
            await expect(.conflict) {
                _ = try await second.deleteWorkspace(
                    samples.deletion(of: stage.workspace, with: [ids[0]]), by: .commandLine, needs: nil, audit: audit)
            }
            #expect(try await first.serviceAccountIDs(of: stage.workspace).count == 2)
            let before = try await first.newestPosition(samples)
            _ = await applied(
                try await second.deleteWorkspace(
                    samples.deletion(of: stage.workspace, with: ids), by: .commandLine, needs: nil, audit: audit))
            for id in ids {
                #expect(try await first.account(id: id) == nil)
                #expect(try await first.pastKeys(of: id).count == 1)
                let event = try #require(try await first.auditEvents(userID: id, limit: 1).first)
                #expect(event.action == .userDeleted && event.workspaceID == stage.workspace)
            }
            let subjects = try #require(try await first.changes(after: before, limit: 10)?.map(\.subject))
            #expect(Set(subjects) == [.workspace(stage.workspace), .user(ids[0]), .user(ids[1])])
            #expect(try await first.account(id: stage.owner.user.id)?.workspaces.isEmpty == true)
        }
    }

    @Test(arguments: storesUnderTest)
    func theLastPersonOfItsWorkspaceSaysWhatBecomesOfIt(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let lone = try await store.addAccount(samples)
            let workspace = lone.workspaces[0].workspace.id
            let service = try await store.makeServiceAccount(samples.newServiceAccount(in: workspace), samples)
            let audit = samples.event(.userDeleted, user: lone.user.id)
            func deletion(_ deletes: Bool, _ services: [UserID]) -> AccountDeletion {
                AccountDeletion(id: lone.user.id, deletesWorkspaces: deletes, serviceAccounts: services) {
                    .random(from: samples.random)
                }
            }
            await expect(.conflict) {
                _ = try await store.deleteAccount(deletion(false, []), by: .commandLine, audit: audit)
            }
            let owned = try await store.serviceAccountIDs(inWorkspacesOwnedBy: lone.user.id)
            #expect(owned == [service.user.id])
            _ = await applied(
                try await store.deleteAccount(deletion(true, owned), by: .commandLine, audit: audit))
            #expect(try await store.account(id: service.user.id) == nil)
            #expect(try await store.workspace(id: workspace) == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func anOlderNodeKeepsServiceAccountsOut(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let workspace = try await first.addAccount(samples).workspaces[0].workspace.id
            let node = NodeID.random(from: samples.random)
            _ = try await first.registerNode(node, label: "old one", version: "0.1.9", lease: .seconds(2))
            let refused = await #expect(throws: KeybearerError.self) {
                _ = try await second.makeServiceAccount(samples.newServiceAccount(in: workspace), samples)
            }
            #expect(refused?.code == .conflict && refused?.message.contains("old one") == true)
            try await first.unregisterNode(node)
            _ = try await second.makeServiceAccount(samples.newServiceAccount(in: workspace), samples)
        }
    }
}

extension Store {
    /// Makes a service account, as the operator.
    func makeServiceAccount(_ new: NewServiceAccount, _ samples: Samples) async throws -> Account {
        let write = StoreWrite(
            .createServiceAccount(new),
            audit: samples.event(.userCreated, user: new.user.id, workspace: new.workspaceID))
        let outcome = try #require(await applied(try await perform([write], by: .commandLine)).value.first)
        guard case .account(let account) = try outcome.get() else { throw KeybearerError.noSuchAccount }
        return account
    }
}
