/// Identities of accounts at a provider, and what is left of a browser's way to it and back.
package protocol IdentityStore: Sendable {
    /// The account that has this identity.
    func account(identity: Identity) async throws -> Account?
    /// The identities of an account.
    func identities(of userID: UserID) async throws -> [Identity]
    /// The same, with when they were connected.
    func connectedIdentities(of userID: UserID) async throws -> [ConnectedIdentity]
    /// Takes an identity from an account, unless nobody could sign in to it then: ``IdentityRules/isOnlyWay`` at the moment
    /// of the commit.
    ///
    /// - Parameter issuer: the provider at which people sign in; nil for none.
    /// - Throws: `NOT_FOUND` where the account does not have it; `CONFLICT` where it is the only way to sign in.
    func unlinkIdentity(
        _ identity: Identity, of userID: UserID, signInIssuer issuer: String?, by authority: Authority,
        audit: AuditEvent
    ) async throws
    /// Uses an attempt up, known by the digest of its token.
    ///
    /// - Returns: false where it was used before, on whichever node.
    func useSignInAttempt(digest: [UInt8], now: Timestamp) async throws -> Bool
    /// Keeps who the provider says it is, until the person has signed in here, with an attempt that was used.
    func putPendingIdentity(_ pending: PendingIdentity, ofAttempt digest: [UInt8]) async throws
    /// Who waits to be connected with an account, and the time by the clock that judges the attempt with when that was
    /// used.
    func pendingIdentity(
        ofAttempt digest: [UInt8], now: Timestamp
    ) async throws -> (pending: PendingIdentity, usedAt: Timestamp, now: Timestamp)?
    /// Gives an identity to the account with this address, where that is active and its address verified, at the moment
    /// of the commit.
    ///
    /// - Throws: `NOT_FOUND` where there is no such account any more; `CONFLICT` where the identity is somebody's.
    func linkIdentity(_ identity: Identity, toVerified email: EmailAddress, of userID: UserID, audit: AuditEvent)
        async throws
    /// Gives an identity that waits to the account that has signed in meanwhile, and removes what waited.
    ///
    /// - Throws: `NOT_FOUND` where nothing waits any more; `CONFLICT` where the identity is somebody's, or the account
    ///   has as many as it can have.
    func linkPendingIdentity(
        ofAttempt digest: [UInt8], to userID: UserID, by authority: Authority, audit: AuditEvent
    ) async throws
    /// Adds an account that has an identity from the beginning.
    ///
    /// - Throws: `CONFLICT` where the address, or the identity, is somebody's.
    func createAccount(
        _ new: NewAccount, with identity: Identity, audit: AuditEvent, linked: AuditEvent
    ) async throws -> Account
    /// Removes what is left of attempts that were used more than an hour ago.
    func removeOldSignInAttempts(now: Timestamp) async throws
}
