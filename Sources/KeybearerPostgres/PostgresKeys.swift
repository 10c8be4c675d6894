public import Keybearer

extension PostgresStore {
    public func account(keyDigests: [[UInt8]]) async throws -> Account? {
        if keyDigests.isEmpty { return nil }
        return try await read { connection in
            let rows = try connection.execute(
                "\(Self.selectAccounts) WHERE k.digest = ANY ($1::bytea[]) \(StoredValues.accountOrder)",
                [.byteArrays(keyDigests)]
            ).rows
            return try StoredValues.accounts(rows).first
        }
    }

    public func sealedKey(of userID: UserID) async throws -> (key: APIKey, sealed: SealedKey)? {
        try await read { connection in
            let row = try connection.execute("\(Self.selectKeys) WHERE user_id = $1", [.text(userID.rawValue)]).first
            return try row.map { (try StoredValues.key($0), try StoredValues.sealed($0)) }
        }
    }

    public func recordReveal(audit: AuditEvent) async throws {
        try await transaction { _ in [Self.record(audit)] }
    }

    public func keys(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [StoredKey] {
        try await read { connection in
            try connection.execute(
                "\(Self.selectKeys) WHERE master_key_id <> $1 ORDER BY user_id LIMIT $2",
                [.text(id.rawValue), .number(max(0, limit))]
            ).rows.map { try StoredValues.storedKey($0) }
        }
    }

    public func reseal(_ keys: [StoredKey], audit: AuditEvent) async throws {
        try await transaction { connection in
            let allowed = try connection.execute(
                "SELECT retired FROM sealing WHERE NOT (retired && $1::text[]) FOR SHARE",
                [.texts(keys.map(\.sealed.masterKeyID.rawValue))])
            guard allowed.first != nil else { throw KeybearerError.masterKeysRotated }
            // In one order everywhere: two that seal anew at once must not wait for each other.
            for key in keys.sorted(by: { $0.userID < $1.userID }) {
                try connection.execute(
                    """
                    UPDATE api_keys SET master_key_id = $1, box = $2, digest = $3
                    WHERE user_id = $4 AND key_id = $5 AND version = $6
                    """,
                    [
                        .text(key.sealed.masterKeyID.rawValue), .bytes(key.sealed.box), .bytes(key.sealed.digest),
                        .text(key.userID.rawValue), .text(key.keyID.rawValue), .number(key.version),
                    ])
            }
            return [Self.record(audit)]
        }
    }

    public func retireMasterKeys(_ ids: [MasterKeyID], audit: AuditEvent) async throws {
        try await transaction { connection in
            try connection.execute(
                """
                UPDATE sealing SET retired = ARRAY (
                    SELECT DISTINCT id FROM unnest(retired || $1::text[]) AS id ORDER BY id)
                """,
                [.texts(ids.map(\.rawValue))])
            return [Self.record(audit)]
        }
    }

    public func sealedKeyCounts() async throws -> [MasterKeyID: Int] {
        try await read { connection in
            let rows = try connection.execute(
                "SELECT master_key_id, count(*) AS keys FROM api_keys GROUP BY master_key_id"
            ).rows
            return Dictionary(
                try rows.map {
                    (MasterKeyID(rawValue: try $0.requiredText("master_key_id")), Int(try $0.requiredNumber("keys")))
                }, uniquingKeysWith: +)
        }
    }

    public func storedKeys(after userID: UserID?, limit: Int) async throws -> [StoredKey] {
        try await read { connection in
            try connection.execute(
                "\(Self.selectKeys) WHERE user_id > $1 ORDER BY user_id LIMIT $2",
                [.text(userID?.rawValue ?? ""), .number(max(0, limit))]
            ).rows.map { try StoredValues.storedKey($0) }
        }
    }

    /// One statement for the batch. The rows are locked in the order of their ids first, so that two nodes which write
    /// the uses of the same keys never wait for each other.
    public func recordLastUses(_ uses: [(keyID: KeyID, use: LastUse)]) async throws {
        if uses.isEmpty { return }
        try await write { connection in
            // The key's id in the WHERE keeps a late flush off the key that took its place.
            _ = try connection.execute(
                """
                WITH uses AS (
                    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[]) AS uses (key_id, at, address)
                ), locked AS (
                    SELECT k.key_id FROM api_keys k JOIN uses ON uses.key_id = k.key_id
                    WHERE k.last_used_at IS NULL OR k.last_used_at < uses.at
                    ORDER BY k.key_id FOR UPDATE OF k
                )
                UPDATE api_keys SET last_used_at = uses.at, last_used_ip = uses.address
                FROM uses JOIN locked ON locked.key_id = uses.key_id
                WHERE api_keys.key_id = uses.key_id
                  AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < uses.at)
                """,
                [
                    .texts(uses.map(\.keyID.rawValue)), .numbers(uses.map(\.use.at.millisecondsSinceEpoch)),
                    .texts(uses.map(\.use.address.description)),
                ])
        }
    }

    private static let selectKeys = """
        SELECT user_id, key_id, version, shown_prefix, digest, master_key_id, box, generated_at, last_used_at,
               last_used_ip
        FROM api_keys
        """
}
