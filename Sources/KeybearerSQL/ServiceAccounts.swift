package import Keybearer

enum ServiceAccountSQL {
    static let ids = SQL("SELECT id FROM users WHERE service_workspace_id = $1 ORDER BY id")
    static let ownedBy = SQL(
        """
        SELECT id FROM users WHERE service_workspace_id IN (
            SELECT workspace_id FROM memberships WHERE user_id = $1 AND role = 'owner')
        ORDER BY id
        """)
    static let count = SQL("SELECT count(*) AS count FROM users WHERE service_workspace_id = $1")
    /// A look at a key that was replaced since counts no more.
    static let views = SQL(
        """
        SELECT v.user_id, s.name, v.viewer_id, p.name AS viewer_name, m.role AS viewer_role, v.at
        FROM users s
        JOIN service_key_views v ON v.user_id = s.id
        JOIN api_keys k ON k.user_id = s.id AND k.key_id = v.key_id
        LEFT JOIN users p ON p.id = v.viewer_id
        LEFT JOIN memberships m ON m.user_id = v.viewer_id AND m.workspace_id = s.service_workspace_id
        WHERE s.service_workspace_id = $1
        ORDER BY v.at DESC, v.user_id, v.viewer_id
        """)
    /// Whoever made it, while the person may still manage it; else the Owner whose account is the oldest.
    static let responsible = SQL(
        """
        SELECT s.id, p.id AS person_id, p.name AS person_name
        FROM users s JOIN users p ON p.id = coalesce(
            (SELECT m.user_id FROM memberships m
             WHERE m.workspace_id = s.service_workspace_id AND m.user_id = s.made_by AND m.role IN ('owner', 'admin')),
            (SELECT m.user_id FROM memberships m JOIN users o ON o.id = m.user_id
             WHERE m.workspace_id = s.service_workspace_id AND m.role = 'owner'
             ORDER BY o.created_at, o.id LIMIT 1))
        WHERE s.service_workspace_id = $1
        """)
    static let see = SQL(
        """
        INSERT INTO service_key_views (user_id, viewer_id, key_id, at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, viewer_id) DO UPDATE SET key_id = excluded.key_id, at = excluded.at
        """)
    static let removeViews = SQL("DELETE FROM service_key_views WHERE user_id = $1")
    static let seenBy = SQL("SELECT user_id, at FROM service_key_views WHERE viewer_id = $1 ORDER BY at DESC, user_id")

    static let all = [ids, ownedBy, count, views, responsible, see, removeViews, seenBy]
}

extension SQLStore {
    package func serviceAccounts(of workspaceID: WorkspaceID) async throws -> [Account] {
        try await engine.read { connection in
            try StoredValues.accounts(try connection.rows(AccountSQL.servicesOf, [.id(workspaceID)]))
        }
    }

    package func serviceAccountIDs(of workspaceID: WorkspaceID) async throws -> [UserID] {
        try await shortRead { try Self.ids(ServiceAccountSQL.ids, [.id(workspaceID)], $0) }
    }

    package func serviceAccountIDs(inWorkspacesOwnedBy userID: UserID) async throws -> [UserID] {
        try await shortRead { try Self.ids(ServiceAccountSQL.ownedBy, [.id(userID)], $0) }
    }

    package func serviceKeyViews(in workspaceID: WorkspaceID) async throws -> [ServiceKeyView] {
        try await engine.read { connection in
            try connection.rows(ServiceAccountSQL.views, [.id(workspaceID)]).map { row in
                ServiceKeyView(
                    serviceAccount: UserID(rawValue: try row.requiredText("user_id")),
                    name: try row.requiredText("name"), viewer: UserID(rawValue: try row.requiredText("viewer_id")),
                    viewerName: row.text("viewer_name"),
                    viewerRole: row.text("viewer_role").flatMap { Role(rawValue: $0) }, at: try row.timestamp("at"))
            }
        }
    }

    package func responsiblePeople(in workspaceID: WorkspaceID) async throws -> [UserID: ResponsiblePerson] {
        try await engine.read { connection in
            let rows = try connection.rows(ServiceAccountSQL.responsible, [.id(workspaceID)])
            return Dictionary(
                try rows.map { row in
                    (
                        UserID(rawValue: try row.requiredText("id")),
                        ResponsiblePerson(
                            id: UserID(rawValue: try row.requiredText("person_id")),
                            name: try row.requiredText("person_name"))
                    )
                }, uniquingKeysWith: { first, _ in first })
        }
    }

    package func changeServiceAccount(
        _ write: StoreWrite, by authority: Authority, needs requirement: Requirement
    ) async throws -> Committed<StoreWrite.Outcome> {
        try await change(Self.work(of: write), by: authority, needs: requirement, audit: write.audit)
    }

    /// Adds a service account. No node has to hear of one that was not there.
    static func creating(_ new: NewServiceAccount) -> Write<Account> {
        // Whoever counts a workspace's service accounts holds its row: of two that make the last one, one finds it made.
        let locks = RowLocks([
            (.workspace(new.workspaceID), .update), (.masterKey(new.sealedKey.masterKeyID), .share),
        ])
        return Write(nil, locking: locks) { connection, locked in
            guard locked.has(.workspace(new.workspaceID)) else { throw KeybearerError.noSuchWorkspace }
            try connection.requireNodes(of: NodeVersion.serviceAccounts, for: "Service accounts")
            try locked.requireSealing(under: new.sealedKey.masterKeyID, connection)
            let present = try connection.count(ServiceAccountSQL.count, [.id(new.workspaceID)])
            guard present < NewServiceAccount.most else {
                throw KeybearerError.tooManyServiceAccounts(limit: NewServiceAccount.most)
            }
            try requireFree(new.user, instead: nil, connection)
            try insertUser(new.user, madeBy: new.maker, connection)
            try insertKey(new.key, new.sealedKey, of: new.user.id, connection)
            try putMembership(
                Membership(workspaceID: new.workspaceID, userID: new.user.id, role: .member), connection)
            guard let account = try account(new.user.id, connection) else { throw KeybearerError.noSuchAccount }
            return .changes(account, with: [])
        }
    }

    /// Notes that a person has seen the key of a service account.
    static func seeing(
        _ keyID: KeyID, of serviceAccountID: UserID, by viewer: UserID, at time: Timestamp
    ) -> SQLStatement {
        SQLStatement(ServiceAccountSQL.see, [.id(serviceAccountID), .id(viewer), .id(keyID), .time(time)])
    }

    private static func ids(_ sql: SQL, _ values: [SQLValue], _ connection: any SQLConnection) throws -> [UserID] {
        try connection.rows(sql, values).map { UserID(rawValue: try $0.requiredText("id")) }
    }
}
