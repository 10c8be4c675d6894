/// Accounts and their passwords. Every method is one transaction, its audit row inside.
///
/// Methods with an authority change nothing when it has ended by the time of their commit: they throw what a new request
/// with it would be answered with.
public protocol AccountStore: Sendable {
    /// Adds an account with its key and a workspace of its own on the first plan of the catalogue, as its Owner.
    ///
    /// - Throws: `CONFLICT` when the address is taken, `UNAVAILABLE` when the store is out of reach (as do all below).
    func createAccount(_ new: NewAccount, by authority: Authority, audit: AuditEvent) async throws -> Account
    /// The account with this id, with its key and workspaces.
    func account(id: UserID) async throws -> Account?
    /// The account with this address.
    func account(email: EmailAddress) async throws -> Account?
    /// A page of accounts in the order of their creation, and how many there are in all.
    func accounts(offset: Int, limit: Int) async throws -> (page: [Account], total: Int)
    /// The stored password hash of an account, with its version.
    func password(of userID: UserID) async throws -> StoredPassword?
    /// Replaces the password, raises its version, and ends all sessions of the account, except one that may stay.
    ///
    /// - Throws: `NOT_FOUND`.
    func setPassword(
        _ hash: String, of userID: UserID, keeping session: SessionID?, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void>
    /// Puts a hash of the same password at another cost in the place of the old one, if that is still there. The
    /// version stays: nothing that the password was verified for becomes invalid.
    func rehashPassword(_ hash: String, of userID: UserID, replacing old: StoredPassword) async throws
    /// Disables or enables an account; disabling ends its sessions.
    ///
    /// - Throws: `NOT_FOUND`.
    func setStatus(
        _ status: User.Status, of userID: UserID, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void>
    /// Removes an account with its key, sessions and memberships, and the workspaces that have no other member.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner of a workspace that has other members.
    func deleteAccount(_ userID: UserID, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void>
}

/// A password as the store has it.
public struct StoredPassword: Sendable, Hashable {
    /// PHC string of its hash.
    public let hash: String
    /// Rises with every new password, and not with a new hash of the same one.
    public let version: Int

    /// Puts both together.
    public init(hash: String, version: Int) {
        self.hash = hash
        self.version = version
    }
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
    /// The account whose live key has one of these digests: one indexed query for each. Disabled accounts are returned
    /// too.
    func account(keyDigests: [[UInt8]]) async throws -> Account?
    /// The record of an account's key.
    func key(of userID: UserID) async throws -> APIKey?
    /// The key of an account with its sealed form, read in the transaction that writes the audit row and that looks at
    /// the authority: what was ended sees no key.
    ///
    /// - Throws: `NOT_FOUND`.
    func revealKey(
        of userID: UserID, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> (key: APIKey, sealed: SealedKey)
    /// Puts a new key in the place of the one with the version before it: never two, never none. The old one's digest
    /// goes to the keys that lived here.
    func replaceKey(
        _ replacement: KeyReplacement, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<KeyReplacementOutcome>
    /// The keys that an account had before, the first one first; also of an account that was deleted.
    func pastKeys(of userID: UserID) async throws -> [PastKey]
    /// Forgets the idempotency keys of more than a day ago.
    func removeOldRequests(now: Timestamp) async throws
    /// Up to `limit` keys that are not sealed under this master key.
    func keys(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [StoredKey]
    /// Puts new sealed forms in the place of old ones, each only if the key is still the one that was read.
    func reseal(_ keys: [StoredKey], by authority: Authority, audit: AuditEvent) async throws
    /// Refuses from now on to store a key that is sealed under one of these master keys: `UNAVAILABLE`.
    func retireMasterKeys(_ ids: [MasterKeyID], by authority: Authority, audit: AuditEvent) async throws
    /// How many live keys are sealed under each master key.
    func sealedKeyCounts() async throws -> [MasterKeyID: Int]
    /// All live keys in their sealed form, a page after another in the order of user ids.
    func storedKeys(after userID: UserID?, limit: Int) async throws -> [StoredKey]
    /// The master keys that a process must hold to work on this database, and those that were retired.
    func masterKeys() async throws -> [MasterKeyRecord]
    /// Notes what master keys are good for, and their fingerprints.
    func putMasterKeys(_ records: [MasterKeyRecord]) async throws
    /// Notes these master keys where none is in use yet: of several callers at the same moment exactly one succeeds.
    ///
    /// - Returns: the records as they are afterwards.
    func claimMasterKeys(_ records: [MasterKeyRecord]) async throws -> [MasterKeyRecord]
    /// Notes these master keys where one in use has no fingerprint yet.
    ///
    /// - Returns: the records as they are afterwards.
    func stampMasterKeys(_ records: [MasterKeyRecord]) async throws -> [MasterKeyRecord]
    /// Notes that nothing is sealed under these retired master keys any more, where that is so, and that no tag of theirs
    /// is carried, where no live session or operator token does and the caller found no key that does.
    ///
    /// - Parameter carried: those whose tag a live key carries.
    /// - Returns: those that are still needed for their tag.
    /// - Throws: `CONFLICT` when a key is sealed under one of them.
    func releaseMasterKeys(
        _ ids: [MasterKeyID], keepingTagsOf carried: Set<MasterKeyID>
    ) async throws -> Set<MasterKeyID>
    /// The master keys whose tag a live session or operator token carries.
    func tagKeysOfTokens() async throws -> Set<MasterKeyID>
}

/// A key that was replaced, revoked or deleted.
public struct PastKey: Sendable, Hashable {
    /// Its digest.
    public let digest: [UInt8]
    /// The master key under which it was digested.
    public let masterKeyID: MasterKeyID
    /// Whose key it was.
    public let userID: UserID
    /// When it ended.
    public let endedAt: Timestamp

    /// Puts the parts together.
    public init(digest: [UInt8], masterKeyID: MasterKeyID, userID: UserID, endedAt: Timestamp) {
        self.digest = digest
        self.masterKeyID = masterKeyID
        self.userID = userID
        self.endedAt = endedAt
    }
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
    /// The `Idempotency-Key` that came with the request, if one did.
    public let request: IdempotentRequest?

    /// Puts a replacement together.
    public init(userID: UserID, key: APIKey, sealed: SealedKey, request: IdempotentRequest?) {
        self.userID = userID
        self.key = key
        self.sealed = sealed
        self.request = request
    }
}

/// What tells a request that is sent again from another one.
public struct IdempotentRequest: Sendable, Hashable {
    /// SHA-256 of the `Idempotency-Key`.
    public let keyDigest: [UInt8]
    /// SHA-256 of what was asked for.
    public let requestDigest: [UInt8]

    /// Puts both together.
    public init(keyDigest: [UInt8], requestDigest: [UInt8]) {
        self.keyDigest = keyDigest
        self.requestDigest = requestDigest
    }
}

/// What became of a regenerate.
public enum KeyReplacementOutcome: Sendable, Equatable {
    /// The new key is in place.
    case replaced
    /// The same idempotency key led to this key before; it is still the live one.
    case replayed(APIKey, SealedKey)
    /// The same idempotency key led to a key that has been replaced since.
    case superseded
    /// The same idempotency key came with another request before.
    case anotherRequest
    /// The live key is not the version that was expected.
    case versionMoved
    /// There is no such account.
    case noSuchUser
}

/// Workspaces, memberships and the catalogue of plans.
public protocol WorkspaceStore: Sendable {
    /// All plans in the order of the catalogue.
    func plans() async throws -> [Plan]
    /// Adds a plan or replaces the one with its id.
    func putPlan(_ plan: Plan, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void>
    /// Deletes a plan.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when workspaces are on it, or when it is the first of the catalogue.
    func deletePlan(_ id: PlanID, by authority: Authority, audit: AuditEvent) async throws -> Committed<Void>
    /// Adds a workspace on the catalogue's first plan.
    ///
    /// - Throws: `NOT_FOUND` when the owner does not exist.
    func createWorkspace(
        id: WorkspaceID, name: String, owner: UserID, createdAt: Timestamp, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Workspace>
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
    func setPlan(
        _ planID: PlanID, of workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement?,
        audit: AuditEvent
    ) async throws -> Committed<Void>
    /// Adds a member or changes the role of one.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when the last Owner would be gone.
    func putMember(_ membership: Membership, by authority: Authority, audit: AuditEvent) async throws
        -> Committed<Void>
    /// Removes a member.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner.
    func removeMember(
        _ userID: UserID, from workspaceID: WorkspaceID, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void>
}

/// Sessions, known by the digest of their token. They are read on every page, never remembered.
///
/// They are stamped and judged by one clock: the database's own where it has one, else that of the caller, who passes it
/// as `now`.
public protocol SessionStore: Sendable {
    /// Adds a session, stamped now, and ends the one whose place it takes, if any, in the same transaction.
    ///
    /// - Throws: `NOT_FOUND` when there is no such account, or it is disabled.
    /// - Returns: the session as it was stamped.
    func startSession(
        _ session: Session, token: MintedToken, replacing old: ReplacedSession?, by authority: Authority,
        audit: AuditEvent
    ) async throws -> Session
    /// The session with this token digest, whatever its age, and the time by which to judge it.
    func session(tokenDigest: [UInt8], now: Timestamp) async throws -> (session: Session, now: Timestamp)?
    /// Notes that a session was seen.
    func touchSession(_ id: SessionID, at: Timestamp) async throws
    /// All sessions of an account, the latest first, and the time by which to judge them.
    func sessions(of userID: UserID, now: Timestamp) async throws -> (sessions: [Session], now: Timestamp)
    /// Ends a session of this account; does nothing when there is none.
    func endSession(_ id: SessionID, of userID: UserID, by authority: Authority, audit: AuditEvent) async throws
    /// Removes sessions that are over, and those that seem to come from the future.
    func removeExpiredSessions(_ policy: SessionPolicy, now: Timestamp) async throws
}

/// Last uses, written in batches.
public protocol LastUseStore: Sendable {
    /// Writes each use to the key it belongs to. A key that was replaced meanwhile takes nothing, and an earlier use
    /// never overwrites a later one; but one that lies ahead of `now`, from a clock that was wrong, gives way.
    func recordLastUses(_ uses: [KeyUse], now: Timestamp) async throws
}

/// A use of a key.
public struct KeyUse: Sendable, Hashable {
    /// Whose key.
    public let userID: UserID
    /// Which key.
    public let keyID: KeyID
    /// When and from where.
    public let use: LastUse

    /// Puts a use together.
    public init(userID: UserID, keyID: KeyID, use: LastUse) {
        self.userID = userID
        self.keyID = keyID
        self.use = use
    }
}

/// The credentials of operators' programs.
public protocol OperatorTokenStore: Sendable {
    /// Keeps a new token's record with the digest of its secret.
    func createOperatorToken(
        _ record: OperatorToken, token: MintedToken, by authority: Authority, audit: AuditEvent
    ) async throws
    /// The token with this digest; nil when there is none, or it was revoked.
    func operatorToken(digest: [UInt8]) async throws -> OperatorToken?
    /// The digests of the tokens that version 0.1 made, which carry no tag; at most `limit`, the newest first.
    func untaggedOperatorTokens(limit: Int) async throws -> [[UInt8]]
    /// Every token that was not revoked, oldest first.
    func operatorTokens() async throws -> [OperatorToken]
    /// Takes a token away: the next look-up does not find it.
    ///
    /// - Throws: `NOT_FOUND` when there is none.
    func revokeOperatorToken(_ id: OperatorTokenID, by authority: Authority, audit: AuditEvent) async throws
}

/// The audit trail.
public protocol AuditStore: Sendable {
    /// The latest events, newest first, of one account or of all.
    func auditEvents(userID: UserID?, limit: Int) async throws -> [AuditEvent]
}

/// Facts about a database that it keeps itself.
public enum StoredSetting: String, Sendable, CaseIterable {
    /// The default of the setting `regenerate-by-key`: `open` or `closed`.
    case regenerateByKey = "regenerate-by-key"
    /// The highest cost that a password was ever hashed at.
    case passwordCost = "password-cost"
    /// Names the database wherever it is moved to.
    case databaseID = "database-id"
    /// The master key that was noted first, by which ring that ever was. Its row serialises who notes master keys.
    case firstMasterKey = "first-master-key"
}

/// What a database keeps about itself.
public protocol SettingStore: Sendable {
    /// A value; nil when there is none.
    func storedSetting(_ name: StoredSetting) async throws -> String?
    /// Puts a number in the place of a lower one, or of none.
    func raiseStoredSetting(_ name: StoredSetting, to number: Int) async throws
}

/// Everything that a database does for Keybearer.
public protocol Store: AccountStore, KeyStore, WorkspaceStore, SessionStore, RateLimitStore, LastUseStore, FenceStore,
    AuditStore, OperatorTokenStore, SettingStore
{
    /// Where tasks are best begun that mostly make short reads.
    var executor: any TaskExecutor { get }
    /// Answers when the store can be read and written; throws `UNAVAILABLE` otherwise.
    func checkReadiness() async throws
    /// Closes all connections. Nothing may be called afterwards.
    func close() throws
}
