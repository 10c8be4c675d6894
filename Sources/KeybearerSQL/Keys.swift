package import Keybearer

enum KeySQL {
    private static let columns = """
        SELECT user_id, key_id, version, shown_prefix, digest, master_key_id, box, generated_at, last_used_at,
               last_used_ip
        FROM api_keys
        """

    static let insert = SQL(
        """
        INSERT INTO api_keys
            (user_id, key_id, version, shown_prefix, digest, master_key_id, box, generated_at, is_imported)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """)
    static let ofUser = SQL("\(columns) WHERE user_id = $1")
    static let notSealedUnder = SQL("\(columns) WHERE master_key_id <> $1 ORDER BY user_id LIMIT $2")
    static let page = SQL("\(columns) WHERE user_id > $1 ORDER BY user_id LIMIT $2")
    static let countBySeal = SQL("SELECT master_key_id, count(*) AS keys FROM api_keys GROUP BY master_key_id")
    static let replace = SQL(
        """
        UPDATE api_keys
        SET key_id = $1, version = $2, shown_prefix = $3, digest = $4, master_key_id = $5, box = $6,
            generated_at = $7, last_used_at = NULL, last_used_ip = NULL, is_imported = $9
        WHERE user_id = $8 AND version = $2 - 1
        """)
    static let reseal = SQL(
        """
        UPDATE api_keys SET master_key_id = $1, box = $2, digest = $3
        WHERE user_id = $4 AND key_id = $5 AND version = $6
        """)
    /// The key's id keeps a late flush off the key that took its place. A use from a clock that was ahead gives way.
    static let recordUse = SQL(
        """
        UPDATE api_keys SET last_used_at = $1, last_used_ip = $2
        WHERE user_id = $3 AND key_id = $4
          AND (last_used_at IS NULL OR last_used_at < $1 OR last_used_at > $5)
        """)
    /// Moves the live key's digest among those that lived here: before a key is replaced, and before it goes.
    static let endLiveKey = SQL(
        """
        INSERT INTO past_keys (digest, master_key_id, user_id, ended_at)
        SELECT digest, master_key_id, user_id, CAST($2 AS BIGINT) FROM api_keys WHERE user_id = $1
        ON CONFLICT (digest) DO NOTHING
        """)
    static let pastKeys = SQL(
        "SELECT digest, master_key_id, user_id, ended_at FROM past_keys WHERE user_id = $1 ORDER BY ended_at, digest")

    static let pastKey = SQL("SELECT digest, master_key_id, user_id, ended_at FROM past_keys WHERE digest = $1")

    static let findRequest = SQL(
        """
        SELECT request_digest, resource FROM idempotent_requests
        WHERE scope = $1 AND key_digest = $2 AND at >= $3 AND at <= $4
        """)
    /// Adds a key, or takes over one that counts no more; touches no row where it counts.
    static let claimRequest = SQL(
        """
        INSERT INTO idempotent_requests (scope, key_digest, request_digest, resource, at) VALUES ($1, $2, $3, '', $4)
        ON CONFLICT (scope, key_digest) DO UPDATE
        SET request_digest = excluded.request_digest, resource = excluded.resource, at = excluded.at
        WHERE idempotent_requests.at < $5 OR idempotent_requests.at > $6
        """)
    static let recordRequest = SQL(
        """
        INSERT INTO idempotent_requests (scope, key_digest, request_digest, resource, at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (scope, key_digest) DO UPDATE
        SET request_digest = excluded.request_digest, resource = excluded.resource, at = excluded.at
        """)
    static let requests = SQL("SELECT key_digest FROM idempotent_requests WHERE scope = $1 ORDER BY key_digest")
    static let oldRequests = SQL(
        """
        SELECT scope, key_digest FROM idempotent_requests
        WHERE at < $1 OR at > $2 ORDER BY scope, key_digest LIMIT $3
        """)
    static let removeRequests = SQL("DELETE FROM idempotent_requests WHERE scope = $1")
    static let removeRequest = SQL("DELETE FROM idempotent_requests WHERE scope = $1 AND key_digest = $2")

    static let all = [
        insert, ofUser, notSealedUnder, page, countBySeal, replace, reseal, recordUse, endLiveKey, pastKeys,
        pastKey,
        findRequest, claimRequest, recordRequest, requests, oldRequests, removeRequests, removeRequest,
    ]
}

extension SQLStore {
    package func account(keyDigests: [[UInt8]]) async throws -> Account? {
        try await shortRead { connection in
            // One for each master key that is not retired: nearly always one in all.
            for digest in keyDigests {
                let rows = try connection.rows(AccountSQL.byDigest, [.bytes(digest)])
                if !rows.isEmpty { return try StoredValues.accounts(rows).first }
            }
            return nil
        }
    }

    package func findKey(digests: [[UInt8]]) async throws -> FoundKey? {
        try await shortRead { connection in
            for digest in digests {
                let rows = try connection.rows(AccountSQL.byDigest, [.bytes(digest)])
                if let account = try StoredValues.accounts(rows).first { return .live(account) }
            }
            for digest in digests {
                guard let row = try connection.first(KeySQL.pastKey, [.bytes(digest)]) else { continue }
                return .ended(try StoredValues.pastKey(row))
            }
            return nil
        }
    }

    package func key(of userID: UserID) async throws -> APIKey? {
        try await shortRead { connection in
            try connection.first(KeySQL.ofUser, [.id(userID)]).map { try StoredValues.key($0) }
        }
    }

    package func revealKey(
        of userID: UserID, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> (key: APIKey, sealed: SealedKey) {
        let locks = RowLocks([(.user(userID), .share), (.apiKey(of: userID), .share)])
        return try await write(by: authority, needs: requirement, audit: audit, locking: locks) { connection, _ in
            guard let row = try connection.first(KeySQL.ofUser, [.id(userID)]) else {
                throw KeybearerError.noSuchAccount
            }
            let key = try StoredValues.key(row)
            return .changes(
                (key, try StoredValues.sealed(row)),
                // A request that the server makes shows it to nobody.
                with: audit.action == .keyRevealed
                    ? try Self.showing(key, of: userID, requirement, authority, audit, connection) : [])
        }
    }

    /// What is noted when somebody is shown a key: by whom that of a service account, since whoever leaves the workspace
    /// afterwards still has it, and on which device.
    private static func showing(
        _ key: APIKey, of userID: UserID, _ requirement: Requirement?, _ authority: Authority, _ audit: AuditEvent,
        _ connection: any SQLConnection
    ) throws -> [SQLStatement] {
        guard requirement?.serviceAccountID == userID, let viewer = authority.userID else {
            return try noteDevice(of: audit, userID, connection)
        }
        let name = try account(userID, connection)?.user.name
        return [seeing(key.id, of: userID, by: viewer, at: audit.at)]
            + (try noteDevice(of: audit, viewer, serviceAccount: name, connection))
    }

    package func replaceKey(
        _ replacement: KeyReplacement, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<KeyReplacementOutcome> {
        try await change(
            Self.replacing(replacement), by: authority, needs: requirement, audit: audit)
    }

    /// Puts a new key in the place of the one with the version before it.
    static func replacing(_ replacement: KeyReplacement) -> Write<KeyReplacementOutcome> {
        let userID = replacement.userID
        var locks = RowLocks([
            (.user(userID), .share), (.apiKey(of: userID), .replace),
            (.masterKey(replacement.sealed.masterKeyID), .share),
        ])
        // One clock stamps and judges idempotency keys, whichever node has the request.
        locks.readsTime = replacement.request != nil
        return Write(.user(userID), locking: locks) { connection, locked in
            guard let live = locked[.apiKey(of: userID)] else { return .nothing(.noSuchUser) }
            let now = locked.now(replacement.key.generatedAt)
            if let earlier = try earlierOutcome(replacement, at: now, connection) { return .nothing(earlier) }
            guard try live.requiredNumber("version") == Int64(replacement.key.version - 1) else {
                // What was refused is not remembered.
                if let request = replacement.request {
                    try connection.execute(KeySQL.removeRequest, [.text(request.scope), .bytes(request.keyDigest)])
                }
                return .nothing(.versionMoved)
            }
            try locked.requireSealing(under: replacement.sealed.masterKeyID, connection)
            try connection.execute(KeySQL.endLiveKey, [.id(userID), .time(replacement.key.generatedAt)])
            try putKey(replacement, connection)
            if locked.serviceWorkspace(of: userID) != nil {
                try connection.execute(ServiceAccountSQL.removeViews, [.id(userID)])
            }
            locked.values.record(before: live.text("shown_prefix"), after: replacement.key.shownPrefix)
            return .changes(.replaced, with: remembering(replacement, at: now))
        }
    }

    package func pastKeys(of userID: UserID) async throws -> [PastKey] {
        try await shortRead { connection in
            try connection.rows(KeySQL.pastKeys, [.id(userID)]).map { try StoredValues.pastKey($0) }
        }
    }

    package func removeOldRequests(now: Timestamp) async throws {
        try await remove(Self.oldRequests, now: now)
        try await remove(DeletedAccountWindows.old, now: now)
    }

    private static let oldRequests = OldRows(
        find: KeySQL.oldRequests, bounds: { remembered($0) }, remove: KeySQL.removeRequest,
        key: { [.text(try $0.requiredText("scope")), .bytes(try $0.requiredBytes("key_digest"))] })

    /// How long an idempotency key is remembered.
    private static let requestMemory: Duration = .seconds(24 * 3600)

    /// The oldest and the newest time that count. A time further ahead came from a wrong clock; its key would be
    /// remembered until then.
    static func remembered(_ now: Timestamp) -> [SQLValue] {
        [
            .time(now.advanced(by: .zero - requestMemory)),
            .time(now.advanced(by: SessionPolicy.clockTolerance)),
        ]
    }

    /// Takes the idempotency key for this transaction, or finds what the same one led to before. Whoever sends it at the
    /// same moment, for this account or, with an operator token, for another, waits here and sees what this one did.
    ///
    /// - Parameter now: by the clock that stamps idempotency keys.
    /// - Returns: nil when it was not seen, or longer ago than it is remembered.
    private static func earlierOutcome(
        _ replacement: KeyReplacement, at now: Timestamp, _ connection: any SQLConnection
    ) throws -> KeyReplacementOutcome? {
        guard let request = replacement.request else { return nil }
        let name = [SQLValue.text(request.scope), .bytes(request.keyDigest)]
        let claimed = try connection.execute(
            KeySQL.claimRequest, name + [.bytes(request.requestDigest), .time(now)] + remembered(now))
        guard claimed == 0, let found = try connection.first(KeySQL.findRequest, name + remembered(now)) else {
            return nil
        }
        // Version 0.1 did not keep what was asked.
        if let asked = found.bytes("request_digest"), asked != request.requestDigest { return .anotherRequest }
        guard let row = try connection.first(KeySQL.ofUser, [.id(replacement.userID)]) else { return .noSuchUser }
        let key = try StoredValues.key(row)
        guard try found.requiredText("resource") == key.id.rawValue else { return .superseded }
        return .replayed(key, try StoredValues.sealed(row))
    }

    static func putKey(_ replacement: KeyReplacement, _ connection: any SQLConnection) throws {
        let touched = try connection.execute(
            KeySQL.replace,
            [
                .id(replacement.key.id), .number(replacement.key.version), .text(replacement.key.shownPrefix),
                .bytes(replacement.sealed.digest), .id(replacement.sealed.masterKeyID), .bytes(replacement.sealed.box),
                .time(replacement.key.generatedAt), .id(replacement.userID), .flag(false),
            ])
        guard touched == 1 else { throw KeybearerError.unreadable("api_keys.version") }
    }

    private static func remembering(_ replacement: KeyReplacement, at now: Timestamp) -> [SQLStatement] {
        guard let request = replacement.request else { return [] }
        return [
            SQLStatement(
                KeySQL.recordRequest,
                [
                    .text(request.scope), .bytes(request.keyDigest), .bytes(request.requestDigest),
                    .id(replacement.key.id), .time(now),
                ])
        ]
    }
}
