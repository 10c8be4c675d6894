/// Invitations to workspaces.
package protocol InvitationStore: Sendable {
    /// Keeps a new invitation with the digest of its code, stamped by the clock that judges it. One that waits for the
    /// same address is withdrawn, and requests of the address are answered.
    ///
    /// - Parameter mail: takes a link to the address; nil where no mail is sent.
    /// - Throws: `NOT_FOUND` for no workspace; `VALIDATION_FAILED` with the field `email` for a member's address;
    ///   `CONFLICT` where as many wait as may.
    func createInvitation(
        _ invitation: Invitation, code: MintedToken, by authority: Authority, needs requirement: Requirement,
        audit: AuditEvent, mail: NewMail?
    ) async throws -> Invitation
    /// Withdraws an invitation, and answers the request that it carries.
    ///
    /// - Throws: `NOT_FOUND`.
    func dismissInvitationRequest(
        with id: InvitationID, of workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement,
        audit: AuditEvent
    ) async throws
    func withdrawInvitation(
        _ id: InvitationID, of workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement,
        audit: AuditEvent
    ) async throws
    /// Those of a workspace that wait, and those that carry a request, the newest first.
    func invitations(of workspaceID: WorkspaceID, now: Timestamp) async throws -> [InvitationRecord]
    /// The invitation with this code, with the time by the clock that judges it; also one that has ended.
    func invitation(codeDigest: [UInt8], now: Timestamp) async throws -> (record: InvitationRecord, now: Timestamp)?
    /// The same by its id.
    func invitation(id: InvitationID, now: Timestamp) async throws -> (record: InvitationRecord, now: Timestamp)?
    /// Uses an invitation up and adds the member, in one transaction: of two uses exactly one adds it.
    ///
    /// - Parameter invitation: as it was read before: names what is locked.
    func acceptInvitation(
        _ invitation: Invitation, codeDigest: [UInt8], as userID: UserID, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<InvitationAcceptance>
    /// Notes that somebody who has the link asks for another one.
    ///
    /// - Returns: nil where there is nobody to ask; false where it was asked a short time ago.
    func requestInvitation(
        codeDigest: [UInt8], for email: EmailAddress?, audit: AuditEvent
    ) async throws -> Bool?
    /// Removes invitations that ended long ago.
    func removeOldInvitations(now: Timestamp) async throws
}

/// What becomes of somebody who accepts an invitation.
public enum InvitationAcceptance: Sendable, Hashable {
    /// They are a member now.
    case joined
    /// They were a member before.
    case alreadyMember
    /// It is for another address than theirs.
    case wrongAddress
    /// It cannot be accepted.
    case ended(InvitationEnd)
    /// Nobody made it here, or it was removed long ago.
    case unknown
}
