package import Keybearer

enum ImportedKeySQL {
    /// Served from the index of imported keys alone.
    static let page = SQL(
        "SELECT digest FROM api_keys WHERE is_imported AND digest > $1 ORDER BY digest LIMIT $2")
    /// One statement: a key that is regenerated meanwhile is in one of the two places.
    static let lived = SQL(
        """
        SELECT digest FROM api_keys WHERE digest = $1
        UNION ALL SELECT digest FROM past_keys WHERE digest = $1
        """)

    static let all = [page, lived]
}

extension SQLStore {
    /// How many digests are read at the same time.
    private static let pageSize = 10_000

    package func importedKeyPrefixes() async throws -> [DigestPrefix] {
        // In one state: a rotation moves keys to other digests.
        try await engine.read { connection in
            var (prefixes, last): ([DigestPrefix], [UInt8]) = ([], [])
            while true {
                let rows = try connection.rows(ImportedKeySQL.page, [.bytes(last), .number(Self.pageSize)])
                for row in rows {
                    last = try row.requiredBytes("digest")
                    guard let prefix = DigestPrefix(last) else { throw KeybearerError.unreadable("api_keys.digest") }
                    prefixes.append(prefix)
                }
                if rows.count < Self.pageSize { return prefixes }
            }
        }
    }

    /// What nodes must hear of a new account: of one with a key that was made here, nothing.
    static func subject(of new: NewAccount) -> Change.Subject? {
        guard new.isImported, let prefix = DigestPrefix(new.sealedKey.digest) else { return nil }
        return .importedKeys([prefix])
    }

    /// The rows that making an account locks.
    static func locks(of new: NewAccount) -> RowLocks {
        var locks = RowLocks([(.masterKey(new.sealedKey.masterKeyID), .share)])
        // During a rotation two processes may digest under different master keys, and no unique index would notice that
        // both import the same token. Each waits here for those who make keys under the other's, and who does not know
        // the other's is refused.
        for other in new.importedDigests where other.masterKeyID != new.sealedKey.masterKeyID {
            locks.add(.masterKey(other.masterKeyID), .update)
        }
        return locks
    }

    /// Refuses a key that lives here, or lived here, as far as the digests at hand can tell; and any while a node runs
    /// that would refuse it.
    ///
    /// - Throws: `CONFLICT`; `UNAVAILABLE` where a rotation has begun that this process does not know.
    static func requireImportable(_ new: NewAccount, _ connection: any SQLConnection) throws {
        guard new.isImported else { return }
        try connection.requireNodes(of: NodeVersion.importingKeys, for: "Imported keys")
        try connection.requireSealingKeys(among: new.importedDigests.map(\.masterKeyID))
        // The active master key's last: see KeyVault.namedDigests.
        for known in new.importedDigests {
            if try connection.first(ImportedKeySQL.lived, [.bytes(known.digest)]) != nil {
                throw KeybearerError.keyTaken
            }
        }
    }
}
