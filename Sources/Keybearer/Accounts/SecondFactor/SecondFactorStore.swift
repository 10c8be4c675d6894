/// Second factors, their recovery codes, and sign-ins that wait for a code.
package protocol SecondFactorStore: Sendable {
    /// What an account has; nil when it has none.
    func secondFactor(of userID: UserID) async throws -> (factor: SecondFactor, codesLeft: Int)?
    /// Sets up a second factor, with the step of the code that proved it, and ends all sessions of the account but one.
    ///
    /// - Throws: `CONFLICT` where there is one; `FORBIDDEN` where the sign-in is not recent.
    func addSecondFactor(
        _ factor: SecondFactor, lastStep: Int64, recoveryCodes: [[UInt8]], keeping session: SessionID,
        by authority: Authority, audit: AuditEvent
    ) async throws
    /// Puts new recovery codes in the place of the old ones.
    ///
    /// - Throws: ``KeybearerError/wrongCode`` for a proof that was used; `CONFLICT` where there is no second factor;
    ///   `FORBIDDEN` where the sign-in is not recent.
    func replaceRecoveryCodes(
        of userID: UserID, with digests: [[UInt8]], proof: SecondFactorProof, by authority: Authority,
        audit: AuditEvent
    ) async throws
    /// Removes a second factor with its recovery codes.
    ///
    /// - Throws: as ``replaceRecoveryCodes(of:with:proof:by:audit:)``.
    func removeSecondFactor(
        of userID: UserID, proof: SecondFactorProof, by authority: Authority, audit: AuditEvent
    ) async throws
    /// Lets somebody who has given the password give the code. Stamped by the clock that judges it.
    func addPendingSignIn(
        _ pending: PendingSignIn, digest: [UInt8], by authority: Authority, audit: AuditEvent
    ) async throws
    /// Who has given the password, while it is still the password of an active account with a second factor, and the time
    /// by which to judge it.
    func pendingSignIn(
        digest: [UInt8], now: Timestamp
    ) async throws -> (pending: PendingSignIn, now: Timestamp)?
    /// Counts a code that is tried.
    ///
    /// - Returns: false when as many were tried as may be.
    func countAttempt(ofPendingSignIn digest: [UInt8]) async throws -> Bool
    /// Removes those that are over.
    func removeOldPendingSignIns(now: Timestamp) async throws
    /// Up to `limit` second factors that are not sealed under this master key.
    func secondFactors(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [SecondFactor]
    /// Puts new sealed forms in the place of old ones, each only if the factor is still the one that was read.
    func reseal(_ factors: [SecondFactor], by authority: Authority, audit: AuditEvent) async throws
}
