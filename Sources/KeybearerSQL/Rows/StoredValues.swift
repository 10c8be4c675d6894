package import Keybearer

/// Makes accounts, plans and workspaces of the rows of one query.
///
/// A query of accounts has one row per account, workspace and feature, in the order of ``AccountSQL``, so that an
/// account with everything a decision needs comes from one statement and therefore from one state of the database.
package enum StoredValues {
    package static func accounts(_ rows: [any StoredRow]) throws -> [Account] {
        try groups(rows, by: "user_id").map { rows in
            let workspaces = try groups(rows, by: "workspace_id").map { rows in
                try WorkspaceAccess(workspace: workspace(rows[0]), role: role(rows[0]), plan: plan(rows))
            }
            return try Account(user: user(rows[0]), key: key(rows[0]), workspaces: workspaces)
        }
    }

    package static func user(_ row: any StoredRow) throws -> User {
        guard let status = User.Status(rawValue: try row.requiredText("status")) else {
            throw KeybearerError.unreadable("users.status")
        }
        return User(
            id: UserID(rawValue: try row.requiredText("user_id")),
            email: EmailAddress(normalised: try row.requiredText("email")), name: try row.requiredText("user_name"),
            status: status, isOperator: try row.requiredFlag("is_operator"),
            createdAt: try row.timestamp("user_created_at"),
            externalID: row.text("user_external_id").map(ExternalID.init(rawValue:)),
            isEmailVerified: try row.requiredFlag("email_verified"),
            hasPassword: try row.requiredNumber("has_password") != 0,
            version: Int(try row.requiredNumber("user_version")), updatedAt: try row.timestamp("user_updated_at"),
            limit: limit(row, of: "user"),
            defaultWorkspaceID: row.text("default_workspace_id").map(WorkspaceID.init(rawValue:)),
            serviceWorkspaceID: row.text("service_workspace_id").map(WorkspaceID.init(rawValue:)),
            allowedNetworks: try allowedNetworks(row))
    }

    package static func key(_ row: any StoredRow) throws -> APIKey {
        APIKey(
            id: KeyID(rawValue: try row.requiredText("key_id")), version: Int(try row.requiredNumber("version")),
            shownPrefix: try row.requiredText("shown_prefix"), generatedAt: try row.timestamp("generated_at"),
            lastUse: try lastUse(row, of: "api_keys"))
    }

    private static func lastUse(_ row: any StoredRow, of table: String) throws -> LastUse? {
        guard let at = row.number("last_used_at"), let text = row.text("last_used_ip") else { return nil }
        guard let address = IPAddress(text) else { throw KeybearerError.unreadable("\(table).last_used_ip") }
        return LastUse(at: Timestamp(millisecondsSinceEpoch: at), address: address)
    }

    package static func sealed(_ row: any StoredRow) throws -> SealedKey {
        SealedKey(
            masterKeyID: MasterKeyID(rawValue: try row.requiredText("master_key_id")),
            box: try row.requiredBytes("box"), digest: try row.requiredBytes("digest"))
    }

    package static func pastKey(_ row: any StoredRow) throws -> PastKey {
        PastKey(
            digest: try row.requiredBytes("digest"),
            masterKeyID: MasterKeyID(rawValue: try row.requiredText("master_key_id")),
            userID: UserID(rawValue: try row.requiredText("user_id")), endedAt: try row.timestamp("ended_at"))
    }

    package static func storedKey(_ row: any StoredRow) throws -> StoredKey {
        StoredKey(
            userID: UserID(rawValue: try row.requiredText("user_id")),
            keyID: KeyID(rawValue: try row.requiredText("key_id")), version: Int(try row.requiredNumber("version")),
            sealed: try sealed(row))
    }

    package static func role(_ row: any StoredRow) throws -> Role {
        guard let role = Role(rawValue: try row.requiredText("role")) else {
            throw KeybearerError.unreadable("memberships.role")
        }
        return role
    }

    package static func workspace(_ row: any StoredRow) throws -> Workspace {
        Workspace(
            id: WorkspaceID(rawValue: try row.requiredText("workspace_id")),
            name: try row.requiredText("workspace_name"), planID: PlanID(rawValue: try row.requiredText("plan_id")),
            createdAt: try row.timestamp("workspace_created_at"),
            externalID: row.text("workspace_external_id").map(ExternalID.init(rawValue:)),
            isSuspended: try row.requiredFlag("is_suspended"),
            version: Int(try row.requiredNumber("workspace_version")),
            updatedAt: try row.timestamp("workspace_updated_at"), limit: limit(row, of: "workspace"),
            planEnd: planEnd(row))
    }

    private static func limit(_ row: any StoredRow, of noun: String) -> LimitOverride? {
        row.number("\(noun)_limit").map { limit in
            LimitOverride(hourlyLimit: Int(limit), endsAt: time(row, "\(noun)_limit_ends_at"))
        }
    }

    private static func planEnd(_ row: any StoredRow) -> PlanEnd? {
        guard let at = time(row, "plan_ends_at"), let next = row.text("next_plan_id") else { return nil }
        return PlanEnd(at: at, nextPlanID: PlanID(rawValue: next))
    }

    private static func time(_ row: any StoredRow, _ column: String) -> Timestamp? {
        row.number(column).map { Timestamp(millisecondsSinceEpoch: $0) }
    }

    /// The plans of rows that stand one plan after another.
    package static func plans(_ rows: [any StoredRow]) throws -> [Plan] {
        try groups(rows, by: "plan_id").map { try plan($0) }
    }

    /// The plan of rows that differ in nothing but the feature.
    package static func plan(_ rows: [any StoredRow]) throws -> Plan {
        let row = rows[0]
        let features = rows.compactMap { $0.text("feature") }.map(Feature.init(rawValue:))
        return Plan(
            id: PlanID(rawValue: try row.requiredText("plan_id")), name: try row.requiredText("plan_name"),
            features: Set(features), hourlyLimit: Int(try row.requiredNumber("hourly_limit")),
            billingURL: row.text("billing_url").flatMap(BillingURL.init(stored:)),
            position: Int(try row.requiredNumber("position")))
    }

    /// Neighbouring rows with the same text in a column; rows without one are left out.
    static func groups(_ rows: [any StoredRow], by column: String) -> [[any StoredRow]] {
        var groups: [[any StoredRow]] = []
        var current: String?
        for row in rows {
            guard let value = row.text(column) else { continue }
            if value == current {
                groups[groups.count - 1].append(row)
            } else {
                groups.append([row])
                current = value
            }
        }
        return groups
    }
}

extension StoredValues {
    package static func session(_ row: any StoredRow) throws -> Session {
        guard let address = IPAddress(try row.requiredText("address")) else {
            throw KeybearerError.unreadable("sessions.address")
        }
        return Session(
            id: SessionID(rawValue: try row.requiredText("id")),
            userID: UserID(rawValue: try row.requiredText("user_id")), createdAt: try row.timestamp("created_at"),
            authenticatedAt: try row.timestamp("authenticated_at"), lastSeenAt: try row.timestamp("last_seen_at"),
            address: address, userAgent: try row.requiredText("user_agent"), portal: try portalAccess(row))
    }

    /// A scope that this version does not know is left out: a token is never good for more than is understood.
    package static func operatorToken(_ row: any StoredRow) throws -> OperatorToken {
        let scopes = try row.requiredText("scopes").split(separator: " ")
        return OperatorToken(
            id: OperatorTokenID(rawValue: try row.requiredText("id")), name: try row.requiredText("name"),
            scopes: Set(scopes.compactMap { OperatorScope(rawValue: String($0)) }),
            createdAt: try row.timestamp("created_at"),
            expiresAt: row.number("expires_at").map { Timestamp(millisecondsSinceEpoch: $0) },
            shownPrefix: row.text("shown_prefix"), lastUse: try lastUse(row, of: "operator_tokens"))
    }

    package static func auditEvent(_ row: any StoredRow) throws -> AuditEvent {
        guard let action = AuditEvent.Action(rawValue: try row.requiredText("action")) else {
            throw KeybearerError.unreadable("audit_events.action")
        }
        return AuditEvent(
            id: EventID(rawValue: try row.requiredText("id")), at: try row.timestamp("at"),
            actor: AuditEvent.Actor(storedForm: try row.requiredText("actor")), action: action,
            userID: row.text("user_id").map(UserID.init(rawValue:)),
            workspaceID: row.text("workspace_id").map(WorkspaceID.init(rawValue:)),
            address: row.text("address").flatMap { IPAddress($0) }, detail: row.text("detail"),
            origin: origin(row), change: valueChange(row), position: row.number("position"))
    }

    private static func origin(_ row: any StoredRow) -> RequestOrigin? {
        let (userAgent, requestID, via) = (row.text("user_agent"), row.text("request_id"), row.text("via"))
        if userAgent == nil, requestID == nil, via == nil { return nil }
        return RequestOrigin(
            userAgent: userAgent, requestID: requestID, via: via.map(OperatorTokenID.init(rawValue:)))
    }

    private static func valueChange(_ row: any StoredRow) -> ValueChange? {
        let (before, after) = (row.text("old_value"), row.text("new_value"))
        return before == nil && after == nil ? nil : ValueChange(before: before, after: after)
    }

    package static func auditRecord(_ row: any StoredRow) throws -> AuditRecord {
        var seal: AuditSeal?
        if let keyID = row.text("seal_key_id") {
            seal = AuditSeal(
                keyID: MasterKeyID(rawValue: keyID), salt: row.bytes("salt"),
                commitment: try row.requiredBytes("commitment"), code: try row.requiredBytes("seal"))
        }
        return AuditRecord(
            sequence: try row.requiredNumber("sequence"), id: try row.requiredText("id"),
            at: try row.requiredNumber("at"), actor: try row.requiredText("actor"),
            action: try row.requiredText("action"), userID: row.text("user_id"),
            workspaceID: row.text("workspace_id"), address: row.text("address"), detail: row.text("detail"),
            userAgent: row.text("user_agent"), requestID: row.text("request_id"), via: row.text("via"),
            before: row.text("old_value"), after: row.text("new_value"), position: row.number("position"), seal: seal)
    }

    package static func auditChain(_ row: (any StoredRow)?) throws -> AuditChain {
        guard let row else { throw KeybearerError.unreadable("audit_chain") }
        var checkpoint: AuditCheckpoint?
        if let keyID = row.text("checkpoint_key_id") {
            checkpoint = AuditCheckpoint(
                position: try row.requiredNumber("checkpoint_position"),
                code: try row.requiredBytes("checkpoint_seal"), at: try row.requiredNumber("checkpoint_at"),
                keyID: MasterKeyID(rawValue: keyID), signature: try row.requiredBytes("checkpoint_signature"))
        }
        return AuditChain(
            position: try row.requiredNumber("position"), code: row.bytes("seal"), checkpoint: checkpoint)
    }

    package static func masterKey(_ row: any StoredRow) throws -> MasterKeyRecord {
        MasterKeyRecord(
            id: MasterKeyID(rawValue: try row.requiredText("id")), isRetired: try row.requiredFlag("is_retired"),
            seals: try row.requiredFlag("seals"), tags: try row.requiredFlag("tags"),
            tagFingerprint: row.bytes("tag_fingerprint"), digestFingerprint: row.bytes("digest_fingerprint"))
    }

    package static func sessionTimes(_ row: any StoredRow) throws -> SessionTimes {
        SessionTimes(
            createdAt: try row.timestamp("created_at"), authenticatedAt: try row.timestamp("authenticated_at"),
            lastSeenAt: try row.timestamp("last_seen_at"), isPortal: row.text("portal_token_id") != nil,
            endsAt: row.number("portal_ends_at").map { Timestamp(millisecondsSinceEpoch: $0) })
    }

    package static func node(_ row: any StoredRow) throws -> RegisteredNode {
        RegisteredNode(
            id: NodeID(rawValue: try row.requiredText("id")), label: try row.requiredText("label"),
            acknowledged: try row.requiredNumber("acknowledged"), renewals: try row.requiredNumber("renewals"),
            lease: .milliseconds(try row.requiredNumber("lease_ms")), version: row.text("version") ?? "")
    }

    package static func position(_ row: any StoredRow) throws -> ChangeLogPosition {
        ChangeLogPosition(number: try row.requiredNumber("number"), nonce: try row.requiredText("mark"))
    }

    /// The changes after a position, of rows from that position on, in order: the row of the position itself proves
    /// the history, those behind it are the answer. Numbers have no gaps, so for the position before the first change,
    /// change 1 must still be there.
    ///
    /// - Returns: nil when the position is not part of this history.
    package static func changes(
        after position: ChangeLogPosition, limit: Int, of rows: [any StoredRow]
    ) throws -> [Change]? {
        let found = try rows.map { try change($0) }
        if position.number > 0 {
            return found.first?.position == position ? Array(found.dropFirst()) : nil
        }
        guard position.number == 0, found.first.map({ $0.position.number == 1 }) ?? true else { return nil }
        return Array(found.prefix(max(0, limit)))
    }

    /// A change of everything that names something is an import: its id is the prefixes in hexadecimal. Whoever does not
    /// know imports drops more than it must.
    package static func storedForm(_ subject: Change.Subject) -> (kind: String, id: String?) {
        switch subject {
        case .user(let id): ("user", id.rawValue)
        case .workspace(let id): ("workspace", id.rawValue)
        // Tables of version 0.1 admit these three words alone.
        case .window(let id): ("user", id.rawValue + windowMark)
        case .everything: ("everything", nil)
        case .importedKeys(let prefixes): ("everything", prefixes.map(\.hexadecimal).joined())
        }
    }

    /// Behind the id of an account whose hour is meant and not the account: no id has a slash.
    private static let windowMark = "/window"

    private static func change(_ row: any StoredRow) throws -> Change {
        let subject: Change.Subject
        switch (try row.requiredText("subject_kind"), row.text("subject_id")) {
        case ("user", let id?) where id.hasSuffix(windowMark):
            subject = .window(of: UserID(rawValue: String(id.dropLast(windowMark.count))))
        case ("user", let id?): subject = .user(UserID(rawValue: id))
        case ("workspace", let id?): subject = .workspace(WorkspaceID(rawValue: id))
        case ("everything", nil): subject = .everything
        case ("everything", let text?): subject = .importedKeys(try importedKeys(text))
        default: throw KeybearerError.unreadable("changes.subject_kind")
        }
        return Change(position: try position(row), subject: subject)
    }

    private static func importedKeys(_ text: String) throws -> [DigestPrefix] {
        let bytes = Array(text.utf8)
        let parts = stride(from: 0, to: bytes.count, by: DigestPrefix.hexadecimalLength).map { start in
            DigestPrefix(hexadecimal: bytes[start..<min(bytes.count, start + DigestPrefix.hexadecimalLength)])
        }
        let prefixes = parts.compactMap(\.self)
        guard prefixes.count == parts.count else { throw KeybearerError.unreadable("changes.subject_id") }
        return prefixes
    }
}
