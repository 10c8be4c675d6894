/// Runs the writes of operators' programs, and finds what they name.
package protocol WriteStore: Sendable {
    /// Runs writes in order in one transaction. One that is refused is taken back alone; the others stand.
    ///
    /// Where only one is given, a refusal is thrown.
    ///
    /// - Parameter span: how long the transaction may hold its locks before it begins another write: others wait for
    ///   the rows of all of them. At least one is run.
    /// - Returns: what became of the first `count` writes. The others were not begun.
    /// - Throws: what a new request would get when the authority has ended; `UNAVAILABLE`: all unchanged or unknown.
    func performSome(
        _ writes: [StoreWrite], by authority: Authority, within span: Duration
    ) async throws -> (results: Committed<[Result<StoreWrite.Outcome, KeybearerError>]>, count: Int)
    /// The id of what the same request was about before; nil where it was not seen.
    func resource(of request: IdempotentRequest, now: Timestamp) async throws -> String?
    /// The account that the product knows by this id.
    func account(externalID: ExternalID) async throws -> Account?
    /// The workspace that the product knows by this id.
    func workspaceID(externalID: ExternalID) async throws -> WorkspaceID?
    /// A page of accounts behind a place in the order of their creation.
    func accounts(matching filter: UserFilter, after place: ListPlace?, limit: Int) async throws -> [Account]
    /// Accounts of a bulk request behind a place in the order of their creation.
    func bulkAccounts(
        _ filter: BulkFilter, status: User.Status?, kind: User.Kind?, after place: ListPlace?, limit: Int
    ) async throws -> [BulkAccount]
    /// How many accounts a bulk request is about.
    func bulkCount(_ filter: BulkFilter, status: User.Status?, kind: User.Kind?) async throws -> Int
    /// A page of workspaces behind a place in the order of their creation, with their plans and how many members they
    /// have.
    func workspaces(
        matching filter: WorkspaceFilter, after place: ListPlace?, limit: Int
    ) async throws -> [(workspace: Workspace, plan: Plan, memberCount: Int)]
    /// A page of audit events, newest first, before a place.
    func auditEvents(of userID: UserID?, before place: Int64?, limit: Int) async throws -> [(place: Int64, AuditEvent)]
    /// Who has a key with one of these digests: the live one, or one that lived here.
    func keyOwner(digests: [[UInt8]]) async throws -> KeyOwner?
}

extension WriteStore {
    /// Accounts of both kinds.
    package func bulkAccounts(
        _ filter: BulkFilter, status: User.Status?, after place: ListPlace?, limit: Int
    ) async throws -> [BulkAccount] {
        try await bulkAccounts(filter, status: status, kind: nil, after: place, limit: limit)
    }

    /// How many accounts of both kinds a bulk request is about.
    package func bulkCount(_ filter: BulkFilter, status: User.Status?) async throws -> Int {
        try await bulkCount(filter, status: status, kind: nil)
    }

    /// The same for all of them, however long they take.
    package func perform(
        _ writes: [StoreWrite], by authority: Authority
    ) async throws -> Committed<[Result<StoreWrite.Outcome, KeybearerError>]> {
        try await performSome(writes, by: authority, within: .seconds(3_600)).results
    }
}

/// Which accounts a list holds. What is nil is not looked at.
public struct UserFilter: Sendable, Hashable {
    public var kind: User.Kind?
    public var status: User.Status?
    public var workspaceID: WorkspaceID?
    public var planID: PlanID?
    /// Made at or behind this time.
    public var createdAfter: Timestamp?
    /// Changed at or behind this time.
    public var updatedAfter: Timestamp?

    /// All accounts.
    public init() {}
}

/// Which workspaces a list holds. What is nil is not looked at.
public struct WorkspaceFilter: Sendable, Hashable {
    public var externalID: ExternalID?
    public var memberID: UserID?
    public var planID: PlanID?
    public var isSuspended: Bool?
    /// Made at or behind this time.
    public var createdAfter: Timestamp?
    /// Changed at or behind this time.
    public var updatedAfter: Timestamp?

    /// All workspaces.
    public init() {}
}

/// A place in a list in the order of creation: behind the entry with this time and this id.
///
/// It names the entry and not a count, so that no other is skipped or repeated while entries come and go.
package struct ListPlace: Sendable, Hashable {
    /// When the entry was made.
    package let createdAt: Timestamp
    /// Its id.
    package let id: String

    /// Puts both together.
    package init(createdAt: Timestamp, id: String) {
        self.createdAt = createdAt
        self.id = id
    }
}

/// Whose key a token is, or was.
package enum KeyOwner: Sendable {
    /// It lives.
    case live(Account)
    /// It lived here until then; the account may be gone since.
    case ended(PastKey, Account?)
}
