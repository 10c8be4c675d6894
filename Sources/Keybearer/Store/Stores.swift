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

/// Last uses, written in batches.
public protocol LastUseStore: Sendable {
    /// Writes each use to the key it belongs to. A key that was replaced meanwhile takes nothing, and an earlier use
    /// never overwrites a later one.
    func recordLastUses(_ uses: [(keyID: KeyID, use: LastUse)]) async throws
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
