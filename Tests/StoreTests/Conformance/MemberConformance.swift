import Keybearer
import TestSupport
import Testing

/// Members' own writes and lists (``Members``) on every engine.
@Suite struct MemberConformance {
    @Test(arguments: storesUnderTest)
    func membersAreFoundByWhatTheirNamesAndAddressesContain(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let owner = try await store.addAccount(samples)
            let workspace = owner.workspaces[0].workspace.id
            var ids = [owner.user.id]
            for number in 1...12 {
                let account = try await store.addAccount(samples, after: Int64(number))
                _ = try await store.putMember(
                    Membership(workspaceID: workspace, userID: account.user.id, role: number == 3 ? .admin : .member),
                    audit: samples.event(.memberAdded))
                ids.append(account.user.id)
            }
            let all = try await store.members(of: workspace, matching: MemberFilter(limit: 5))
            #expect(all.total == 13 && all.page.map(\.user.id) == Array(ids.prefix(5)))
            let last = try await store.members(of: workspace, matching: MemberFilter(page: 3, limit: 5))
            #expect(last.page.map(\.user.id) == Array(ids.suffix(3)) && last.total == 13)
            let admins = try await store.members(of: workspace, matching: MemberFilter(role: .admin, limit: 5))
            #expect(admins.page.map(\.user.id) == [ids[3]] && admins.total == 1)
            let email = try #require(all.page.last).user.email.rawValue.uppercased()
            let found = try await store.members(of: workspace, matching: MemberFilter(text: email, limit: 5))
            #expect(found.page.map(\.user.id) == [ids[4]])
            for nothing in ["%", "u%r", "nobody here"] {
                let none = try await store.members(of: workspace, matching: MemberFilter(text: nothing, limit: 5))
                #expect(none.total == 0)
            }
            let name = try await store.members(of: workspace, matching: MemberFilter(text: "ADA", limit: 20))
            #expect(name.total == 13)
        }
    }

    @Test(arguments: storesUnderTest)
    func anAccountNeverOwnsMoreThanItsLimit(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let owner = try await first.addAccount(samples).user.id
            for limit in 2...6 {
                let outcomes = await raced(
                    { try await Self.make(owner, limit, first, samples) },
                    { try await Self.make(owner, limit, second, samples) })
                #expect(outcomes.count { $0.code == nil } == 1 && outcomes.contains { $0.code == .conflict })
                #expect(try await first.account(id: owner)?.workspaces.count == limit)
            }
        }
    }

    private static func make(_ owner: UserID, _ limit: Int, _ store: any Store, _ samples: Samples) async throws {
        let new = NewWorkspace(
            id: .random(from: samples.random), name: "Another", externalID: nil, planID: nil, owner: owner,
            createdAt: samples.at(1))
        _ = await applied(
            try await store.createWorkspace(
                new, ownedAtMost: limit, by: .commandLine, audit: samples.event(.workspaceCreated)))
    }

    @Test(arguments: storesUnderTest)
    func anAdminTouchesNoOwnerAndAddsNobody(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let owner = try await store.addAccount(samples)
            let workspace = owner.workspaces[0].workspace.id
            var ids: [UserID] = []
            for number in 1...3 { ids.append(try await store.addAccount(samples, after: Int64(number)).user.id) }
            for (id, role) in zip(ids, [Role.admin, .member]) {
                _ = try await store.putMember(
                    Membership(workspaceID: workspace, userID: id, role: role), audit: samples.event(.memberAdded))
            }
            let session = samples.session(of: ids[0])
            try await store.startSession(
                session, tokenDigest: samples.random.bytes(32), replacing: nil, audit: samples.event(.sessionStarted))
            let admin = Authority(.session(session.id, of: ids[0]))
            func put(_ id: UserID, _ role: Role) async throws {
                _ = await applied(
                    try await store.putMember(
                        Membership(workspaceID: workspace, userID: id, role: role), by: admin,
                        needs: Requirement(.manageMembers, in: workspace), audit: samples.event(.memberRoleChanged)))
            }
            func remove(_ id: UserID, _ action: Action) async throws {
                _ = await applied(
                    try await store.removeMember(
                        id, from: workspace, by: admin, needs: Requirement(action, in: workspace),
                        audit: samples.event(.memberRemoved)))
            }
            await expect(.forbidden) { try await put(owner.user.id, .member) }
            await expect(.forbidden) { try await put(ids[1], .owner) }
            await expect(.forbidden) { try await put(ids[0], .owner) }
            await expect(.forbidden) { try await remove(owner.user.id, .manageMembers) }
            await expect(.notFound) { try await put(ids[2], .member) }
            try await put(ids[1], .admin)
            try await remove(ids[1], .manageMembers)
            try await remove(ids[0], .leaveWorkspace)
            #expect(try await store.members(of: workspace).map(\.user.id) == [owner.user.id])
            await expect(.notFound) { try await put(owner.user.id, .member) }
        }
    }

    @Test(arguments: storesUnderTest)
    func aDefaultWorkspaceIsKeptWithTheAccount(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.addAccount(samples)
            #expect(account.user.defaultWorkspaceID == nil)
            let workspace = account.workspaces[0].workspace.id
            try await first.setDefaultWorkspace(
                workspace, of: account.user.id, by: .commandLine, needs: nil, audit: samples.event(.userChanged))
            #expect(try await second.account(id: account.user.id)?.user.defaultWorkspaceID == workspace)
        }
    }
}
