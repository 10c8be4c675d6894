/// Keys: found by digest, opened by their holder, replaced as a whole.
package protocol KeyStore: Sendable {
    /// The account whose live key has one of these digests: one indexed query for each. Disabled accounts are returned
    /// too.
    func account(keyDigests: [[UInt8]]) async throws -> Account?
    /// What a token with one of these digests is: in one read, a live key's account or a key that ended. Disabled accounts
    /// are returned too.
    func findKey(digests: [[UInt8]]) async throws -> FoundKey?
    /// What was seen of an account's keys; empty where nothing was.
    func keyHistory(of userID: UserID) async throws -> KeyHistory
    /// The digest prefixes of all live keys that were imported, in one state of the store.
    func importedKeyPrefixes() async throws -> [DigestPrefix]
    /// The record of an account's key.
    func key(of userID: UserID) async throws -> APIKey?
    /// The key of an account with its sealed form, read in the transaction that writes the audit row and that looks at
    /// the authority: what was ended sees no key.
    ///
    /// - Throws: `NOT_FOUND`.
    func revealKey(
        of userID: UserID, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> (key: APIKey, sealed: SealedKey)
    /// Puts a new key in the place of the one with the version before it: never two, never none. The old one's digest
    /// goes to the keys that lived here.
    func replaceKey(
        _ replacement: KeyReplacement, by authority: Authority, needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<KeyReplacementOutcome>
    /// Lets an account's key be used from these networks alone, or from everywhere again.
    ///
    /// - Parameter version: that of the account's record that the caller has seen; nil for any.
    /// - Throws: `NOT_FOUND`; `CONFLICT` for another version, and while a node is registered that would not look at them.
    func setAllowedNetworks(
        _ networks: AllowedNetworks?, of userID: UserID, version: Int?, by authority: Authority,
        needs requirement: Requirement?, audit: AuditEvent
    ) async throws -> Committed<Void>
    /// The keys that an account had before, the first one first; also of an account that was deleted.
    func pastKeys(of userID: UserID) async throws -> [PastKey]
    /// Forgets the idempotency keys of more than a day ago.
    func removeOldRequests(now: Timestamp) async throws
    /// Up to `limit` keys that are not sealed under this master key.
    func keys(notSealedUnder id: MasterKeyID, limit: Int) async throws -> [StoredKey]
    /// Puts new sealed forms in the place of old ones, each only if the key is still the one that was read.
    func reseal(_ keys: [StoredKey], by authority: Authority, audit: AuditEvent) async throws
    /// Refuses from now on to store a key that is sealed under one of these master keys: `UNAVAILABLE`.
    func retireMasterKeys(_ ids: [MasterKeyID], by authority: Authority, audit: AuditEvent) async throws
    /// How many live keys are sealed under each master key.
    func sealedKeyCounts() async throws -> [MasterKeyID: Int]
    /// All live keys in their sealed form, a page after another in the order of user ids.
    func storedKeys(after userID: UserID?, limit: Int) async throws -> [StoredKey]
    /// The master keys that a process must hold to work on this database, and those that were retired.
    func masterKeys() async throws -> [MasterKeyRecord]
    /// Notes what master keys are good for, and their fingerprints.
    func putMasterKeys(_ records: [MasterKeyRecord]) async throws
    /// Notes these master keys where none is in use yet: of several callers at the same moment exactly one succeeds.
    ///
    /// - Returns: the records as they are afterwards.
    func claimMasterKeys(_ records: [MasterKeyRecord]) async throws -> [MasterKeyRecord]
    /// Notes these master keys where one in use has no fingerprint yet.
    ///
    /// - Returns: the records as they are afterwards.
    func stampMasterKeys(_ records: [MasterKeyRecord]) async throws -> [MasterKeyRecord]
    /// Notes that nothing is sealed under these retired master keys any more, where that is so, and that no tag of
    /// theirs is carried, where no live session or operator token does and the caller found no key that does.
    ///
    /// - Parameter carried: those whose tag a live key carries.
    /// - Returns: those that are still needed for their tag.
    /// - Throws: `CONFLICT` when a key is sealed under one of them.
    func releaseMasterKeys(
        _ ids: [MasterKeyID], keepingTagsOf carried: Set<MasterKeyID>
    ) async throws -> Set<MasterKeyID>
    /// The master keys whose tag a live session or operator token carries.
    func tagKeysOfTokens() async throws -> Set<MasterKeyID>
}

/// What a digest was found to be of.
package enum FoundKey: Sendable {
    case live(Account)
    case ended(PastKey)
}

/// A key that was replaced, revoked or deleted.
package struct PastKey: Sendable, Hashable {
    /// Its digest.
    package let digest: [UInt8]
    /// The master key under which it was digested.
    package let masterKeyID: MasterKeyID
    /// Whose key it was.
    package let userID: UserID
    /// When it ended.
    package let endedAt: Timestamp

    /// Puts the parts together.
    package init(digest: [UInt8], masterKeyID: MasterKeyID, userID: UserID, endedAt: Timestamp) {
        self.digest = digest
        self.masterKeyID = masterKeyID
        self.userID = userID
        self.endedAt = endedAt
    }
}

/// A key as the store has it.
package struct StoredKey: Sendable, Hashable {
    /// Whose key.
    package let userID: UserID
    /// The record's id.
    package let keyID: KeyID
    /// The record's version.
    package let version: Int
    /// The sealed form.
    package let sealed: SealedKey

    /// Puts the parts together.
    package init(userID: UserID, keyID: KeyID, version: Int, sealed: SealedKey) {
        self.userID = userID
        self.keyID = keyID
        self.version = version
        self.sealed = sealed
    }
}
