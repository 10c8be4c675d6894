package import Keybearer

enum WebhookEndpointSQL {
    static let columns = """
        e.id, e.workspace_id, e.name, e.url, e.events, e.state, e.version, e.created_at, e.updated_at, e.master_key_id,
        e.box, e.previous_ends_at, e.failing_since, e.notice, e.failures, e.paused_until
        """
    static let ofWorkspace = SQL(
        "SELECT \(columns) FROM webhook_endpoints e WHERE e.workspace_id = $1 ORDER BY e.created_at, e.id")
    static let ofOperator = SQL(
        "SELECT \(columns) FROM webhook_endpoints e WHERE e.workspace_id IS NULL ORDER BY e.created_at, e.id")
    static let byID = SQL("SELECT \(columns) FROM webhook_endpoints e WHERE e.id = $1")
    static let insert = SQL(
        """
        INSERT INTO webhook_endpoints
            (id, workspace_id, name, url, events, state, version, created_at, updated_at, master_key_id, box,
             notice, failures, sequence)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, 0, 0, 0)
        """)
    static let update = SQL(
        """
        UPDATE webhook_endpoints
        SET name = $2, url = $3, events = $4, state = $5, version = $6, updated_at = $7, master_key_id = $8, box = $9,
            previous_ends_at = $10, failing_since = $11, notice = $12, failures = $13, paused_until = $14
        WHERE id = $1
        """)
    static let delete = SQL("DELETE FROM webhook_endpoints WHERE id = $1")
    static let setHealth = SQL(
        """
        UPDATE webhook_endpoints SET state = $2, failing_since = $3, notice = $4, failures = $5, paused_until = $6
        WHERE id = $1
        """)
    static let forgetFailures = SQL(
        """
        UPDATE webhook_endpoints SET failing_since = NULL, failures = 0, paused_until = NULL
        WHERE id = $1 AND failures > 0 AND notice = 0
        """)
    static let notSealedUnder = SQL(
        "SELECT id, master_key_id, box FROM webhook_endpoints WHERE master_key_id <> $1 ORDER BY id LIMIT $2")
    static let anySealed = SQL("SELECT id FROM webhook_endpoints WHERE master_key_id = $1 LIMIT 1")
    /// Whoever has rotated the secrets meanwhile sealed them under the new master key, or will be found again.
    static let reseal = SQL(
        "UPDATE webhook_endpoints SET master_key_id = $4, box = $5 WHERE id = $1 AND master_key_id = $2 AND box = $3")
    static let all = [
        ofWorkspace, ofOperator, byID, insert, update, delete, setHealth, forgetFailures, notSealedUnder, anySealed,
        reseal,
    ]
}

extension SQLStore {
    package func webhookEndpoints(of workspaceID: WorkspaceID?) async throws -> [WebhookEndpoint] {
        try await engine.read { try Self.webhookEndpoints(of: workspaceID, $0) }
    }

    private static func webhookEndpoints(
        of workspaceID: WorkspaceID?, _ connection: any SQLConnection
    ) throws -> [WebhookEndpoint] {
        let rows =
            try workspaceID.map { try connection.rows(WebhookEndpointSQL.ofWorkspace, [.id($0)]) }
            ?? connection.rows(WebhookEndpointSQL.ofOperator)
        return try rows.map { try StoredValues.webhookEndpoint($0) }
    }

    package func webhookEndpoint(
        _ id: WebhookEndpointID
    ) async throws -> (endpoint: WebhookEndpoint, secrets: SealedSecret)? {
        try await engine.read { connection in
            try connection.first(WebhookEndpointSQL.byID, [.id(id)]).map {
                (try StoredValues.webhookEndpoint($0), try StoredValues.webhookSecrets($0))
            }
        }
    }

    package func addWebhookEndpoint(
        _ endpoint: WebhookEndpoint, secrets: SealedSecret, request: IdempotentRequest?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent
    ) async throws {
        // Whoever counts a workspace's webhooks holds its row: of two that make the last one, one finds it made.
        var locks = RowLocks([(.masterKey(secrets.masterKeyID), .share)])
        if let workspaceID = endpoint.workspaceID { locks.add(.workspace(workspaceID), .update) }
        locks.readsTime = true
        try await write(by: authority, needs: requirement, audit: audit, locking: locks) { connection, locked in
            let now = locked.now(audit.at)
            if let request, let id = try Self.claim(request, at: now, connection) {
                throw KeybearerError.webhookMadeBefore(id)
            }
            if let workspaceID = endpoint.workspaceID, !locked.has(.workspace(workspaceID)) {
                throw KeybearerError.noSuchWorkspace
            }
            try locked.requireSealing(under: secrets.masterKeyID, connection)
            // The operator's have no workspace whose row would be held.
            if endpoint.workspaceID == nil { try connection.hold(.operatorWebhooks) }
            guard try Self.webhookEndpoints(of: endpoint.workspaceID, connection).count < WebhookEndpoint.most else {
                throw KeybearerError(
                    .conflict, "There can be at most \(WebhookEndpoint.most) webhooks. Delete one first.")
            }
            try connection.execute(
                WebhookEndpointSQL.insert,
                [
                    .id(endpoint.id), .optional(endpoint.workspaceID?.rawValue), .text(endpoint.name),
                    .text(endpoint.url.text), .text(endpoint.events.storedForm), .text(endpoint.state.rawValue),
                    .number(endpoint.version), .time(endpoint.createdAt), .id(secrets.masterKeyID), .bytes(secrets.box),
                ])
            return .changes((), with: request.map { [Self.remembering($0, of: endpoint.id.rawValue, at: now)] } ?? [])
        }
    }

    package func updateWebhookEndpoint(
        _ update: WebhookEndpointUpdate, of workspaceID: WorkspaceID?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> WebhookEndpoint {
        var locks = RowLocks()
        if let secrets = update.secrets { locks.add(.masterKey(secrets.sealed.masterKeyID), .share) }
        return try await write(by: authority, needs: requirement, audit: audit, locking: locks) { connection, locked in
            let now = try update.request == nil ? audit.at : connection.now(audit.at)
            if let request = update.request, let id = try Self.claim(request, at: now, connection) {
                throw KeybearerError(
                    .conflict, "This Idempotency-Key changed the webhook \(id) before. Its secret is not shown again.")
            }
            let row = try Self.lockedEndpoint(update.id, of: workspaceID, .update, connection)
            let current = try StoredValues.webhookEndpoint(row)
            guard update.version == nil || update.version == current.version else { throw KeybearerError.staleVersion }
            if let secrets = update.secrets {
                try locked.requireSealing(under: secrets.sealed.masterKeyID, connection)
            }
            let new = update.applied(to: current, at: audit.at)
            if new == current { return .nothing(current) }
            // Not the whole URL, whose path and query may hold a secret.
            locked.values.record(before: Self.place(of: current), after: Self.place(of: new))
            let sealed = try update.secrets?.sealed ?? StoredValues.webhookSecrets(row)
            try connection.execute(
                WebhookEndpointSQL.update,
                [
                    .id(new.id), .text(new.name), .text(new.url.text), .text(new.events.storedForm),
                    .text(new.state.rawValue), .number(new.version), .time(new.updatedAt), .id(sealed.masterKeyID),
                    .bytes(sealed.box), .optional(new.previousSecretEndsAt),
                ] + Self.columns(of: new.health))
            return .changes(
                new, with: update.request.map { [Self.remembering($0, of: new.id.rawValue, at: now)] } ?? [])
        }
    }

    private static func place(of endpoint: WebhookEndpoint) -> String {
        "\(endpoint.url.origin), \(endpoint.state.rawValue)"
    }

    /// The four columns of what is known of an endpoint.
    static func columns(of health: EndpointHealth) -> [SQLValue] {
        [
            .optional(health.failingSince), .number(health.notice.rawValue), .number(health.failures),
            .optional(health.pausedUntil),
        ]
    }

    package func deleteWebhookEndpoint(
        _ id: WebhookEndpointID, of workspaceID: WorkspaceID?, version: Int?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent
    ) async throws {
        try await write(by: authority, needs: requirement, audit: audit) { connection, _ in
            let row = try Self.lockedEndpoint(id, of: workspaceID, .replace, connection)
            let current = try StoredValues.webhookEndpoint(row)
            guard version == nil || version == current.version else { throw KeybearerError.staleVersion }
            // Its deliveries are removed by housekeeping, some at a time.
            try connection.execute(WebhookEndpointSQL.delete, [.id(id)])
            return .changes((), with: [])
        }
    }

    /// An endpoint under its lock, behind all others in the order of locks. One of another workspace is not there.
    static func lockedEndpoint(
        _ id: WebhookEndpointID, of workspaceID: WorkspaceID?, _ mode: LockMode, _ connection: any SQLConnection
    ) throws -> any StoredRow {
        let mine = SQLStatement(WebhookEndpointSQL.byID, [.id(id)])
        guard let row = try connection.lock([(mine, mode)]).first?.first,
            row.text("workspace_id") == workspaceID?.rawValue
        else { throw KeybearerError.noSuchWebhook }
        return row
    }

    package func webhookSecrets(
        notSealedUnder id: MasterKeyID, limit: Int
    ) async throws -> [(id: WebhookEndpointID, sealed: SealedSecret)] {
        try await engine.read { connection in
            try connection.rows(WebhookEndpointSQL.notSealedUnder, [.id(id), .number(max(0, limit))]).map {
                (WebhookEndpointID(rawValue: try $0.requiredText("id")), try StoredValues.webhookSecrets($0))
            }
        }
    }

    package func resealWebhookSecrets(
        _ secrets: [(id: WebhookEndpointID, old: SealedSecret, new: SealedSecret)], by authority: Authority,
        audit: AuditEvent
    ) async throws {
        let sealing = Set(secrets.map(\.new.masterKeyID))
        let locks = RowLocks(sealing.map { (.masterKey($0), .share) })
        let rows: [[SQLValue]] = secrets.sorted { $0.id < $1.id }.map { id, old, new in
            [.id(id), .id(old.masterKeyID), .bytes(old.box), .id(new.masterKeyID), .bytes(new.box)]
        }
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
            for id in sealing { try locked.requireSealing(under: id, connection) }
            try connection.executeMany(WebhookEndpointSQL.reseal, rows)
            return .changes((), with: [])
        }
    }
}

extension StoredValues {
    package static func webhookEndpoint(_ row: any StoredRow) throws -> WebhookEndpoint {
        guard let url = WebhookURL(try row.requiredText("url")),
            let state = WebhookEndpoint.State(rawValue: try row.requiredText("state"))
        else { throw KeybearerError.unreadable("webhook_endpoints") }
        return WebhookEndpoint(
            id: WebhookEndpointID(rawValue: try row.requiredText("id")),
            workspaceID: row.text("workspace_id").map(WorkspaceID.init(rawValue:)), name: try row.requiredText("name"),
            url: url, events: EventSelection(storedForm: try row.requiredText("events")), state: state,
            version: Int(try row.requiredNumber("version")), createdAt: try row.timestamp("created_at"),
            updatedAt: try row.timestamp("updated_at"), previousSecretEndsAt: row.time("previous_ends_at"),
            health: try health(row))
    }

    package static func webhookSecrets(_ row: any StoredRow) throws -> SealedSecret {
        SealedSecret(
            masterKeyID: MasterKeyID(rawValue: try row.requiredText("master_key_id")),
            box: try row.requiredBytes("box"))
    }

    private static func health(_ row: any StoredRow) throws -> EndpointHealth {
        guard let notice = EndpointHealth.Notice(rawValue: Int(try row.requiredNumber("notice"))) else {
            throw KeybearerError.unreadable("webhook_endpoints.notice")
        }
        return EndpointHealth(
            failingSince: row.time("failing_since"), notice: notice, failures: Int(try row.requiredNumber("failures")),
            pausedUntil: row.time("paused_until"))
    }
}

extension StoredRow {
    /// A column of milliseconds since the Unix epoch; nil where it is NULL.
    func time(_ column: String) -> Timestamp? {
        number(column).map { Timestamp(millisecondsSinceEpoch: $0) }
    }
}
