package import Keybearer

enum InvitationSQL {
    static let columns = """
        i.id, i.workspace_id, i.email, i.role, i.inviter_id, i.created_at, i.expires_at, i.withdrawn_at, i.accepted_by,
        i.requested_at, i.requested_email
        """
    /// With what decides about an invitation.
    private static let records = """
        SELECT \(columns), w.name AS workspace_name, u.name AS inviter_name, u.email AS inviter_email,
               u.status AS inviter_status, m.role AS inviter_role
        FROM invitations i
        LEFT JOIN workspaces w ON w.id = i.workspace_id
        LEFT JOIN users u ON u.id = i.inviter_id
        LEFT JOIN memberships m ON m.workspace_id = i.workspace_id AND m.user_id = i.inviter_id
        """
    private static let isPending = "accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > $2"

    static let insert = SQL(
        """
        INSERT INTO invitations
            (id, digest, tag_key_id, workspace_id, email, role, inviter_id, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """)
    /// With a code, which is the invitation's own or that of a link in a mail.
    private static let withDigest = """
        IN (SELECT id FROM invitations WHERE digest = $1
            UNION ALL SELECT invitation_id FROM mail_links WHERE digest = $1 AND invitation_id IS NOT NULL)
        """
    static let byDigest = SQL("\(records) WHERE i.id \(withDigest)")
    static let byID = SQL("\(records) WHERE i.id = $1")
    static let lockByDigest = SQL("SELECT id FROM invitations WHERE id \(withDigest)")
    static let lockByID = SQL("SELECT id FROM invitations WHERE id = $1 AND workspace_id = $2")
    /// The first of them alone: a workspace has few.
    static let list = SQL(
        """
        \(records) WHERE i.workspace_id = $1 AND (\(isPending) OR requested_at IS NOT NULL)
        ORDER BY i.created_at DESC, i.id LIMIT $3
        """)
    static let pendingCount = SQL(
        "SELECT count(*) AS count FROM invitations WHERE workspace_id = $1 AND \(isPending)")
    static let withAddress = SQL(
        "SELECT id FROM invitations WHERE workspace_id = $1 AND (email = $2 OR requested_email = $2) ORDER BY id")
    static let replace = SQL(
        """
        UPDATE invitations SET withdrawn_at = $3
        WHERE workspace_id = $1 AND email = $2 AND accepted_at IS NULL AND withdrawn_at IS NULL
        """)
    static let answerRequests = SQL(
        """
        UPDATE invitations SET requested_at = NULL, requested_email = NULL
        WHERE workspace_id = $1 AND requested_email = $2
        """)
    static let withdraw = SQL(
        """
        UPDATE invitations SET requested_at = NULL, requested_email = NULL,
            withdrawn_at = CASE WHEN accepted_at IS NULL AND withdrawn_at IS NULL THEN $2 ELSE withdrawn_at END
        WHERE id = $1
        """)
    static let dismiss = SQL("UPDATE invitations SET requested_at = NULL, requested_email = NULL WHERE id = $1")
    static let pendingOwner = SQL(
        "SELECT 1 AS found FROM invitations WHERE workspace_id = $1 AND \(isPending) AND email = $3 AND role = 'owner'")
    static let withdrawAllBy = SQL(
        """
        UPDATE invitations SET withdrawn_at = $2
        WHERE inviter_id = $1 AND accepted_at IS NULL AND withdrawn_at IS NULL
        """)
    static let accept = SQL("UPDATE invitations SET accepted_at = $2, accepted_by = $3 WHERE id \(withDigest)")
    static let request = SQL("UPDATE invitations SET requested_at = $2, requested_email = $3 WHERE id \(withDigest)")
    static let memberWithEmail = SQL(
        """
        SELECT 1 AS found FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 AND u.email = $2
        """)
    /// Those beyond what a workspace keeps.
    static let surplus = SQL(
        """
        SELECT id FROM invitations WHERE id IN (
            SELECT id FROM invitations
            WHERE workspace_id = $1 AND (accepted_at IS NOT NULL OR withdrawn_at IS NOT NULL OR expires_at <= $2)
            ORDER BY created_at DESC, id LIMIT 1000 OFFSET $3)
        ORDER BY id
        """)
    /// Those that tell something of a person who is gone.
    static let ofPerson = SQL(
        "SELECT id FROM invitations WHERE email = $1 OR requested_email = $1 OR accepted_by = $2 ORDER BY id")
    static let removeRequests = SQL(
        "UPDATE invitations SET requested_at = NULL, requested_email = NULL WHERE requested_email = $1")
    static let removeOfPerson = SQL("DELETE FROM invitations WHERE email = $1 OR accepted_by = $2")
    static let about = SQL(
        """
        SELECT \(columns) FROM invitations i WHERE i.email = $1 OR i.accepted_by = $2 OR i.inviter_id = $2
        ORDER BY i.created_at DESC, i.id
        """)
    static let old = SQL("SELECT id FROM invitations WHERE expires_at < $1 OR created_at > $2 ORDER BY id LIMIT $3")
    static let remove = SQL("DELETE FROM invitations WHERE id = $1")

    static let all = [
        insert, byDigest, byID, lockByDigest, lockByID, list, pendingCount, withAddress, replace, answerRequests,
        withdraw,
        accept, request, memberWithEmail, surplus, ofPerson, removeRequests, removeOfPerson, about,
        old, remove, withdrawAllBy, dismiss, pendingOwner,
    ]
}

extension SQLStore {
    package func createInvitation(
        _ invitation: Invitation, code: MintedToken, by authority: Authority, needs requirement: Requirement,
        audit: AuditEvent, mail: NewMail?
    ) async throws -> Invitation {
        // Whoever changes a workspace's invitations or members holds its row.
        var locks = RowLocks([(.workspace(invitation.workspaceID), .update), (.masterKey(code.tagKeyID), .share)])
        locks.readsTime = true
        return try await write(by: authority, needs: requirement, audit: audit, locking: locks) { connection, locked in
            guard locked.has(.workspace(invitation.workspaceID)) else { throw KeybearerError.noSuchWorkspace }
            try locked.requireTag(of: code.tagKeyID, connection)
            let stamped = invitation.stamped(locked.now(invitation.createdAt))
            if requirement.action != .manageOwners { try requireNoOwner(stamped, connection) }
            try makeRoom(for: stamped, connection)
            try connection.execute(
                InvitationSQL.insert,
                [
                    .id(stamped.id), .bytes(code.digest), .id(code.tagKeyID), .id(stamped.workspaceID),
                    .text(stamped.email.rawValue), .text(stamped.role.rawValue), .id(stamped.inviterID),
                    .time(stamped.createdAt), .time(stamped.expiresAt),
                ])
            return .changes(stamped, with: mail.map { Self.add($0) } ?? [])
        }
    }

    package func withdrawInvitation(
        _ id: InvitationID, of workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement,
        audit: AuditEvent
    ) async throws {
        var locks = RowLocks([(.workspace(workspaceID), .update)])
        locks.readsTime = true
        try await write(by: authority, needs: requirement, audit: audit, locking: locks) { connection, locked in
            // Behind all others in the order of locks.
            let mine = SQLStatement(InvitationSQL.lockByID, [.id(id), .id(workspaceID)])
            guard try connection.lock([(mine, .update)]).first?.first != nil else {
                throw KeybearerError.noSuchInvitation
            }
            try connection.execute(InvitationSQL.withdraw, [.id(id), .time(locked.now(audit.at))])
            return .changes((), with: [])
        }
    }

    package func invitations(of workspaceID: WorkspaceID, now: Timestamp) async throws -> [InvitationRecord] {
        try await engine.read { connection in
            let parameters: [SQLValue] = [
                .id(workspaceID), .time(try connection.now(now)),
                .number(Invitation.mostPending + Invitation.mostEnded),
            ]
            return try connection.rows(InvitationSQL.list, parameters).map { try StoredValues.invitationRecord($0) }
        }
    }

    package func invitation(
        codeDigest: [UInt8], now: Timestamp
    ) async throws -> (record: InvitationRecord, now: Timestamp)? {
        try await shortRead { connection in
            let (rows, now) = try connection.rowsAndTime(InvitationSQL.byDigest, [.bytes(codeDigest)], caller: now)
            return try rows.first.map { (try StoredValues.invitationRecord($0), now) }
        }
    }

    package func invitation(
        id: InvitationID, now: Timestamp
    ) async throws -> (record: InvitationRecord, now: Timestamp)? {
        try await shortRead { connection in
            let (rows, now) = try connection.rowsAndTime(InvitationSQL.byID, [.id(id)], caller: now)
            return try rows.first.map { (try StoredValues.invitationRecord($0), now) }
        }
    }

    package func acceptInvitation(
        _ invitation: Invitation, codeDigest: [UInt8], as userID: UserID, by authority: Authority, audit: AuditEvent
    ) async throws -> Committed<InvitationAcceptance> {
        let workspaceID = invitation.workspaceID
        var locks = RowLocks([
            (.user(userID), .share), (.user(invitation.inviterID), .share), (.workspace(workspaceID), .update),
            (.membership(workspaceID, userID), .update), (.membership(workspaceID, invitation.inviterID), .share),
        ])
        locks.readsTime = true
        return try await change(
            .user(userID), by: authority, audit: audit, locking: locks
        ) { connection, locked in
            // Behind all others in the order of locks: of two uses the second waits here and sees the first.
            let digest = [SQLValue.bytes(codeDigest)]
            guard let record = try lockedInvitation(digest, connection),
                let user = try Self.account(userID, connection)?.user
            else { return .nothing(.unknown) }
            let isMember = locked.has(.membership(workspaceID, userID))
            let now = locked.now(audit.at)
            if isMember, record.invitation.acceptedBy == userID { return .nothing(.alreadyMember) }
            if let end = record.end(at: now) { return .nothing(.ended(end)) }
            guard record.invitation.isFor(user.email) else { return .nothing(.wrongAddress) }
            try connection.execute(InvitationSQL.accept, digest + [.time(now), .id(userID)])
            if isMember { return .changes(.alreadyMember, with: []) }
            try Self.putMembership(
                Membership(workspaceID: workspaceID, userID: userID, role: record.invitation.role), connection)
            return .changes(.joined, with: [])
        }
    }

    package func removeOldInvitations(now: Timestamp) async throws {
        let old = OldRows(
            find: InvitationSQL.old,
            bounds: { now in
                [
                    .time(now.advanced(by: .zero - Invitation.memory)),
                    .time(now.advanced(by: SessionPolicy.clockTolerance)),
                ]
            },
            remove: InvitationSQL.remove, key: { [.text(try $0.requiredText("id"))] })
        try await remove(old, now: now)
    }

    /// Erases what invitations tell of a person who is deleted.
    static func forgetInvitations(
        of userID: UserID, _ email: EmailAddress, _ connection: any SQLConnection
    ) throws {
        let address = SQLValue.text((EmailAddress(email.rawValue) ?? email).rawValue)
        let person = [address, .id(userID)]
        try connection.lock([(SQLStatement(InvitationSQL.ofPerson, person), .replace)])
        try connection.execute(InvitationSQL.removeRequests, [address])
        try connection.execute(InvitationSQL.removeOfPerson, person)
    }
}

/// The invitation with a code, held until the transaction ends.
func lockedInvitation(_ digest: [SQLValue], _ connection: any SQLConnection) throws -> InvitationRecord? {
    let row = SQLStatement(InvitationSQL.lockByDigest, digest)
    guard try connection.lock([(row, .update)]).first?.first != nil else { return nil }
    return try connection.first(InvitationSQL.byDigest, digest).map { try StoredValues.invitationRecord($0) }
}

/// Whoever may not make an Owner must not take the invitation of one away, by a new link with another role.
private func requireNoOwner(_ new: Invitation, _ connection: any SQLConnection) throws {
    let values: [SQLValue] = [.id(new.workspaceID), .time(new.createdAt), .text(new.email.rawValue)]
    guard try connection.first(InvitationSQL.pendingOwner, values) == nil else {
        throw KeybearerError.validation([
            "email": "An Owner has invited this address as Owner. Ask them to change that."
        ])
    }
}

/// Withdraws what a new invitation takes the place of, and refuses one too many.
private func makeRoom(for new: Invitation, _ connection: any SQLConnection) throws {
    let (workspace, now) = (SQLValue.id(new.workspaceID), SQLValue.time(new.createdAt))
    for email in EmailAddress.spellings(of: new.email.rawValue) {
        guard try connection.first(InvitationSQL.memberWithEmail, [workspace, .text(email.rawValue)]) == nil else {
            throw KeybearerError.validation(["email": "This address is a member’s already."])
        }
    }
    // Behind all others in the order of locks.
    let address = [workspace, .text(new.email.rawValue)]
    try connection.lock([(SQLStatement(InvitationSQL.withAddress, address), .update)])
    try connection.execute(InvitationSQL.replace, address + [now])
    try connection.execute(InvitationSQL.answerRequests, address)
    guard try connection.count(InvitationSQL.pendingCount, [workspace, now]) < Invitation.mostPending else {
        throw KeybearerError.tooManyInvitations(limit: Invitation.mostPending)
    }
    let surplus = SQLStatement(InvitationSQL.surplus, [workspace, now, .number(Invitation.mostEnded)])
    let ended = try connection.lock([(surplus, .replace)]).first ?? []
    try connection.executeMany(InvitationSQL.remove, ended.map { [.text(try $0.requiredText("id"))] })
}

extension StoredValues {
    package static func invitation(_ row: any StoredRow) throws -> Invitation {
        func time(_ column: String) -> Timestamp? {
            row.number(column).map { Timestamp(millisecondsSinceEpoch: $0) }
        }
        var request: InvitationRequest?
        if let at = time("requested_at"), let email = row.text("requested_email") {
            request = InvitationRequest(at: at, email: EmailAddress(normalised: email))
        }
        return Invitation(
            id: InvitationID(rawValue: try row.requiredText("id")),
            workspaceID: WorkspaceID(rawValue: try row.requiredText("workspace_id")),
            email: EmailAddress(normalised: try row.requiredText("email")), role: try role(row),
            inviterID: UserID(rawValue: try row.requiredText("inviter_id")),
            createdAt: try row.timestamp("created_at"), expiresAt: try row.timestamp("expires_at"),
            withdrawnAt: time("withdrawn_at"), acceptedBy: row.text("accepted_by").map(UserID.init(rawValue:)),
            request: request)
    }

    package static func invitationRecord(_ row: any StoredRow) throws -> InvitationRecord {
        var inviter: InvitationRecord.Inviter?
        if let name = row.text("inviter_name"), let email = row.text("inviter_email") {
            inviter = InvitationRecord.Inviter(
                name: name, email: EmailAddress(normalised: email),
                isActive: row.text("inviter_status") == User.Status.active.rawValue,
                role: row.text("inviter_role").flatMap { Role(rawValue: $0) })
        }
        return InvitationRecord(try invitation(row), workspaceName: row.text("workspace_name"), inviter: inviter)
    }
}
