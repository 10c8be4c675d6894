package import Keybearer

enum MemberSQL {
    /// People, with ``MemberFilter``: a NULL parameter is not looked at. Texts are found by what is left without them, which both
    /// engines tell alike; SQLite knows lower case of ASCII alone, so a name is looked for as it was typed too.
    private static let matches = """
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 AND u.service_workspace_id IS NULL AND (CAST($2 AS TEXT) IS NULL OR m.role = CAST($2 AS TEXT))
          AND (CAST($3 AS TEXT) IS NULL
            OR replace(lower(u.email), CAST($4 AS TEXT), '') <> lower(u.email)
            OR replace(lower(u.name), CAST($4 AS TEXT), '') <> lower(u.name)
            OR replace(u.name, CAST($3 AS TEXT), '') <> u.name)
        """
    static let page = SQL(
        """
        SELECT \(AccountSQL.userColumns), m.role \(matches) ORDER BY u.created_at, u.id LIMIT $5 OFFSET $6
        """)
    static let count = SQL("SELECT count(*) AS count \(matches)")

    static let all = [page, count]
}

extension SQLStore {
    package func members(
        of workspaceID: WorkspaceID, matching filter: MemberFilter
    ) async throws -> (page: [(user: User, role: Role)], total: Int) {
        let wanted: [SQLValue] = [
            .id(workspaceID), .optional(filter.role?.rawValue), .optional(filter.text),
            .optional(filter.text?.lowercased()),
        ]
        return try await engine.read { connection in
            let rows = try connection.rows(
                MemberSQL.page, wanted + [.number(max(0, filter.limit)), .number(max(0, filter.offset))])
            return (
                try rows.map { (try StoredValues.user($0), try StoredValues.role($0)) },
                try connection.count(MemberSQL.count, wanted)
            )
        }
    }

    package func putMember(
        _ membership: Membership, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<Void> {
        let member = requirement == nil ? nil : authority.userID
        return try await change(
            Self.putting(membership, by: member), by: authority, needs: requirement, audit: audit)
    }

    package func removeMember(
        _ userID: UserID, from workspaceID: WorkspaceID, by authority: Authority, needs requirement: Requirement?,
        audit: AuditEvent
    ) async throws -> Committed<Void> {
        let member = requirement == nil ? nil : authority.userID
        return try await change(
            Self.removing(userID, from: workspaceID, by: member), by: authority, needs: requirement, audit: audit)
    }

    /// - Parameter member: who does it; nil for the operator.
    static func putting(_ membership: Membership, by member: UserID? = nil) -> Write<Void> {
        let (workspaceID, userID) = (membership.workspaceID, membership.userID)
        var locks = RowLocks([
            (.user(userID), .share), (.workspace(workspaceID), .update), (.membership(workspaceID, userID), .update),
        ])
        if let member { locks.add(.membership(workspaceID, member), .share) }
        return Write(.user(userID), locking: locks) { connection, locked in
            guard locked.has(.user(userID)) else { throw KeybearerError.noSuchAccount }
            guard locked.has(.workspace(workspaceID)) else { throw KeybearerError.noSuchWorkspace }
            let present = locked[.membership(workspaceID, userID)]
            // Who joins was invited: a member adds nobody. A service account of another workspace is not there.
            if member != nil, present == nil { throw KeybearerError.noSuchMember }
            try locked.requirePerson(userID, "it stays a Member of its one workspace")
            if let member, let present {
                try requireRank(
                    of: member, over: [try StoredValues.role(present), membership.role], in: workspaceID, locked)
            }
            locked.values.record(
                before: locked[.membership(workspaceID, userID)]?.text("role"), after: membership.role.rawValue)
            try putMembership(membership, connection)
            try requireOwner(of: workspaceID, without: locked[.membership(workspaceID, userID)], connection)
            return .changes((), with: [])
        }
    }

    /// - Parameter member: who does it; nil for the operator.
    static func removing(
        _ userID: UserID, from workspaceID: WorkspaceID, by member: UserID? = nil
    ) -> Write<Void> {
        var locks = RowLocks([
            (.user(userID), .share), (.workspace(workspaceID), .update), (.membership(workspaceID, userID), .replace),
        ])
        if let member { locks.add(.membership(workspaceID, member), .share) }
        return Write(.user(userID), locking: locks) { connection, locked in
            if member != nil, !locked.has(.membership(workspaceID, userID)) { throw KeybearerError.noSuchMember }
            try locked.requirePerson(userID, "it leaves its workspace only when it is deleted")
            if let member, member != userID, let present = locked[.membership(workspaceID, userID)] {
                try requireRank(of: member, over: [try StoredValues.role(present)], in: workspaceID, locked)
            }
            locked.values.record(before: locked[.membership(workspaceID, userID)]?.text("role"), after: nil)
            let touched = try connection.execute(WorkspaceSQL.removeMember, [.id(workspaceID), .id(userID)])
            guard touched == 1 else { throw KeybearerError.noSuchMember }
            try requireOwner(of: workspaceID, without: locked[.membership(workspaceID, userID)], connection)
            return .changes((), with: [])
        }
    }

    /// Looks, under the locks, whether a member may do something to these roles.
    private static func requireRank(
        of member: UserID, over roles: [Role], in workspaceID: WorkspaceID, _ locked: LockedRows
    ) throws {
        guard roles.contains(.owner) else { return }
        guard let row = locked[.membership(workspaceID, member)],
            Permissions.allows(try StoredValues.role(row), .manageOwners)
        else { throw KeybearerError.roleForbids(.manageOwners) }
    }
}
