/// What an account holder does with the one Secret Key: look at its record, reveal it, regenerate it.
public final class KeyService: Sendable {
    private let context: ServiceContext
    private let propagation: any ChangePropagation
    private let node: Node?

    init(context: ServiceContext, propagation: any ChangePropagation, node: Node?) {
        self.context = context
        self.propagation = propagation
        self.node = node
    }

    /// The key's record, with the last use as this process knows it.
    ///
    /// - Throws: `NOT_FOUND`, `UNAVAILABLE`.
    public func metadata(of userID: UserID) async throws -> APIKey {
        guard let key = try await context.store.key(of: userID) else { throw Self.noAccount }
        return withLatestUse(key, of: userID)
    }

    /// From where the account's key was used, what was refused, and who still tries a key that ended. The last second may
    /// be missing.
    ///
    /// - Throws: `UNAVAILABLE`.
    public func history(of account: Account) async throws -> KeyHistory {
        try await context.store.keyHistory(of: account.user.id).seen(with: account.key.id)
    }

    /// The record with the later of its own last use and the one that memory has not written yet. Either gives way to
    /// the other where it lies ahead of the clock, from a time when that was wrong.
    public func withLatestUse(_ key: APIKey, of userID: UserID) -> APIKey {
        guard let use = node?.unwrittenLastUse(of: userID, keyID: key.id) else { return key }
        let tooFarAhead = context.clocks.wall().advanced(by: SessionPolicy.clockTolerance)
        var key = key
        guard let stored = key.lastUse else {
            key.lastUse = use
            return key
        }
        let isLater = stored.at < use.at && use.at <= tooFarAhead
        if isLater || stored.at > tooFarAhead { key.lastUse = use }
        return key
    }

    /// The key's characters, to be shown to its holder. Audited before it is answered, in the transaction that reads
    /// it.
    ///
    /// - Throws: `NOT_FOUND`, `UNAVAILABLE`; what a new request would get when the authority has ended meanwhile.
    public func reveal(
        _ userID: UserID, by authority: Authority, needs requirement: Requirement? = nil
    ) async throws -> SecretKey {
        try await revealWithRecord(userID, by: authority, needs: requirement).secret
    }

    /// The key's characters with the record that belongs to them, read in one transaction: what shows both never shows
    /// one key's characters beside another's record.
    ///
    /// - Throws: as ``reveal(_:by:needs:)``.
    public func revealWithRecord(
        _ userID: UserID, by authority: Authority, needs requirement: Requirement? = nil
    ) async throws -> (secret: SecretKey, key: APIKey) {
        try await open(userID, as: .keyRevealed, by: authority, needs: requirement)
    }

    /// The key's characters with its record, for one request that is made on behalf of its holder, who does not see them.
    /// Audited as that.
    ///
    /// - Throws: as ``reveal(_:by:needs:)``.
    public func openForTrial(
        _ userID: UserID, by authority: Authority, needs requirement: Requirement
    ) async throws -> (secret: SecretKey, key: APIKey) {
        try await open(userID, as: .keyTried, by: authority, needs: requirement)
    }

    private func open(
        _ userID: UserID, as action: AuditEvent.Action, by authority: Authority, needs requirement: Requirement?
    ) async throws -> (secret: SecretKey, key: APIKey) {
        let (key, sealed) = try await context.store.revealKey(
            of: userID, by: authority, needs: requirement,
            audit: context.event(action, by: authority, user: userID, workspace: requirement?.workspaceID))
        let secret = try context.vault.current.open(sealed, userID: userID, keyID: key.id, version: key.version)
        return (secret, withLatestUse(key, of: userID))
    }

    /// Puts a new key in the old one's place and answers when no node accepts the old one any more.
    ///
    /// Of several at the same time exactly one succeeds. Replaying with the same idempotency key, workspace and version
    /// answers the same new key and never makes another.
    ///
    /// - Parameters:
    ///   - version: the key that is to be replaced, as whoever asks has seen it; nil for the one that asks, or else
    ///     whichever is live.
    ///   - idempotencyKey: 1 to 255 visible ASCII characters, or nil.
    /// - Throws: `BAD_REQUEST` for a malformed idempotency key; `CONFLICT` when the key was replaced meanwhile, or the
    ///   replayed one since; `VALIDATION_FAILED` when the idempotency key came with another request before;
    ///   `NOT_FOUND`; `UNAVAILABLE`, which means unchanged or unknown: a replay settles it.
    public func regenerate(
        _ userID: UserID, version: Int? = nil, idempotencyKey: String?, by authority: Authority,
        needs requirement: Requirement? = nil
    ) async throws -> (secret: SecretKey, key: APIKey) {
        let request = try idempotencyKey.map {
            try Self.request(
                idempotencyKey: $0, of: userID, action: .keyRegenerated, in: requirement?.workspaceID,
                version: version)
        }
        return try await withTaskExecutorPreference(context.thread) {
            try await replace(
                userID, version: version, request: request, action: .keyRegenerated, by: authority, needs: requirement)
        }
    }

    /// Ends the key and puts a new one in its place that only its holder's dashboard shows: whoever asks with a leaked
    /// key ends it and never learns the next one.
    ///
    /// - Throws: as ``regenerate(_:version:idempotencyKey:by:needs:)``.
    public func revoke(_ userID: UserID, by authority: Authority) async throws {
        _ = try await withTaskExecutorPreference(context.thread) {
            try await replace(userID, version: nil, request: nil, action: .keyRevoked, by: authority, needs: nil)
        }
    }

    /// Lets the key be used from these networks alone, or from everywhere again; answers when no node lets another
    /// address pass.
    ///
    /// - Parameter version: that of the account's record, as whoever asks has seen it; nil for any.
    /// - Throws: `CONFLICT` when the record was changed meanwhile, and while a node of an older version runs;
    ///   `NOT_FOUND`; `UNAVAILABLE`.
    public func setAllowedNetworks(
        _ networks: AllowedNetworks?, of userID: UserID, version: Int? = nil, by authority: Authority,
        needs requirement: Requirement? = nil
    ) async throws {
        await propagation.waitUntilApplied(
            try await context.store.setAllowedNetworks(
                networks, of: userID, version: version, by: authority, needs: requirement,
                audit: context.event(.networksChanged, by: authority, user: userID, workspace: requirement?.workspaceID)
            ))
    }

    private func replace(
        _ userID: UserID, version: Int?, request: IdempotentRequest?, action: AuditEvent.Action,
        by authority: Authority, needs requirement: Requirement?
    ) async throws -> (secret: SecretKey, key: APIKey) {
        var replaced = version
        if case .key(_, let asking, _) = authority.credential { replaced = asking }
        if replaced == nil { replaced = try await context.store.key(of: userID)?.version }
        guard let replaced else { throw Self.noAccount(authority, userID) }
        let (replacement, secret) = try makeReplacement(of: replaced, userID: userID, request: request)
        let outcome = await propagation.waitUntilApplied(
            try await context.store.replaceKey(
                replacement, by: authority, needs: requirement,
                audit: context.event(action, by: authority, user: userID, workspace: requirement?.workspaceID)))
        return try await result(outcome, of: replacement, secret: secret, by: authority)
    }

    /// What a replacement came to, for whoever may see the key.
    ///
    /// - Throws: `CONFLICT`, `VALIDATION_FAILED`, `NOT_FOUND`, `UNAVAILABLE`.
    package func result(
        _ outcome: KeyReplacementOutcome, of replacement: KeyReplacement, secret: SecretKey, by authority: Authority
    ) async throws -> (secret: SecretKey, key: APIKey) {
        let userID = replacement.userID
        switch outcome {
        case .replaced:
            // A store that has an older version went back in a failover: whether the change is lost for good is
            // unknown.
            guard let live = try await context.store.key(of: userID), live.version >= replacement.key.version else {
                throw KeybearerError.unavailable()
            }
            return (secret, replacement.key)
        case .replayed(let key, let sealed):
            let vault = context.vault.current
            return (try vault.open(sealed, userID: userID, keyID: key.id, version: key.version), key)
        case .superseded:
            throw KeybearerError(.conflict, "The key that this request made has been regenerated since.")
        case .anotherRequest: throw KeybearerError.anotherRequest
        case .versionMoved:
            throw KeybearerError(.conflict, "The key was regenerated by another request meanwhile. Look at it again.")
        case .noSuchUser: throw Self.noAccount(authority, userID)
        }
    }

    /// A new key, ready for the store.
    func makeReplacement(
        of version: Int, userID: UserID, request: IdempotentRequest?
    ) throws -> (KeyReplacement, SecretKey) {
        let vault = context.vault.current
        let secret = try vault.issue(prefix: context.settings.keyPrefix, random: context.random)
        let key = APIKey(
            id: .random(from: context.random), version: version + 1, shownPrefix: secret.shownPrefix,
            generatedAt: context.clocks.wall())
        let sealed = try vault.seal(secret, userID: userID, keyID: key.id, version: key.version)
        return (KeyReplacement(userID: userID, key: key, sealed: sealed, request: request), secret)
    }

    /// What tells a request that is sent again from another one: all that it asks for. Who asks is no part of it: a
    /// replay comes with the new key.
    private static func request(
        idempotencyKey text: String, of userID: UserID, action: AuditEvent.Action, in workspaceID: WorkspaceID?,
        version: Int?
    ) throws(KeybearerError) -> IdempotentRequest {
        let asked = [action.rawValue, workspaceID.map { "in \($0)" }, version.map { "version \($0)" }]
        return try IdempotentRequest(
            scope: userID.rawValue, key: text, asked: Array(asked.compactMap { $0 }.joined(separator: " ").utf8))
    }

    /// Whoever asks with an account's own credential is answered as anybody is whose credential has ended.
    private static func noAccount(_ authority: Authority, _ userID: UserID) -> KeybearerError {
        authority.userID == userID ? .authorityEnded("The credential is missing or not valid.") : noAccount
    }

    private static let noAccount = KeybearerError(.notFound, "There is no such account.")
}
