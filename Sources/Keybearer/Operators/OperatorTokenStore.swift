/// The credentials of operators' programs.
package protocol OperatorTokenStore: Sendable {
    /// Keeps a new token's record with the digest of its secret.
    func createOperatorToken(
        _ record: OperatorToken, token: MintedToken, by authority: Authority, audit: AuditEvent
    ) async throws
    /// The token with this digest; nil when there is none, or it was revoked, or has expired by the clock that judges
    /// sessions.
    func operatorToken(digest: [UInt8], now: Timestamp) async throws -> OperatorToken?
    /// Keeps when and from where a token was used last.
    func recordUse(of id: OperatorTokenID, _ use: LastUse) async throws
    /// The digests of the tokens that version 0.1 made, which carry no tag; at most `limit`, the newest first.
    func untaggedOperatorTokens(limit: Int) async throws -> [[UInt8]]
    /// Every token that was not revoked, oldest first.
    func operatorTokens() async throws -> [OperatorToken]
    /// Takes a token away: the next look-up does not find it.
    ///
    /// - Throws: `NOT_FOUND` when there is none.
    func revokeOperatorToken(_ id: OperatorTokenID, by authority: Authority, audit: AuditEvent) async throws
}
