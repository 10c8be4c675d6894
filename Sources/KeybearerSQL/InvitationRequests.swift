package import Keybearer

/// Requests for another invitation, by whoever has the link of one that ended or is somebody else's.
extension SQLStore {
    package func requestInvitation(
        codeDigest: [UInt8], for email: EmailAddress?, audit: AuditEvent
    ) async throws -> Bool? {
        try await write(by: Authority(.anyone), audit: audit) { connection, _ in
            let digest = [SQLValue.bytes(codeDigest)]
            guard let record = try lockedInvitation(digest, connection), record.workspaceName != nil
            else { return .nothing(nil) }
            let now = try connection.now(audit.at)
            if let last = record.invitation.request?.at, last.duration(to: now) < Invitation.requestInterval {
                return .nothing(false)
            }
            try connection.execute(
                InvitationSQL.request, digest + [.time(now), .text((email ?? record.invitation.email).rawValue)])
            return .changes(true, with: [])
        }
    }

    package func dismissInvitationRequest(
        with id: InvitationID, of workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement,
        audit: AuditEvent
    ) async throws {
        let locks = RowLocks([(.workspace(workspaceID), .update)])
        try await write(by: authority, needs: requirement, audit: audit, locking: locks) { connection, _ in
            // Behind all others in the order of locks.
            let mine = SQLStatement(InvitationSQL.lockByID, [.id(id), .id(workspaceID)])
            guard try connection.lock([(mine, .update)]).first?.first != nil else {
                throw KeybearerError.noSuchInvitation
            }
            try connection.execute(InvitationSQL.dismiss, [.id(id)])
            return .changes((), with: [])
        }
    }
}
