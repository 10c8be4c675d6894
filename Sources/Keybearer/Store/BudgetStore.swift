/// The rolling hours of accounts.
public protocol BudgetStore: Sendable {
    /// Gives back and reserves for several accounts in one transaction, in the order asked.
    func reserve(_ requests: [BudgetRequest], now: Timestamp) async throws -> [Reservation]
    /// Asks all nodes to give back what they hold of these accounts' hours and have not used.
    func postRecalls(of userIDs: [UserID], now: Timestamp) async throws
    /// What was asked for within the last moments, the same account in a higher round each time.
    func recalls(now: Timestamp) async throws -> [BudgetRecall]
}

/// A request to all nodes to give back what they hold of an account's hour.
public struct BudgetRecall: Sendable, Hashable {
    /// Whose hour.
    public var userID: UserID
    /// Tells one request from the next for the same account.
    public var round: Int64

    /// Puts a recall together.
    public init(userID: UserID, round: Int64) {
        self.userID = userID
        self.round = round
    }
}

/// What a node wants of one account's hour.
public struct BudgetRequest: Sendable, Equatable {
    /// Whose hour.
    public var userID: UserID
    /// What an earlier reservation left unused, given back first.
    public var unused: BudgetLease.Unused?
    /// How many to reserve; 0 only looks.
    public var wanted: Int
    /// The most that may be charged afterwards.
    public var limit: Int
    /// How long they may be used.
    public var life: Duration
    /// Whether to take only a part of what is left, so that other nodes find some too.
    public var leavesRoom: Bool

    /// Puts a request together.
    public init(
        userID: UserID, unused: BudgetLease.Unused?, wanted: Int, limit: Int, life: Duration, leavesRoom: Bool = false
    ) {
        self.leavesRoom = leavesRoom
        self.userID = userID
        self.unused = unused
        self.wanted = wanted
        self.limit = limit
        self.life = life
    }
}
