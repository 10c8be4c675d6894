package import Keybearer

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
    static let setUse = SQL("UPDATE master_keys SET seals = $1, tags = $2 WHERE id = $3")
    static let anySealed = SQL("SELECT user_id FROM api_keys WHERE master_key_id = $1 LIMIT 1")
    static let tagsOfTokens = SQL(
        """
        SELECT tag_key_id FROM sessions WHERE tag_key_id IS NOT NULL
        UNION SELECT tag_key_id FROM operator_tokens WHERE tag_key_id IS NOT NULL
        UNION SELECT tag_key_id FROM portal_links WHERE used_at IS NULL
        UNION SELECT tag_key_id FROM invitations WHERE accepted_at IS NULL AND withdrawn_at IS NULL
        UNION SELECT tag_key_id FROM mail_links WHERE used_at IS NULL
        """)

    static let all = [list, addMissing, retire, put, setUse, anySealed, tagsOfTokens]
}

extension SQLStore {
    package func keys(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [StoredKey] {
        try await engine.read { connection in
            try connection.rows(KeySQL.notSealedUnder, [.id(id), .number(max(0, limit))])
                .map { try StoredValues.storedKey($0) }
        }
    }

    package func storedKeys(after userID: UserID?, limit: Int) async throws -> [StoredKey] {
        try await engine.read { connection in
            try connection.rows(KeySQL.page, [.text(userID?.rawValue ?? ""), .number(max(0, limit))])
                .map { try StoredValues.storedKey($0) }
        }
    }

    package func reseal(_ keys: [StoredKey], by authority: Authority, audit: AuditEvent) async throws {
        let sealing = Set(keys.map(\.sealed.masterKeyID))
        // The seal's digest is unique, so the update takes the strongest lock: it is taken here, in the one order.
        let locks = RowLocks(sealing.map { (.masterKey($0), .share) } + keys.map { (.apiKey(of: $0.userID), .replace) })
        try await write(by: authority, audit: audit, locking: locks) { connection, locked in
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

    package func retireMasterKeys(
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

    package func sealedKeyCounts() async throws -> [MasterKeyID: Int] {
        try await engine.read { connection in
            Dictionary(
                try connection.rows(KeySQL.countBySeal).map {
                    (MasterKeyID(rawValue: try $0.requiredText("master_key_id")), Int(try $0.requiredNumber("keys")))
                }, uniquingKeysWith: +)
        }
    }

    package func masterKeys() async throws -> [MasterKeyRecord] {
        try await shortRead(on: .fence) { try $0.masterKeys() }
    }

    package func putMasterKeys(_ records: [MasterKeyRecord]) async throws {
        try await record(records) { _ in true }
    }

    package func claimMasterKeys(_ records: [MasterKeyRecord]) async throws -> [MasterKeyRecord] {
        try await record(records) { known in !known.contains(where: \.isInUse) }
    }

    package func stampMasterKeys(_ records: [MasterKeyRecord]) async throws -> [MasterKeyRecord] {
        try await record(records) { known in known.contains(where: \.lacksFingerprint) }
    }

    package func releaseMasterKeys(
        _ ids: [MasterKeyID], keepingTagsOf carried: Set<MasterKeyID>
    ) async throws -> Set<MasterKeyID> {
        try await maintain { connection in
            // Who starts a session holds the row of its tag's master key: it comes before this or finds the tag
            // released.
            _ = try RowLocks(ids.map { (.masterKey($0), .update) }).acquire(connection)
            let needed = carried.union(try connection.tagKeysOfTokens()).intersection(ids)
            for id in Set(ids).sorted() {
                guard try connection.first(MasterKeySQL.anySealed, [.id(id)]) == nil,
                    try connection.first(SecondFactorSQL.anySealed, [.id(id)]) == nil,
                    try connection.first(WebhookEndpointSQL.anySealed, [.id(id)]) == nil
                else {
                    throw KeybearerError.stillSealed
                }
                try connection.execute(MasterKeySQL.setUse, [.flag(false), .flag(needed.contains(id)), .id(id)])
            }
            return needed
        }
    }

    /// Notes master keys, unless what is known by then speaks against it.
    @discardableResult
    private func record(
        _ records: [MasterKeyRecord], if condition: @escaping @Sendable ([MasterKeyRecord]) -> Bool
    ) async throws -> [MasterKeyRecord] {
        let sorted = records.sorted { $0.id < $1.id }
        guard let first = sorted.first else { return try await masterKeys() }
        return try await maintain { connection in
            try connection.execute(
                SettingSQL.lock, [.text(StoredSetting.firstMasterKey.rawValue), .id(first.id)])
            let known = try connection.masterKeys()
            guard condition(known) else { return known }
            _ = try RowLocks(sorted.map { (.masterKey($0.id), .update) }).acquire(connection)
            try connection.executeMany(
                MasterKeySQL.put,
                sorted.map { record in
                    [
                        .id(record.id), .flag(record.isRetired), .flag(record.seals), .flag(record.tags),
                        record.tagFingerprint.map { .bytes($0) } ?? .null,
                        record.digestFingerprint.map { .bytes($0) } ?? .null,
                    ]
                })
            return try connection.masterKeys()
        }
    }

    package func tagKeysOfTokens() async throws -> Set<MasterKeyID> {
        try await engine.read { try $0.tagKeysOfTokens() }
    }
}

extension SQLConnection {
    fileprivate func masterKeys() throws -> [MasterKeyRecord] {
        try rows(MasterKeySQL.list).map { try StoredValues.masterKey($0) }
    }

    /// Refuses what was reckoned without a master key under which this database seals: the process holds an old ring.
    ///
    /// - Throws: `UNAVAILABLE`.
    func requireSealingKeys(among ids: some Collection<MasterKeyID>) throws {
        guard try masterKeys().allSatisfy({ !$0.seals || ids.contains($0.id) }) else {
            throw KeybearerError.masterKeysRotated
        }
    }

    fileprivate func tagKeysOfTokens() throws -> Set<MasterKeyID> {
        Set(
            try rows(MasterKeySQL.tagsOfTokens).map { MasterKeyID(rawValue: try $0.requiredText("tag_key_id")) })
    }
}

extension LockedRows {
    /// Refuses to keep what is sealed under a retired master key: a process that still holds an old ring must not make
    /// a key that no ring opens. A retirement that is being committed is waited for. A master key that the database
    /// does not know belongs to another one.
    ///
    /// - Throws: `UNAVAILABLE`.
    func requireSealing(under id: MasterKeyID, _ connection: any SQLConnection) throws {
        let row = try known(id, connection)
        guard try !row.requiredFlag("is_retired") else { throw KeybearerError.masterKeysRotated }
    }

    /// Refuses to keep a token whose tag nobody recognises any more.
    ///
    /// - Throws: `UNAVAILABLE`.
    func requireTag(of id: MasterKeyID, _ connection: any SQLConnection) throws {
        let row = try known(id, connection)
        guard try row.requiredFlag("tags") else { throw KeybearerError.masterKeysRotated }
    }

    private func known(_ id: MasterKeyID, _ connection: any SQLConnection) throws -> any StoredRow {
        if let row = self[.masterKey(id)] { return row }
        guard try !connection.masterKeys().contains(where: \.isInUse) else { throw KeybearerError.masterKeyUnknown }
        // The first one of a new database.
        try connection.execute(MasterKeySQL.addMissing, [.id(id), .flag(false), .flag(true)])
        guard let row = try RowLocks([(.masterKey(id), .share)]).acquire(connection)[.masterKey(id)] else {
            throw KeybearerError.masterKeyUnknown
        }
        return row
    }
}
