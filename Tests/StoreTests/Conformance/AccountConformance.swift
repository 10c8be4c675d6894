import Keybearer
import TestSupport
import Testing

/// The ``AccountStore`` on every engine: each ``User`` with key, workspace and sessions.
@Suite struct AccountConformance {
    @Test(arguments: storesUnderTest)
    func aNewAccountHasItsKeyAndItsWorkspaceOnTheFirstPlan(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let new = samples.newAccount(email: "ada@example.com", isOperator: true)
            let account = try await store.add(new, samples)
            #expect(account.user == new.user)
            #expect(account.key == new.key)
            #expect(
                account.workspaces == [
                    WorkspaceAccess(
                        workspace: Workspace(
                            id: new.workspaceID, name: new.workspaceName, planID: PlanID(rawValue: "free"),
                            createdAt: new.user.createdAt),
                        role: .owner, plan: Plan.defaultCatalogue[0])
                ])
            #expect(try await store.account(id: new.user.id) == account)
            #expect(try await store.account(email: new.user.email) == account)
            #expect(try await store.passwordHash(of: new.user.id) == new.passwordHash)
            #expect(try await store.sealedKey(of: new.user.id) == new.sealedKey)
        }
    }

    @Test(arguments: storesUnderTest)
    func whatIsWrittenIsThereForTheNextProcess(_ subject: StoreUnderTest) async throws {
        let open = try await subject.makeDatabase()
        let samples = Samples()
        let first = try await open()
        let account = try await first.addAccount(samples)
        try first.close()
        let second = try await open()
        #expect(try await second.account(id: account.user.id) == account)
        try second.close()
    }

    @Test(arguments: storesUnderTest)
    func anAddressIsTakenOnce(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            _ = try await store.add(samples.newAccount(email: "ada@example.com"), samples)
            await expect(.conflict) {
                _ = try await store.add(samples.newAccount(email: "ada@example.com"), samples)
            }
            #expect(try await store.accounts(offset: 0, limit: 10).total == 1)
            #expect(try await store.workspaces(offset: 0, limit: 10).total == 1)
        }
    }

    @Test(arguments: storesUnderTest)
    func unknownAccountsAreNil(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let nobody = UserID.random(from: samples.random)
            #expect(try await store.account(id: nobody) == nil)
            #expect(try await store.account(email: EmailAddress(normalised: "nobody@example.com")) == nil)
            #expect(try await store.passwordHash(of: nobody) == nil)
            #expect(try await store.sealedKey(of: nobody) == nil)
        }
    }

    @Test(arguments: storesUnderTest)
    func pagesFollowTheOrderOfCreation(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            var accounts: [Account] = []
            for second in [3, 1, 4, 2, 5] as [Int64] {
                accounts.append(try await store.addAccount(samples, after: second))
            }
            // A second workspace must not make two rows of an account.
            _ = try await store.createWorkspace(
                id: .random(from: samples.random), name: "Testing", owner: accounts[1].user.id,
                createdAt: samples.at(9), audit: samples.event(.workspaceCreated))
            let ordered = accounts.map(\.user).sorted { $0.createdAt < $1.createdAt }.map(\.id)
            let first = try await store.accounts(offset: 0, limit: 2)
            #expect(first.page.map(\.user.id) == Array(ordered[0..<2]))
            #expect(first.page[0].workspaces.count == 2)
            #expect(first.total == 5)
            let last = try await store.accounts(offset: 4, limit: 2)
            #expect(last.page.map(\.user.id) == [ordered[4]])
            #expect(try await store.accounts(offset: 9, limit: 2).page.isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func aNewPasswordEndsTheOtherSessions(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let user = try await store.addAccount(samples).user.id
            let other = try await store.addAccount(samples).user.id
            let sessions = [samples.session(of: user), samples.session(of: user), samples.session(of: other)]
            for session in sessions {
                try await store.startSession(
                    session, tokenDigest: samples.random.bytes(32), replacing: nil,
                    audit: samples.event(.sessionStarted, user: session.userID))
            }
            let position = try await store.setPassword(
                "$new", of: user, keeping: sessions[1].id, audit: samples.event(.passwordChanged, user: user))
            #expect(position.number == 1)
            #expect(try await store.passwordHash(of: user) == "$new")
            #expect(try await store.sessions(of: user).map(\.id) == [sessions[1].id])
            #expect(try await store.sessions(of: other).count == 1)
            _ = try await store.setPassword(
                "$newer", of: user, keeping: nil, audit: samples.event(.passwordChanged, user: user))
            #expect(try await store.sessions(of: user).isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func disablingEndsSessionsAndKeepsTheKey(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let new = samples.newAccount()
            let user = try await store.add(new, samples).user.id
            let digest = samples.random.bytes(32)
            try await store.startSession(
                samples.session(of: user), tokenDigest: digest, replacing: nil, audit: samples.event(.sessionStarted))
            let disabled = try await store.setStatus(
                .disabled, of: user, audit: samples.event(.userDisabled, user: user))
            #expect(try await store.session(tokenDigest: digest) == nil)
            let account = try await store.account(keyDigests: [new.sealedKey.digest])
            #expect(account?.user.status == .disabled)
            #expect(account?.key == new.key)
            let enabled = try await store.setStatus(.active, of: user, audit: samples.event(.userEnabled, user: user))
            #expect(try await store.account(id: user)?.user.status == .active)
            #expect(
                try await store.changes(after: ChangeLogPosition(number: 0, nonce: ""), limit: 10) == [
                    Change(position: disabled, subject: .user(user)), Change(position: enabled, subject: .user(user)),
                ])
        }
    }

    @Test(arguments: storesUnderTest)
    func deletingTakesEverythingOfTheAccountWithIt(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let new = samples.newAccount()
            let user = try await store.add(new, samples).user.id
            let colleague = try await store.addAccount(samples)
            let shared = colleague.workspaces[0].workspace.id
            _ = try await store.putMember(
                Membership(workspaceID: shared, userID: user, role: .admin), audit: samples.event(.memberAdded))
            let tokenDigest = samples.random.bytes(32)
            try await store.startSession(
                samples.session(of: user), tokenDigest: tokenDigest, replacing: nil,
                audit: samples.event(.sessionStarted))
            let position = try await store.deleteAccount(user, audit: samples.event(.userDeleted, user: user))
            #expect(try await store.account(id: user) == nil)
            #expect(try await store.account(keyDigests: [new.sealedKey.digest]) == nil)
            #expect(try await store.session(tokenDigest: tokenDigest) == nil)
            #expect(try await store.workspace(id: new.workspaceID) == nil)
            #expect(try await store.members(of: shared).map(\.user.id) == [colleague.user.id])
            #expect(try await store.storedKeys(after: nil, limit: 10).map(\.userID) == [colleague.user.id])
            #expect(try await store.newestPosition(samples) == position)
            // The address is free again, and what was done stays told.
            _ = try await store.add(samples.newAccount(email: new.user.email.rawValue), samples)
            #expect(try await store.auditEvents(userID: user, limit: 1).first?.action == .userDeleted)
        }
    }

    @Test(arguments: storesUnderTest)
    func theLastOwnerOfOthersCannotBeDeleted(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let owner = try await store.addAccount(samples)
            let member = try await store.addAccount(samples)
            let workspace = owner.workspaces[0].workspace.id
            _ = try await store.putMember(
                Membership(workspaceID: workspace, userID: member.user.id, role: .admin),
                audit: samples.event(.memberAdded))
            await expect(.conflict) {
                _ = try await store.deleteAccount(owner.user.id, audit: samples.event(.userDeleted))
            }
            #expect(try await store.account(id: owner.user.id)?.workspaces.count == 1)
            _ = try await store.putMember(
                Membership(workspaceID: workspace, userID: member.user.id, role: .owner),
                audit: samples.event(.memberAdded))
            _ = try await store.deleteAccount(owner.user.id, audit: samples.event(.userDeleted))
            #expect(try await store.members(of: workspace).map(\.role) == [.owner])
        }
    }

    @Test(arguments: storesUnderTest)
    func changesOfUnknownAccountsAreNotFound(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples async throws in
            let nobody = UserID.random(from: samples.random)
            await expect(.notFound) {
                _ = try await store.setPassword(
                    "$", of: nobody, keeping: nil, audit: samples.event(.passwordChanged))
            }
            await expect(.notFound) {
                _ = try await store.setStatus(.disabled, of: nobody, audit: samples.event(.userDisabled))
            }
            await expect(.notFound) {
                _ = try await store.deleteAccount(nobody, audit: samples.event(.userDeleted))
            }
            #expect(try await store.newestPosition(samples).number == 0)
            #expect(try await store.auditEvents(userID: nil, limit: 10).isEmpty)
        }
    }

    @Test(arguments: storesUnderTest)
    func textIsDataWhateverItSays(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let hostile = "x'); DROP TABLE users; -- \" \\ % _ ? :id $1 \u{1F511}\n"
            let account = try await store.add(
                samples.newAccount(email: hostile, name: hostile, workspaceName: hostile), samples)
            #expect(account.user.name == hostile)
            #expect(account.workspaces[0].workspace.name == hostile)
            #expect(try await store.account(email: EmailAddress(normalised: hostile)) == account)
            #expect(try await store.account(email: EmailAddress(normalised: "' OR '1'='1")) == nil)
            #expect(try await store.account(id: UserID(rawValue: "' OR 1=1 --")) == nil)
            #expect(try await store.account(keyDigests: [Array("' OR 1=1 --".utf8)]) == nil)
            await expect(.notFound) {
                _ = try await store.deleteAccount(UserID(rawValue: "%"), audit: samples.event(.userDeleted))
            }
            try await store.recordReveal(
                of: account.user.id, audit: samples.event(.keyRevealed, user: account.user.id, detail: hostile))
            #expect(try await store.auditEvents(userID: account.user.id, limit: 1).first?.detail == hostile)
            #expect(try await store.accounts(offset: 0, limit: 10).total == 1)
        }
    }
}
