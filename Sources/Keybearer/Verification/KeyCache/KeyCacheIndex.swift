/// What the cache knows of users: under which token each is cached, who is in which workspace, and the account states.
///
/// It holds no more than the cached accounts, and account states that cannot be dropped yet. Not thread-safe:
/// ``KeyCache`` guards it with its index lock.
struct KeyCacheIndex: Sendable {
    private struct Record {
        var accountState: AccountState?
        /// The hash of the token under which the user is cached; nil when the user is not.
        var hash: UInt64?
        /// Whether the user is in ``leftovers``.
        var isLeftover = false
    }

    /// The users of a workspace; most have one, who needs no set.
    private enum Members {
        case one(UserID)
        case several(Set<UserID>)
    }

    /// How many leftovers are looked at in one go, with the lock held.
    static let pageSize = 256

    /// What was applied; its generation is the one that reads begin with.
    var changes = RecentChanges()
    var position = ChangeLogPosition(number: 0, nonce: "")
    /// How many accepted and how many rejected tokens the tables hold.
    var cachedCount = 0
    var rejectedCount = 0
    private var records: [UserID: Record] = [:]
    private var members: [WorkspaceID: Members] = [:]
    /// Users who have an account state and may not be cached, in pages; each is in it once.
    private var leftovers: [[UserID]] = []

    /// How many users and workspaces it knows, for tests.
    var size: (users: Int, workspaces: Int) { (records.count, members.count) }
    var leftoverPages: Int { leftovers.count }

    /// The account's account state: the one that is there, or a new one.
    mutating func accountState(of userID: UserID) -> AccountState {
        if let accountState = records[userID]?.accountState { return accountState }
        let accountState = AccountState(userID: userID)
        records[userID, default: Record()].accountState = accountState
        recordLeftover(userID)
        return accountState
    }

    /// The account state of an account if there is one.
    func knownAccountState(of userID: UserID) -> AccountState? { records[userID]?.accountState }

    /// Begins a fresh hour of an account: its state is replaced by one that has reserved nothing.
    mutating func beginWindow(of userID: UserID) {
        guard let accountState = records[userID]?.accountState else { return }
        records[userID]?.accountState = accountState.renewed(endsWindow: true)
    }

    /// Replaces the states of all accounts by such ones, because fresh hours may have begun.
    mutating func dropReservations() {
        for (userID, record) in records {
            records[userID]?.accountState = record.accountState?.renewed(endsWindow: false)
        }
    }

    /// The hash of the token under which a user is cached.
    func hash(of userID: UserID) -> UInt64? { records[userID]?.hash }

    /// Takes in an account's account state that was dropped while the account was read; false when it has another by
    /// now.
    mutating func adopt(_ accountState: AccountState) -> Bool {
        if let known = records[accountState.userID]?.accountState { return known === accountState }
        records[accountState.userID, default: Record()].accountState = accountState
        return true
    }

    /// Records that a user is cached under a token.
    mutating func insert(_ userID: UserID, hash: UInt64, in workspaces: [WorkspaceAccess]) {
        records[userID, default: Record()].hash = hash
        for access in workspaces { insert(userID, into: access.workspace.id) }
    }

    /// Records that a user is not cached any more. The account state stays until nothing is lost with it.
    mutating func remove(_ userID: UserID, in workspaces: [WorkspaceAccess]) {
        for access in workspaces { remove(userID, from: access.workspace.id) }
        guard let record = records[userID] else { return }
        if record.accountState == nil {
            records[userID] = nil
        } else {
            records[userID]?.hash = nil
            recordLeftover(userID)
        }
    }

    /// The cached users of a workspace.
    func users(of workspaceID: WorkspaceID) -> [UserID] {
        switch members[workspaceID] {
        case nil: []
        case .one(let userID): [userID]
        case .several(let users): Array(users)
        }
    }

    /// Records that no one is cached.
    mutating func removeAll() {
        (cachedCount, rejectedCount) = (0, 0)
        members = [:]
        let old = records
        records = [:]
        leftovers = []
        for (userID, record) in old {
            guard let accountState = record.accountState else { continue }
            records[userID] = Record(accountState: accountState)
            recordLeftover(userID)
        }
    }

    /// Looks at one page of those that are left over, and drops the account states with which nothing is lost.
    mutating func dropIdleAccountStates(where isIdle: (AccountState) -> Bool) {
        guard !leftovers.isEmpty else { return }
        for userID in leftovers.removeFirst() {
            guard let record = records[userID], let accountState = record.accountState else { continue }
            records[userID]?.isLeftover = false
            if record.hash != nil { continue }
            if isIdle(accountState) {
                records[userID] = nil
            } else {
                recordLeftover(userID)
            }
        }
    }

    private mutating func recordLeftover(_ userID: UserID) {
        guard records[userID]?.isLeftover == false else { return }
        records[userID]?.isLeftover = true
        if leftovers.last.map({ $0.count >= Self.pageSize }) ?? true {
            leftovers.append([])
            leftovers[leftovers.count - 1].reserveCapacity(Self.pageSize)
        }
        leftovers[leftovers.count - 1].append(userID)
    }

    private mutating func insert(_ userID: UserID, into workspaceID: WorkspaceID) {
        switch members[workspaceID] {
        case nil: members[workspaceID] = .one(userID)
        case .one(let other):
            if other != userID { members[workspaceID] = .several([other, userID]) }
        case .several(var users):
            // Taken out meanwhile, so that the set is changed in its place and not copied.
            members[workspaceID] = nil
            users.insert(userID)
            members[workspaceID] = .several(users)
        }
    }

    private mutating func remove(_ userID: UserID, from workspaceID: WorkspaceID) {
        switch members[workspaceID] {
        case nil: break
        case .one(let other):
            if other == userID { members[workspaceID] = nil }
        case .several(var users):
            members[workspaceID] = nil
            users.remove(userID)
            if !users.isEmpty { members[workspaceID] = .several(users) }
        }
    }
}
