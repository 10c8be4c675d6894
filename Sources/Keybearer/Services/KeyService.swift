import Crypto

/// What an account holder does with the one Secret Key: look at its record, reveal it, regenerate it.
public final class KeyService: Sendable {
    private let context: ServiceContext
    private let settler: any ChangeSettling
    private let gate: Gate?

    init(context: ServiceContext, settler: any ChangeSettling, gate: Gate?) {
        self.context = context
        self.settler = settler
        self.gate = gate
    }

    /// The key's record, with the last use as this process knows it.
    ///
    /// - Throws: `NOT_FOUND`, `UNAVAILABLE`.
    public func metadata(of userID: UserID) async throws -> APIKey {
        guard let (key, _) = try await sealedKey(of: userID) else { throw Self.noAccount }
        return withLatestUse(key, of: userID)
    }

    /// The record with the later of its own last use and the one that memory has not written yet.
    public func withLatestUse(_ key: APIKey, of userID: UserID) -> APIKey {
        guard let use = gate?.unwrittenLastUse(of: userID, keyID: key.id) else { return key }
        var key = key
        if key.lastUse.map({ $0.at < use.at }) ?? true { key.lastUse = use }
        return key
    }

    /// The key's characters, to be shown to its holder. Audited before it is answered.
    ///
    /// - Throws: `NOT_FOUND`, `UNAVAILABLE`.
    public func reveal(_ userID: UserID, by origin: Origin) async throws -> SecretKey {
        guard let (key, sealed) = try await sealedKey(of: userID) else { throw Self.noAccount }
        let secret = try context.vault.current.open(sealed, userID: userID, keyID: key.id, version: key.version)
        try await context.store.recordReveal(audit: context.event(.keyRevealed, by: origin, user: userID))
        return secret
    }

    /// Puts a new key in the old one's place and answers when no node accepts the old one any more.
    ///
    /// Replaying with the same idempotency key answers the same new key and never makes another.
    ///
    /// - Parameter idempotencyKey: 1 to 255 visible ASCII characters, or nil.
    /// - Throws: `BAD_REQUEST` for a malformed idempotency key; `CONFLICT` when the replayed key has been replaced
    ///   since; `NOT_FOUND`; `UNAVAILABLE`, which means unchanged or unknown: a replay settles it.
    public func regenerate(
        _ userID: UserID, idempotencyKey: String?, by origin: Origin
    ) async throws -> (secret: SecretKey, key: APIKey) {
        try await withTaskExecutorPreference(context.thread) {
            try await regenerateOnThread(userID, idempotencyKey: idempotencyKey, by: origin)
        }
    }

    private func regenerateOnThread(
        _ userID: UserID, idempotencyKey: String?, by origin: Origin
    ) async throws -> (secret: SecretKey, key: APIKey) {
        let idempotencyDigest = try idempotencyKey.map { try Self.digest(ofIdempotencyKey: $0) }
        if let idempotencyDigest,
            let earlier = try await context.store.replacement(of: userID, idempotencyDigest: idempotencyDigest)
        {
            return try await conclude(earlier, userID: userID)
        }
        // Each round loses only to another regenerate of the same account that won.
        for _ in 0..<32 {
            guard let (old, _) = try await context.store.sealedKey(of: userID) else { throw Self.noAccount }
            let replacement = try makeReplacement(of: old, userID: userID, idempotencyDigest: idempotencyDigest)
            let outcome = try await context.store.replaceKey(
                replacement, audit: context.event(.keyRegenerated, by: origin, user: userID))
            if outcome == .versionMoved { continue }
            return try await conclude(outcome, userID: userID, version: replacement.key.version)
        }
        throw KeybearerError(.conflict, "The key is being regenerated elsewhere. Look at it again.")
    }

    private func sealedKey(of userID: UserID) async throws -> (key: APIKey, sealed: SealedKey)? {
        try await withTaskExecutorPreference(context.thread) { try await context.store.sealedKey(of: userID) }
    }

    private func makeReplacement(
        of old: APIKey, userID: UserID, idempotencyDigest: [UInt8]?
    ) throws -> KeyReplacement {
        let vault = context.vault.current
        let secret = try vault.issue(prefix: context.settings.keyPrefix, random: context.random)
        let key = APIKey(
            id: .random(from: context.random), version: old.version + 1, shownPrefix: secret.shownPrefix,
            generatedAt: context.clocks.wall())
        let sealed = try vault.seal(secret, userID: userID, keyID: key.id, version: key.version)
        return KeyReplacement(userID: userID, key: key, sealed: sealed, idempotencyDigest: idempotencyDigest)
    }

    /// Waits for the change, then answers the key that is live because of it. A replay waits as well: its first answer
    /// may have been lost before the wait was over.
    ///
    /// - Parameter version: that of the key that was made, if one was. A store that has an older one went back in a
    ///   failover: whether the change is lost for good is unknown.
    private func conclude(
        _ outcome: KeyReplacementOutcome, userID: UserID, version: Int = 0
    ) async throws -> (secret: SecretKey, key: APIKey) {
        switch outcome {
        case .replaced(let position): await settler.settle(position)
        case .replayed(_, let position): await settler.settle(position)
        case .superseded:
            throw KeybearerError(.conflict, "The key that this request made has been regenerated since.")
        case .noSuchUser, .versionMoved: throw Self.noAccount
        }
        guard let (key, sealed) = try await context.store.sealedKey(of: userID) else { throw Self.noAccount }
        guard key.version >= version else { throw KeybearerError.unavailable() }
        if case .replayed(let keyID, _) = outcome, keyID != key.id {
            throw KeybearerError(.conflict, "The key that this request made has been regenerated since.")
        }
        return (try context.vault.current.open(sealed, userID: userID, keyID: key.id, version: key.version), key)
    }

    private static func digest(ofIdempotencyKey text: String) throws(KeybearerError) -> [UInt8] {
        guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw KeybearerError(.badRequest, "Idempotency-Key must be 1 to 255 visible ASCII characters.")
        }
        return Array(SHA256.hash(data: Array(text.utf8)))
    }

    private static let noAccount = KeybearerError(.notFound, "There is no such account.")
}
