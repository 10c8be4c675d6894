import Keybearer
import TestSupport
import Testing

/// The ``WorkspaceStore`` on every engine: each ``Plan`` (``Plans``), members and Owners, and the ``StoreErrors`` of them.
@Suite struct WorkspaceConformance {
    @Test(arguments: storesUnderTest)
    func aNewStoreHasTheDefaultCatalogue(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, _ async throws in
            #expect(try await store.plans() == Plan.defaultCatalogue)
        }
    }

    @Test(arguments: storesUnderTest)
    func theCatalogueIsInTheOrderOfItsPositions(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let team = Plan(
                id: PlanID(rawValue: "team"), name: "Team",
                features: [.apiWebhooks, Feature(rawValue: "sso"), Feature(rawValue: "a b\nc")], hourlyLimit: 5_000,
                billingURL: try BillingURL("https://example.com/team"), position: -1)
            let position = try await store.putPlan(team, audit: samples.event(.planChanged))
            #expect(
                try await store.changes(after: ChangeLogPosition(number: 0, nonce: ""), limit: 1) == [
                    Change(position: position, subject: .everything)
                ])
            #expect(try await second.plans() == [team] + Plan.defaultCatalogue)
            // New workspaces start on the first.
            #expect(try await second.addAccount(samples).workspaces[0].plan == team)
            let replaced = Plan(id: team.id, name: "Team 2", features: [], hourlyLimit: 10, position: 7)
            _ = try await store.putPlan(replaced, audit: samples.event(.planChanged))
            #expect(try await store.plans() == Plan.defaultCatalogue + [replaced])
        }
    }

    @Test(arguments: storesUnderTest)
    func aPlanIsDeletedOnlyWhileNothingNeedsIt(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let workspace = try await store.addAccount(samples).workspaces[0].workspace.id
            let (free, pro) = (Plan.defaultCatalogue[0], Plan.defaultCatalogue[1])
            let deleting = samples.event(.planDeleted)
            _ = try await store.setPlan(pro.id, of: workspace, audit: samples.event(.planChanged))
            let before = try await store.newestPosition(samples)
            await expect(.conflict) { _ = try await store.deletePlan(pro.id, audit: deleting) }
            await expect(.conflict) { _ = try await store.deletePlan(free.id, audit: deleting) }
            await expect(.notFound) { _ = try await store.deletePlan(PlanID(rawValue: "gold"), audit: deleting) }
            #expect(try await store.plans() == Plan.defaultCatalogue)
            _ = try await store.setPlan(free.id, of: workspace, audit: samples.event(.planChanged))
            let position = try await store.deletePlan(pro.id, audit: deleting)
            #expect(position.number > before.number)
            #expect(try await second.plans() == [free])
            let newest = try await second.changes(after: before, limit: 10)?.last
            #expect(newest == Change(position: position, subject: .everything))
            await expect(.conflict) { _ = try await store.deletePlan(free.id, audit: samples.event(.planDeleted)) }
            await expect(.notFound) {
                _ = try await second.setPlan(pro.id, of: workspace, audit: samples.event(.planChanged))
            }
        }
    }

    /// Whoever moves a workspace to a plan that is deleted at the same moment finds it, or it stays.
    @Test(arguments: storesUnderTest)
    func aPlanThatAWorkspaceMovesToMeanwhileIsNotLost(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { store, second, samples in
            let workspace = try await store.addAccount(samples).workspaces[0].workspace.id
            let (free, pro) = (Plan.defaultCatalogue[0], Plan.defaultCatalogue[1])
            for _ in 0..<10 {
                async let moved = Self.succeeds {
                    _ = try await store.setPlan(pro.id, of: workspace, audit: samples.event(.planChanged))
                }
                async let deleted = Self.succeeds {
                    _ = try await second.deletePlan(pro.id, audit: samples.event(.planDeleted))
                }
                let (isMoved, isDeleted) = (try await moved, try await deleted)
                #expect(isMoved != isDeleted)
                #expect(try await store.workspace(id: workspace)?.plan.id == (isMoved ? pro.id : free.id))
                _ = try await store.putPlan(pro, audit: samples.event(.planPut))
                _ = try await store.setPlan(free.id, of: workspace, audit: samples.event(.planChanged))
            }
        }
    }

    private static func succeeds(_ body: () async throws -> Void) async throws -> Bool {
        do {
            try await body()
            return true
        } catch let error as KeybearerError where [.conflict, .notFound].contains(error.code) {
            return false
        }
    }

    @Test(arguments: storesUnderTest)
    func aWorkspaceBelongsToItsOwner(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let owner = try await store.addAccount(samples).user
            let id = WorkspaceID.random(from: samples.random)
            let created = try await store.createWorkspace(
                id: id, name: "Testing", owner: owner.id, createdAt: samples.at(5),
                audit: samples.event(.workspaceCreated, user: owner.id, workspace: id))
            #expect(
                created.workspace
                    == Workspace(id: id, name: "Testing", planID: PlanID(rawValue: "free"), createdAt: samples.at(5)))
            #expect(created.position == (try await store.newestPosition(samples)))
            let found = try #require(try await store.workspace(id: id))
            #expect(found.workspace == created.workspace)
            #expect(found.plan == Plan.defaultCatalogue[0])
            let members = try await store.members(of: id)
            #expect(members.map(\.user) == [owner])
            #expect(members.map(\.role) == [.owner])
            let all = try await store.workspaces(offset: 0, limit: 10)
            #expect(all.page.map(\.workspace.name) == ["Ada's workspace", "Testing"])
            #expect(all.page.map(\.memberCount) == [1, 1])
            #expect(all.total == 2)
            #expect(try await store.workspaces(offset: 1, limit: 1).page.map(\.workspace.id) == [id])
            let ids = try await store.account(id: owner.id)?.workspaces.map(\.workspace.id)
            #expect(ids == ids?.sorted())
            #expect(ids?.count == 2)
        }
    }

    @Test(arguments: storesUnderTest)
    func aWorkspaceNeedsAnOwnerWhoExists(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let id = WorkspaceID.random(from: samples.random)
            await expect(.notFound) {
                _ = try await store.createWorkspace(
                    id: id, name: "Nobody's", owner: .random(from: samples.random), createdAt: samples.at(0),
                    audit: samples.event(.workspaceCreated))
            }
            #expect(try await store.workspace(id: id) == nil)
            #expect(try await store.members(of: id).isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func aPlanChangeShowsInTheAccount(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let workspace = account.workspaces[0].workspace.id
            let pro = Plan.defaultCatalogue[1]
            let position = try await store.setPlan(
                pro.id, of: workspace, audit: samples.event(.planChanged, workspace: workspace))
            #expect(
                try await store.changes(after: ChangeLogPosition(number: 0, nonce: ""), limit: 1) == [
                    Change(position: position, subject: .workspace(workspace))
                ])
            #expect(try await store.account(id: account.user.id)?.workspaces[0].plan == pro)
            await expect(.notFound) {
                _ = try await store.setPlan(
                    PlanID(rawValue: "gold"), of: workspace, audit: samples.event(.planChanged))
            }
            await expect(.notFound) {
                _ = try await store.setPlan(
                    pro.id, of: .random(from: samples.random), audit: samples.event(.planChanged))
            }
            #expect(try await store.workspace(id: workspace)?.plan == pro)
        }
    }

    @Test(arguments: storesUnderTest)
    func membersComeChangeAndGo(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let owner = try await store.addAccount(samples)
            let guest = try await store.addAccount(samples, after: 1)
            let workspace = owner.workspaces[0].workspace.id
            for role in [Role.member, .admin] {
                let position = try await store.putMember(
                    Membership(workspaceID: workspace, userID: guest.user.id, role: role),
                    audit: samples.event(.memberAdded, user: guest.user.id))
                #expect(position == (try await store.newestPosition(samples)))
                #expect(try await store.members(of: workspace).map(\.role) == [.owner, role])
            }
            #expect(try await store.account(id: guest.user.id)?.workspaces.count == 2)
            #expect(try await store.workspaces(offset: 0, limit: 1).page.first?.memberCount == 2)
            let removed = try await store.removeMember(
                guest.user.id, from: workspace, audit: samples.event(.memberRemoved, user: guest.user.id))
            #expect(
                try await store.changes(after: ChangeLogPosition(number: 0, nonce: ""), limit: 10)?.last
                    == Change(position: removed, subject: .user(guest.user.id)))
            #expect(try await store.members(of: workspace).map(\.user.id) == [owner.user.id])
            #expect(try await store.account(id: guest.user.id)?.workspaces.count == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func theLastOwnerStays(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let owner = try await store.addAccount(samples).user.id
            let other = try await store.addAccount(samples).user.id
            let workspace = try #require(try await store.account(id: owner)).workspaces[0].workspace.id
            await expect(.conflict) {
                _ = try await store.removeMember(owner, from: workspace, audit: samples.event(.memberRemoved))
            }
            await expect(.conflict) {
                _ = try await store.putMember(
                    Membership(workspaceID: workspace, userID: owner, role: .admin), audit: samples.event(.memberAdded))
            }
            #expect(try await store.members(of: workspace).map(\.role) == [.owner])
            _ = try await store.putMember(
                Membership(workspaceID: workspace, userID: other, role: .owner), audit: samples.event(.memberAdded))
            _ = try await store.removeMember(owner, from: workspace, audit: samples.event(.memberRemoved))
            #expect(try await store.members(of: workspace).map(\.user.id) == [other])
        }
    }

    @Test(arguments: storesUnderTest)
    func twoOwnersWhoLeaveAtOnceLeaveOne(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let owners = [try await first.addAccount(samples).user.id, try await first.addAccount(samples).user.id]
            let workspace = try #require(try await first.account(id: owners[0])).workspaces[0].workspace.id
            _ = try await first.putMember(
                Membership(workspaceID: workspace, userID: owners[1], role: .owner), audit: samples.event(.memberAdded))
            let refusals = await withTaskGroup(of: Bool.self) { group in
                for (store, owner) in zip([first, second], owners) {
                    let audit = samples.event(.memberRemoved)
                    group.addTask {
                        do {
                            _ = try await store.removeMember(owner, from: workspace, audit: audit)
                            return false
                        } catch {
                            return (error as? KeybearerError)?.code == .conflict
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(refusals.count { $0 } == 1)
            #expect(try await first.members(of: workspace).map(\.role) == [.owner])
        }
    }

    @Test(arguments: storesUnderTest)
    func unknownMembersAndWorkspacesAreNotFound(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let workspace = account.workspaces[0].workspace.id
            let nobody = UserID.random(from: samples.random)
            let nowhere = WorkspaceID.random(from: samples.random)
            let audit = samples.event(.memberAdded)
            for (user, place) in [(nobody, workspace), (account.user.id, nowhere)] {
                await expect(.notFound) {
                    _ = try await store.putMember(
                        Membership(workspaceID: place, userID: user, role: .member), audit: audit)
                }
                await expect(.notFound) { _ = try await store.removeMember(user, from: place, audit: audit) }
            }
            #expect(try await store.newestPosition(samples).number == 0)
        }
    }
}
