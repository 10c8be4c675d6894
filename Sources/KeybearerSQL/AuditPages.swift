package import Keybearer

enum AuditPageSQL {
    /// The rows of a page with the names of what they are about. The parts of a union are parts of an index.
    private static let named = """
        SELECT e.sequence, e.id, e.at, e.actor, e.action, e.user_id, e.workspace_id, e.address, e.detail, e.user_agent,
               e.request_id, e.via, e.old_value, e.new_value, e.position, a.name AS actor_name, u.name AS user_name,
               w.name AS workspace_name
        FROM audit_events e
        LEFT JOIN users a ON a.id = e.actor
        LEFT JOIN users u ON u.id = e.user_id
        LEFT JOIN workspaces w ON w.id = e.workspace_id
        WHERE e.sequence IN
        """
    private static let bounds = "at >= $2 AND at < $3 AND (at, sequence) < ($4, $5)"
    private static let newest = "ORDER BY at DESC, sequence DESC LIMIT $6"
    private static let end = "ORDER BY e.at DESC, e.sequence DESC LIMIT $6"

    static let inWorkspace = SQL(
        """
        \(named) (
            SELECT sequence FROM audit_events WHERE workspace_id = $1 AND \(bounds) \(newest))
        \(end)
        """)
    static let inWorkspaceByActor = SQL(
        """
        \(named) (
            SELECT sequence FROM audit_events WHERE workspace_id = $1 AND actor = $7 AND \(bounds) \(newest))
        \(end)
        """)
    static let inWorkspaceOfAction = SQL(
        """
        \(named) (
            SELECT sequence FROM audit_events WHERE workspace_id = $1 AND action = $7 AND \(bounds) \(newest))
        \(end)
        """)
    static let inWorkspaceByActorOfAction = SQL(
        """
        \(named) (
            SELECT sequence FROM audit_events
            WHERE workspace_id = $1 AND actor = $7 AND action = $8 AND \(bounds) \(newest))
        \(end)
        """)
    static let ofAccount = SQL(
        """
        \(named) (
            SELECT sequence FROM (
                SELECT sequence FROM audit_events WHERE user_id = $1 AND \(bounds) \(newest)
            ) AS about
            UNION SELECT sequence FROM (
                SELECT sequence FROM audit_events WHERE actor = $1 AND \(bounds) \(newest)
            ) AS made)
        \(end)
        """)
    static let ofAccountOfAction = SQL(
        """
        \(named) (
            SELECT sequence FROM (
                SELECT sequence FROM audit_events WHERE user_id = $1 AND action = $7 AND \(bounds) \(newest)
            ) AS about
            UNION SELECT sequence FROM (
                SELECT sequence FROM audit_events WHERE actor = $1 AND action = $7 AND \(bounds) \(newest)
            ) AS made)
        \(end)
        """)

    static let all = [
        inWorkspace, inWorkspaceByActor, inWorkspaceOfAction, inWorkspaceByActorOfAction, ofAccount, ofAccountOfAction,
    ]
}

extension SQLStore {
    package func auditEvents(
        matching filter: AuditFilter, before place: AuditPlace?, limit: Int
    ) async throws -> [NamedAuditEvent] {
        let (sql, owner, more) = Self.statement(filter)
        let parameters: [SQLValue] = [
            owner, .number(filter.since?.millisecondsSinceEpoch ?? .min),
            .number(filter.until?.millisecondsSinceEpoch ?? .max), .number(place?.at ?? .max),
            .number(place?.sequence ?? .max), .number(max(0, limit)),
        ]
        return try await engine.read { connection in
            try connection.rows(sql, parameters + more).map { row in
                NamedAuditEvent(
                    event: try StoredValues.auditEvent(row), actorName: row.text("actor_name"),
                    userName: row.text("user_name"), workspaceName: row.text("workspace_name"),
                    place: AuditPlace(at: try row.requiredNumber("at"), sequence: try row.requiredNumber("sequence")))
            }
        }
    }

    /// The statement of a filter, whose events they are, and the parameters behind those that all have.
    private static func statement(_ filter: AuditFilter) -> (SQL, owner: SQLValue, more: [SQLValue]) {
        let action = filter.action.map { SQLValue.text($0.rawValue) }
        switch (filter.scope, filter.actor.map { SQLValue.id($0) }, action) {
        case (.workspace(let id), nil, nil): return (AuditPageSQL.inWorkspace, .id(id), [])
        case (.workspace(let id), let actor?, nil): return (AuditPageSQL.inWorkspaceByActor, .id(id), [actor])
        case (.workspace(let id), nil, let action?): return (AuditPageSQL.inWorkspaceOfAction, .id(id), [action])
        case (.workspace(let id), let actor?, let action?):
            return (AuditPageSQL.inWorkspaceByActorOfAction, .id(id), [actor, action])
        case (.account(let id), _, nil): return (AuditPageSQL.ofAccount, .id(id), [])
        case (.account(let id), _, let action?): return (AuditPageSQL.ofAccountOfAction, .id(id), [action])
        }
    }
}
