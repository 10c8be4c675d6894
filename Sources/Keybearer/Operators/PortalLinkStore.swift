/// Links by which the product signs its users in.
package protocol PortalLinkStore: Sendable {
    /// Keeps a new link with the digest of its code, stamped by the clock that judges sessions.
    ///
    /// - Throws: `NOT_FOUND` where the account, or its place in the workspace, is not there; `CONFLICT` where the
    ///   account is disabled, or the idempotency key made a link before.
    func createPortalLink(
        _ link: PortalLink, code: MintedToken, request: IdempotentRequest?, by authority: Authority, audit: AuditEvent
    ) async throws -> PortalLink
    /// The link with this code, with the time by the clock that judges it; also one that was used or has expired.
    func portalLink(codeDigest: [UInt8], now: Timestamp) async throws -> (link: PortalLink, now: Timestamp)?
    /// The link that opened the session with this token, also where that has ended.
    func portalLink(sessionDigest: [UInt8]) async throws -> PortalLink?
    /// Uses a link up and starts the session that it opens, in one transaction: of two uses exactly one succeeds.
    ///
    /// - Returns: nil where the link was used or has expired, its token has ended, or the account is disabled.
    func usePortalLink(
        codeDigest: [UInt8], session: Session, token: MintedToken, replacing old: ReplacedSession?, audit: AuditEvent
    ) async throws -> Session?
    /// Removes links that ended more than a day ago.
    func removeOldPortalLinks(now: Timestamp) async throws
}
