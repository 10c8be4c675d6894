public import Keybearer

enum MasterKeySQL {
    static let list = SQL(
        "SELECT id, is_retired, seals, tags, tag_fingerprint, digest_fingerprint FROM master_keys ORDER BY id")
    static let addMissing = SQL(
        """
        INSERT INTO master_keys (id, is_retired, seals, tags) VALUES ($1, $2, $3, $3)
        ON CONFLICT (id) DO NOTHING
        """)
    static let retire = SQL(
        """
        INSERT INTO master_keys (id, is_retired, seals, tags) VALUES ($1, $2, $3, $3)
        ON CONFLICT (id) DO UPDATE SET is_retired = excluded.is_retired
        """)
    static let put = SQL(
        """
        INSERT INTO master_keys (id, is_retired, seals, tags, tag_fingerprint, digest_fingerprint)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (id) DO UPDATE
        SET seals = excluded.seals, tags = excluded.tags,
            tag_fingerprint = coalesce(excluded.tag_fingerprint, master_keys.tag_fingerprint),
            digest_fingerprint = coalesce(excluded.digest_fingerprint, master_keys.digest_fingerprint)
        """)
    static let tagsOfTokens = SQL(
        """
        SELECT tag_key_id FROM sessions WHERE tag_key_id IS NOT NULL
        UNION SELECT tag_key_id FROM operator_tokens WHERE tag_key_id IS NOT NULL
        """)

    static let all = [list, addMissing, retire, put, tagsOfTokens]
}

extension SQLStore {
    public func keys(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [StoredKey] {
        try await engine.read { connection in
            try connection.rows(KeySQL.notSealedUnder, [.id(id), .number(max(0, limit))])
                .map { try StoredValues.storedKey($0) }
        }
    }

    public func storedKeys(after userID: UserID?, limit: Int) async throws -> [StoredKey] {
        try await engine.read { connection in
            try connection.rows(KeySQL.page, [.text(userID?.rawValue ?? ""), .number(max(0, limit))])
                .map { try StoredValues.storedKey($0) }
        }
    }

    public func reseal(_ keys: [StoredKey], by authority: Authority, audit: AuditEvent) async throws {
        let sealing = Set(keys.map(\.sealed.masterKeyID))
        try await write(
            by: authority, audit: audit, locking: RowLocks(sealing.map { (.masterKey($0), .share) })
        ) { connection, locked in
            for id in sealing { try locked.requireSealing(under: id, connection) }
            // In one order everywhere: two that seal at the same time must not wait for each other.
            try connection.executeMany(
                KeySQL.reseal,
                keys.sorted { $0.userID < $1.userID }.map { key in
                    [
                        .id(key.sealed.masterKeyID), .bytes(key.sealed.box), .bytes(key.sealed.digest),
                        .id(key.userID), .id(key.keyID), .number(key.version),
                    ]
                })
            return .changes((), with: [])
        }
    }

    public func retireMasterKeys(
        _ ids: [MasterKeyID], by authority: Authority, audit: AuditEvent
    ) async throws {
        let ids = Set(ids).sorted()
        try await write(
            by: authority, audit: audit, locking: RowLocks(ids.map { (.masterKey($0), .update) })
        ) { connection, _ in
            try connection.executeMany(MasterKeySQL.retire, ids.map { [.id($0), .flag(true), .flag(false)] })
            return .changes((), with: [])
        }
    }

    public func sealedKeyCounts() async throws -> [MasterKeyID: Int] {
        try await engine.read { connection in
            Dictionary(
                try connection.rows(KeySQL.countBySeal).map {
                    (MasterKeyID(rawValue: try $0.requiredText("master_key_id")), Int(try $0.requiredNumber("keys")))
                }, uniquingKeysWith: +)
        }
    }

    public func masterKeys() async throws -> [MasterKeyRecord] {
        try await engine.read { try $0.rows(MasterKeySQL.list).map { try StoredValues.masterKey($0) } }
    }

    public func putMasterKeys(_ records: [MasterKeyRecord]) async throws {
        try await maintain { connection in
            try connection.executeMany(
                MasterKeySQL.put,
                records.sorted { $0.id < $1.id }.map { record in
                    [
                        .id(record.id), .flag(record.isRetired), .flag(record.seals), .flag(record.tags),
                        record.tagFingerprint.map { .bytes($0) } ?? .null,
                        record.digestFingerprint.map { .bytes($0) } ?? .null,
                    ]
                })
        }
    }

    public func tagKeysOfTokens() async throws -> Set<MasterKeyID> {
        try await engine.read { connection in
            Set(
                try connection.rows(MasterKeySQL.tagsOfTokens)
                    .map { MasterKeyID(rawValue: try $0.requiredText("tag_key_id")) })
        }
    }
}

extension LockedRows {
    /// Refuses to keep what is sealed under a retired master key: a process that still holds an old ring must not make
    /// a key that no ring opens. A retirement that is being committed is waited for.
    ///
    /// - Throws: `UNAVAILABLE`.
    func requireSealing(under id: MasterKeyID, _ connection: any SQLConnection) throws {
        var row = self[.masterKey(id)]
        if row == nil {
            // The first use of a new master key: its row appears with it.
            try connection.execute(MasterKeySQL.addMissing, [.id(id), .flag(false), .flag(true)])
            row = try RowLocks([(.masterKey(id), .share)]).acquire(connection)[.masterKey(id)]
        }
        guard let row, try !row.requiredFlag("is_retired") else { throw KeybearerError.masterKeysRotated }
    }
}
