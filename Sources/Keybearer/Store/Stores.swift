/// The number of a change in the revocation fence, with a random mark that tells one history from another.
///
/// Numbers run without gaps in the order in which changes became visible. After a failover or a restore the same
/// number may name another change; its mark then differs.
public struct ChangePosition: Sendable, Hashable {
    /// 1 for the first change; 0 before it.
    public let number: Int64
    /// Random, made with the change.
    public let mark: String

    /// Puts both together.
    public init(number: Int64, mark: String) {
        self.number = number
        self.mark = mark
    }
}

/// A numbered change: what must no longer be believed of it.
public struct Change: Sendable, Hashable {
    /// What the change touched.
    public enum Subject: Sendable, Hashable {
        /// One account: its key, its status, its memberships.
        case user(UserID)
        /// A workspace: its plan or its existence.
        case workspace(WorkspaceID)
        /// More than can be named, such as the catalogue.
        case everything
    }

    /// Its place in the order.
    public let position: ChangePosition
    /// What it touched.
    public let subject: Subject

    /// Puts a change together.
    public init(position: ChangePosition, subject: Subject) {
        self.position = position
        self.subject = subject
    }
}

/// Accounts and their passwords. Every method is one transaction, its audit row inside.
public protocol AccountStore: Sendable {
    /// Adds an account with its key and a workspace of its own on the first plan of the catalogue, as its Owner.
    ///
    /// - Throws: `CONFLICT` when the address is taken, `UNAVAILABLE` when the store is out of reach (as do all below).
    func createAccount(_ new: NewAccount, audit: AuditEvent) async throws -> Account
    /// The account with this id, with its key and workspaces.
    func account(id: UserID) async throws -> Account?
    /// The account with this address.
    func account(email: EmailAddress) async throws -> Account?
    /// A page of accounts in the order of their creation, and how many there are in all.
    func accounts(offset: Int, limit: Int) async throws -> (page: [Account], total: Int)
    /// The stored password hash (PHC string) of an account.
    func passwordHash(of userID: UserID) async throws -> String?
    /// Replaces the password hash and ends all sessions of the account, except one that may stay.
    ///
    /// - Throws: `NOT_FOUND`.
    func setPasswordHash(
        _ hash: String, of userID: UserID, keeping session: SessionID?, audit: AuditEvent
    ) async throws -> ChangePosition
    /// Disables or enables an account; disabling ends its sessions.
    ///
    /// - Throws: `NOT_FOUND`.
    func setStatus(_ status: User.Status, of userID: UserID, audit: AuditEvent) async throws -> ChangePosition
    /// Removes an account with its key, sessions and memberships, and the workspaces that have no other member.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner of a workspace that has other members.
    func deleteAccount(_ userID: UserID, audit: AuditEvent) async throws -> ChangePosition
}

/// What a new account consists of.
public struct NewAccount: Sendable {
    /// The person.
    public let user: User
    /// PHC string of the password's hash.
    public let passwordHash: String
    /// The key's record.
    public let key: APIKey
    /// The key itself, sealed.
    public let sealedKey: SealedKey
    /// The id and the name of the account's own workspace.
    public let workspaceID: WorkspaceID
    /// The workspace's name.
    public let workspaceName: String

    /// Puts a new account together.
    public init(
        user: User, passwordHash: String, key: APIKey, sealedKey: SealedKey, workspaceID: WorkspaceID,
        workspaceName: String
    ) {
        self.user = user
        self.passwordHash = passwordHash
        self.key = key
        self.sealedKey = sealedKey
        self.workspaceID = workspaceID
        self.workspaceName = workspaceName
    }
}

/// Keys: found by digest, opened by their holder, replaced as a whole.
public protocol KeyStore: Sendable {
    /// The account whose live key has one of these digests: one indexed query. Disabled accounts are answered too.
    func account(keyDigests: [[UInt8]]) async throws -> Account?
    /// The key of an account with its sealed form.
    func sealedKey(of userID: UserID) async throws -> (key: APIKey, sealed: SealedKey)?
    /// Writes only the audit row of a reveal.
    func recordReveal(audit: AuditEvent) async throws
    /// Puts a new key in the place of the one with the version before it: never two, never none.
    func replaceKey(_ replacement: KeyReplacement, audit: AuditEvent) async throws -> KeyReplacementOutcome
    /// What an earlier replacement with the same idempotency key led to; nil when there was none.
    func replacement(of userID: UserID, idempotencyDigest: [UInt8]) async throws -> KeyReplacementOutcome?
    /// Up to `limit` keys that are not sealed under this master key.
    func keys(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [StoredKey]
    /// Puts new sealed forms in the place of old ones, each only if the key is still the one that was read.
    func reseal(_ keys: [StoredKey], audit: AuditEvent) async throws
    /// Refuses from now on to store a key that is sealed under one of these master keys: `UNAVAILABLE`.
    func retireMasterKeys(_ ids: [MasterKeyID], audit: AuditEvent) async throws
    /// How many live keys are sealed under each master key.
    func sealedKeyCounts() async throws -> [MasterKeyID: Int]
    /// All live keys in their sealed form, a page after another in the order of user ids.
    func storedKeys(after userID: UserID?, limit: Int) async throws -> [StoredKey]
}

/// A key as the store has it.
public struct StoredKey: Sendable, Hashable {
    /// Whose key.
    public let userID: UserID
    /// The record's id.
    public let keyID: KeyID
    /// The record's version.
    public let version: Int
    /// The sealed form.
    public let sealed: SealedKey

    /// Puts the parts together.
    public init(userID: UserID, keyID: KeyID, version: Int, sealed: SealedKey) {
        self.userID = userID
        self.keyID = keyID
        self.version = version
        self.sealed = sealed
    }
}

/// A regenerate, ready for the store.
public struct KeyReplacement: Sendable {
    /// Whose key.
    public let userID: UserID
    /// The new record; its version is one more than that of the key it replaces.
    public let key: APIKey
    /// The new key, sealed.
    public let sealed: SealedKey
    /// SHA-256 of the `Idempotency-Key` that came with the request, if one did.
    public let idempotencyDigest: [UInt8]?

    /// Puts a replacement together.
    public init(userID: UserID, key: APIKey, sealed: SealedKey, idempotencyDigest: [UInt8]?) {
        self.userID = userID
        self.key = key
        self.sealed = sealed
        self.idempotencyDigest = idempotencyDigest
    }
}

/// What became of a regenerate.
public enum KeyReplacementOutcome: Sendable, Equatable {
    /// The new key is in place since this change.
    case replaced(ChangePosition)
    /// The same idempotency key led to this key before; it is still the live one. Wait for its change.
    case replayed(keyID: KeyID, ChangePosition)
    /// The same idempotency key led to a key that has been replaced since.
    case superseded
    /// The live key is not the version that was expected: read again.
    case versionMoved
    /// There is no such account.
    case noSuchUser
}

/// Workspaces, memberships and the catalogue of plans.
public protocol WorkspaceStore: Sendable {
    /// All plans in the order of the catalogue.
    func plans() async throws -> [Plan]
    /// Adds a plan or replaces the one with its id.
    func putPlan(_ plan: Plan, audit: AuditEvent) async throws -> ChangePosition
    /// Adds a workspace on the catalogue's first plan.
    ///
    /// - Throws: `NOT_FOUND` when the owner does not exist.
    func createWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, audit: AuditEvent
    ) async throws -> (workspace: Workspace, position: ChangePosition)
    /// The workspace with this id and its plan.
    func workspace(id: WorkspaceID) async throws -> (workspace: Workspace, plan: Plan)?
    /// All workspaces in the order of their creation, with the number of their members.
    func workspaces(offset: Int, limit: Int) async throws -> (
        page: [(workspace: Workspace, memberCount: Int)], total: Int
    )
    /// The members of a workspace.
    func members(of workspaceID: WorkspaceID) async throws -> [(user: User, role: Role)]
    /// Moves a workspace to a plan.
    ///
    /// - Throws: `NOT_FOUND` when the workspace or the plan does not exist.
    func setPlan(_ planID: PlanID, of workspaceID: WorkspaceID, audit: AuditEvent) async throws -> ChangePosition
    /// Adds a member or changes the role of one.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when the last Owner would be gone.
    func putMember(_ membership: Membership, audit: AuditEvent) async throws -> ChangePosition
    /// Removes a member.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner.
    func removeMember(_ userID: UserID, from workspaceID: WorkspaceID, audit: AuditEvent) async throws -> ChangePosition
}

/// Sessions, known by the digest of their token. They are read on every page, never remembered.
public protocol SessionStore: Sendable {
    /// Adds a session and ends the one whose place it takes, if any.
    func startSession(_ session: Session, tokenDigest: [UInt8], replacing old: SessionID?, audit: AuditEvent)
        async throws
    /// The session with this token digest, whatever its age.
    func session(tokenDigest: [UInt8]) async throws -> Session?
    /// Notes that a session was seen.
    func touchSession(_ id: SessionID, at: Timestamp) async throws
    /// All sessions of an account, the latest first.
    func sessions(of userID: UserID) async throws -> [Session]
    /// Ends a session of this account; does nothing when there is none.
    func endSession(_ id: SessionID, of userID: UserID, audit: AuditEvent) async throws
    /// Removes sessions that began or were last seen before these times.
    func removeSessions(begunBefore: Timestamp, unseenSince: Timestamp) async throws
}

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

/// Last uses, written in batches.
public protocol LastUseStore: Sendable {
    /// Writes each use to the key it belongs to. A key that was replaced meanwhile takes nothing, and an earlier use
    /// never overwrites a later one.
    func recordLastUses(_ uses: [(keyID: KeyID, use: LastUse)]) async throws
}

/// The changes and the nodes of the revocation fence.
public protocol FenceStore: Sendable {
    /// Registers a node at the current number and answers that.
    ///
    /// - Parameter label: what people know the node by.
    func registerNode(_ id: NodeID, label: String, lease: Duration) async throws -> ChangePosition
    /// Renews a node's lease, which acknowledges that it has applied everything up to `applied`.
    func renewLease(of id: NodeID, applied: ChangePosition) async throws -> LeaseRenewal
    /// Writes a change that stands in no other table, such as a new master-key ring, and numbers it.
    func recordChange(of subject: Change.Subject, audit: AuditEvent) async throws -> ChangePosition
    /// The changes after a position, in order, at most `limit`; nil when the position is not part of this history.
    func changes(after position: ChangePosition, limit: Int) async throws -> [Change]?
    /// The nodes that have not acknowledged this number, with their leases.
    func nodes(behind number: Int64) async throws -> [(id: NodeID, lease: Duration)]
    /// Removes nodes that are still behind this number: their leases have run out.
    func expelNodes(_ ids: [NodeID], behind number: Int64) async throws
    /// Removes a node that stops.
    func unregisterNode(_ id: NodeID) async throws
    /// All registered nodes, those that died included.
    func nodes() async throws -> [RegisteredNode]
    /// Returns when there may be something new, or when the span is over. A hint can be lost or come for nothing.
    func waitForHint(atMost span: Duration) async
}

extension FenceStore {
    /// Registers a node that has no label.
    public func registerNode(_ id: NodeID, lease: Duration) async throws -> ChangePosition {
        try await registerNode(id, label: "", lease: lease)
    }

    /// Waits out the span: for stores that give no hints.
    public func waitForHint(atMost span: Duration) async { try? await Task.sleep(for: span) }
}

/// A node as the store knows it.
public struct RegisteredNode: Sendable, Hashable {
    /// Names the process; random at every start.
    public let id: NodeID
    /// What people know it by: its machine and process.
    public let label: String
    /// The number of the last change that it acknowledged.
    public let acknowledged: Int64
    /// How often it renewed. One whose renewals did not rise within its lease has none any more.
    public let renewals: Int64
    /// How long it believes its memory after a renewal.
    public let lease: Duration

    /// Puts a node together.
    public init(id: NodeID, label: String, acknowledged: Int64, renewals: Int64, lease: Duration) {
        self.id = id
        self.label = label
        self.acknowledged = acknowledged
        self.renewals = renewals
        self.lease = lease
    }
}

/// What became of a renewal.
public enum LeaseRenewal: Sendable, Equatable {
    /// The lease holds anew.
    case renewed
    /// There are changes that the node has not applied.
    case behind
    /// The store does not know the node, or not the history it is on: it must forget everything and register anew.
    case unknownNode
}

/// The credentials of operators' programs.
public protocol OperatorTokenStore: Sendable {
    /// Keeps a new token's record with the digest of its secret.
    func createOperatorToken(_ token: OperatorToken, digest: [UInt8], audit: AuditEvent) async throws
    /// The token with this digest; nil when there is none, or it was revoked.
    func operatorToken(digest: [UInt8]) async throws -> OperatorToken?
    /// Every token that was not revoked, oldest first.
    func operatorTokens() async throws -> [OperatorToken]
    /// Takes a token away: the next look-up does not find it.
    ///
    /// - Throws: `NOT_FOUND` when there is none.
    func revokeOperatorToken(_ id: OperatorTokenID, audit: AuditEvent) async throws
}

/// The audit trail.
public protocol AuditStore: Sendable {
    /// The latest events, newest first, of one account or of all.
    func auditEvents(userID: UserID?, limit: Int) async throws -> [AuditEvent]
}

/// Everything that a database does for Keybearer.
public protocol Store: AccountStore, KeyStore, WorkspaceStore, SessionStore, BudgetStore, LastUseStore, FenceStore,
    AuditStore, OperatorTokenStore
{
    /// Answers when the store can be read and written; throws `UNAVAILABLE` otherwise.
    func checkReadiness() async throws
    /// Closes all connections. Nothing may be called afterwards.
    func close() throws
}
