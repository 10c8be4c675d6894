/// Sessions, known by the digest of their token. They are read on every page, never remembered.
///
/// They are stamped and judged by one clock: the database's own where it has one, else that of the caller, who passes
/// it as `now`.
package protocol SessionStore: Sendable {
    /// Adds a session, stamped now, and ends the one whose place it takes, if any, in the same transaction.
    ///
    /// - Parameter proof: what was given of a second factor: it is used up. An authority that is a password needs it
    ///   where the account has one.
    /// - Throws: `NOT_FOUND` when there is no such account, or it is disabled; ``KeybearerError/wrongCode`` for a proof
    ///   that was used; ``KeybearerError/codeNeeded``.
    /// - Returns: the session as it was stamped.
    func startSession(
        _ session: Session, token: MintedToken, replacing old: ReplacedSession?, proof: SignInProof?,
        by authority: Authority, audit: AuditEvent
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

extension SessionStore {
    /// Adds a session without a second factor.
    package func startSession(
        _ session: Session, token: MintedToken, replacing old: ReplacedSession?, by authority: Authority,
        audit: AuditEvent
    ) async throws -> Session {
        try await startSession(session, token: token, replacing: old, proof: nil, by: authority, audit: audit)
    }
}
