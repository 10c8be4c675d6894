import TestSupport
import Testing

@testable import Keybearer

@Suite("What memory knows")
struct KeyDirectoryTests {
    let samples = Samples(seed: 31)

    private func directory(capacity: Int = 8, deadCapacity: Int = 8) -> KeyDirectory {
        KeyDirectory(capacity: capacity, deadCapacity: deadCapacity, random: samples.random)
    }

    private func token() throws -> PresentedToken {
        let text = "tdc_".utf8 + samples.random.base62(count: 38)
        return try #require(Array(text).withUnsafeBufferPointer { PresentedToken($0) })
    }

    private func access(to id: WorkspaceID) -> WorkspaceAccess {
        let plan = Plan.defaultCatalogue[1]
        return WorkspaceAccess(
            workspace: Workspace(id: id, name: "One", planID: plan.id, createdAt: Samples.start), role: .owner,
            plan: plan)
    }

    /// Remembers a new account, as a read of its key does.
    @discardableResult
    private func remember(
        in directory: KeyDirectory, workspaces: [WorkspaceID]? = nil
    ) throws -> (account: LiveAccount, token: PresentedToken) {
        let made = samples.newAccount()
        let token = try token()
        let account = LiveAccount(
            account: Account(
                user: made.user, key: made.key, workspaces: (workspaces ?? [made.workspaceID]).map(access)),
            token: token, prepared: [], accountState: directory.accountState(of: made.user.id))
        #expect(directory.remember(.live(account), for: token, user: made.user, readAt: directory.generation))
        return (account, token)
    }

    private func isKnown(_ token: PresentedToken, to directory: KeyDirectory) -> Bool { directory.find(token) != nil }

    @Test("The cap holds to the account, whatever shards their tokens fall on")
    func cap() throws {
        let directory = directory(capacity: 100)
        let tokens = try (0..<1_000).map { _ in try remember(in: directory).token }
        #expect(tokens.count { isKnown($0, to: directory) } == 100)
        #expect(isKnown(try #require(tokens.last), to: directory))
    }

    @Test("All are found where tables have grown, their own or a neighbour's")
    func growth() throws {
        let directory = directory(capacity: 20_000)
        let remembered = try (0..<20_000).map { _ in try remember(in: directory) }
        for (account, token) in remembered {
            guard case .live(let found) = directory.find(token), found === account else {
                Issue.record("An account is not found")
                return
            }
        }
    }

    @Test("Nothing stays of what was evicted: neither users, nor workspaces, nor idle ledgers")
    func evictedAccountsLeaveNothing() throws {
        let directory = directory(capacity: 8)
        for _ in 0..<500 {
            try remember(in: directory)
            directory.dropIdleAccountStates { _ in true }
        }
        for _ in 0..<4 { directory.dropIdleAccountStates { _ in true } }
        #expect(directory.size.users == 8)
        #expect(directory.size.workspaces == 8)
    }

    @Test("Nothing stays of disabled accounts whose dead keys were evicted")
    func evictedDeadKeysLeaveNothing() throws {
        let directory = directory(deadCapacity: 8)
        for _ in 0..<500 {
            let user = samples.newAccount().user
            directory.remember(.dead, for: try token(), user: user, readAt: directory.generation)
        }
        #expect(directory.size.users == 8)
    }

    @Test("A ledger with something to lose outlives its account, and is dropped when it is idle")
    func busyAccountStatesStay() throws {
        let directory = directory(capacity: 1)
        let busy = try remember(in: directory).account
        try remember(in: directory)
        for _ in 0..<4 { directory.dropIdleAccountStates { $0 !== busy.accountState } }
        #expect(directory.knownAccountState(of: busy.account.user.id) === busy.accountState)
        #expect(directory.accountState(of: busy.account.user.id) === busy.accountState)
        for _ in 0..<4 { directory.dropIdleAccountStates { _ in true } }
        #expect(directory.knownAccountState(of: busy.account.user.id) == nil)
    }

    @Test("A ledger of a remembered account is not even looked at")
    func rememberedAccountStatesCostNothing() throws {
        let directory = directory(capacity: 2_000)
        for _ in 0..<1_000 { try remember(in: directory) }
        // Each was left over for a moment, between the read and the remembering.
        for _ in 0..<4 { directory.dropIdleAccountStates { _ in true } }
        var looks = 0
        directory.dropIdleAccountStates { _ in
            looks += 1
            return true
        }
        #expect(looks == 0)
        #expect(directory.size.users == 1_000)
    }

    @Test("Dropping looks at a part of what is left over, and comes to all of it")
    func boundedWork() throws {
        let directory = directory()
        let count = 20_000
        for _ in 0..<count { _ = directory.accountState(of: .random(from: samples.random)) }
        var looks = 0
        directory.dropIdleAccountStates { _ in
            looks += 1
            return false
        }
        #expect((1...count / 8).contains(looks))
        var rounds = 0
        while directory.size.users > 0, rounds < 1_000 {
            directory.dropIdleAccountStates { _ in true }
            rounds += 1
        }
        #expect(directory.size.users == 0)
    }

    @Test("After everything was forgotten, ledgers stay until they are idle")
    func forgettingEverythingKeepsAccountStates() throws {
        let directory = directory()
        let (account, token) = try remember(in: directory)
        directory.restart(at: ChangeLogPosition(number: 5, nonce: "a"))
        #expect(!isKnown(token, to: directory))
        #expect(directory.accountState(of: account.account.user.id) === account.accountState)
        #expect(directory.size.workspaces == 0)
        for _ in 0..<4 { directory.dropIdleAccountStates { _ in true } }
        #expect(directory.size.users == 0)
    }

    @Test("A ledger that was dropped while its account was read is taken in again; beside another it is not")
    func adoption() throws {
        let directory = directory()
        let made = samples.newAccount()
        func read(with accountState: AccountState) throws -> Bool {
            let token = try token()
            let account = LiveAccount(
                account: Account(user: made.user, key: made.key, workspaces: []), token: token, prepared: [],
                accountState: accountState)
            return directory.remember(.live(account), for: token, user: made.user, readAt: directory.generation)
        }
        let accountState = directory.accountState(of: made.user.id)
        directory.dropIdleAccountStates { _ in true }
        #expect(try read(with: accountState))
        #expect(directory.accountState(of: made.user.id) === accountState)
        #expect(try !read(with: AccountState(userID: made.user.id)))
    }

    @Test("A change of a workspace forgets its members and no one else; so after evictions too")
    func workspaceChanges() throws {
        let directory = directory(capacity: 4)
        let shared = WorkspaceID.random(from: samples.random)
        for _ in 0..<50 { try remember(in: directory, workspaces: [shared]) }
        let members = try (0..<3).map { _ in try remember(in: directory, workspaces: [shared]).token }
        let other = try remember(in: directory).token
        let before = members.count { isKnown($0, to: directory) }
        #expect(before > 0)
        directory.apply([Change(position: ChangeLogPosition(number: 1, nonce: "a"), subject: .workspace(shared))])
        #expect(members.allSatisfy { !isKnown($0, to: directory) })
        #expect(isKnown(other, to: directory))
    }
}
