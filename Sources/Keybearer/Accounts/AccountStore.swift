/// Accounts and their passwords. Every method is one transaction, its audit row inside.
///
/// Methods with an authority change nothing when it has ended by the time of their commit: they throw what a new
/// request with it would be answered with.
package protocol AccountStore: Sendable {
    /// Adds an account with its key and a workspace of its own on the first plan of the catalogue, as its Owner.
    ///
    /// - Throws: `CONFLICT` when the address is taken, `UNAVAILABLE` when the store is out of reach (as do all below).
    func createAccount(_ new: NewAccount, by authority: Authority, audit: AuditEvent) async throws -> Account
    /// The account with this id, with its key and workspaces.
    func account(id: UserID) async throws -> Account?
    /// The person's account with this address.
    func account(email: EmailAddress) async throws -> Account?
    /// A page of accounts in the order of their creation, and how many there are in all.
    ///
    /// - Parameter kind: nil for both.
    func accounts(of kind: User.Kind?, offset: Int, limit: Int) async throws -> (page: [Account], total: Int)
    /// The account that has the first of these addresses that anybody has, with its password, in one read.
    func credentials(email spellings: [EmailAddress]) async throws -> StoredCredentials?
    /// The account with this id, with its password, in one read.
    func credentials(of userID: UserID) async throws -> StoredCredentials?
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
    /// Removes an account with its key, sessions and memberships, and the workspaces that have no other member. What was
    /// done by it and to it stays in the audit log; what tells there who it was waits for ``erasePersonalData(of:)``.
    ///
    /// - Throws: `NOT_FOUND`; `CONFLICT` when it is the last Owner of a workspace that has other members, and the deletion
    ///   does not say what becomes of that; `VALIDATION_FAILED` when the successor is not there or disabled.
    func deleteAccount(
        _ deletion: AccountDeletion, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void>
    /// Takes what tells who a deleted account was out of the audit log, a part at a time; a second call goes on.
    ///
    /// - Parameter userID: nil for every account that was deleted and not erased yet.
    func erasePersonalData(of userID: UserID?) async throws
    /// All that is kept about a person, in one state of the database; nil when there is no such account.
    func personalData(of userID: UserID, now: Timestamp) async throws -> PersonalData?
}

extension AccountStore {
    /// A page of accounts of both kinds.
    package func accounts(offset: Int, limit: Int) async throws -> (page: [Account], total: Int) {
        try await accounts(of: nil, offset: offset, limit: limit)
    }

    /// Deletes an account that is no workspace's last Owner.
    package func deleteAccount(
        _ userID: UserID, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<Void> {
        try await deleteAccount(AccountDeletion(id: userID) { audit.id }, by: authority, audit: audit)
    }
}

/// A password as the store has it.
package struct StoredPassword: Sendable, Hashable {
    /// PHC string of its hash.
    package let hash: String
    /// Rises with every new password, and not with a new hash of the same one.
    package let version: Int

    /// Puts both together.
    package init(hash: String, version: Int) {
        self.hash = hash
        self.version = version
    }
}

/// What a new account consists of.
package struct NewAccount: Sendable {
    /// What the workspace is called that somebody gets with the account.
    package static func workspaceName(of name: String) -> String { "\(name)’s workspace" }

    /// The person.
    package let user: User
    /// PHC string of the password's hash; empty for an account without a password.
    package let passwordHash: String
    /// The key's record.
    package let key: APIKey
    /// The key itself, sealed.
    package let sealedKey: SealedKey
    /// The id and the name of the account's own workspace.
    package let workspaceID: WorkspaceID
    /// The workspace's name.
    package let workspaceName: String
    /// What the store may know the key by, where it was imported: one digest for each master key that is not retired,
    /// the active one's last. Empty for a key that was made here.
    package let importedDigests: [KeyDigest]

    /// Puts a new account together.
    package init(
        user: User, passwordHash: String, key: APIKey, sealedKey: SealedKey, workspaceID: WorkspaceID,
        workspaceName: String, importedDigests: [KeyDigest] = []
    ) {
        self.user = user
        self.passwordHash = passwordHash
        self.key = key
        self.sealedKey = sealedKey
        self.workspaceID = workspaceID
        self.workspaceName = workspaceName
        self.importedDigests = importedDigests
    }

    /// Whether the key was made elsewhere.
    package var isImported: Bool { !importedDigests.isEmpty }
}
