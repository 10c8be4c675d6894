import Synchronization

/// The credentials of operators' programs: making, listing, revoking and checking them.
public final class OperatorTokenService: Sendable {
    private let context: ServiceContext
    private let untagged: UntaggedOperatorTokens
    private let node: Node?
    /// When the last use of each token was written by this process, for those of the last minute.
    private let recorded = Lock<[OperatorTokenID: Timestamp]>([:])

    init(context: ServiceContext, node: Node?) {
        self.context = context
        self.node = node
        untagged = UntaggedOperatorTokens(store: context.store, clocks: context.clocks)
    }

    /// Makes a token. The secret is in this answer and nowhere else.
    ///
    /// - Parameter lifetime: after which it ends by itself; nil for never.
    /// - Throws: `VALIDATION_FAILED` for a name that may not be used, or when no scope is given.
    public func create(
        name: String, scopes: Set<OperatorScope>, lifetime: Duration? = nil, by authority: Authority
    ) async throws -> (token: OperatorToken, secret: OperatorSecret) {
        let name = NameRules.normalised(name)
        if let problem = NameRules.problem(with: name) { throw KeybearerError.validation(["name": problem]) }
        guard !scopes.isEmpty else { throw KeybearerError.validation(["scope": "Give a scope."]) }
        try await context.claimNewDatabase()
        let (secret, record) = OperatorSecret.mint(from: context.vault.current, random: context.random)
        let now = context.clocks.wall()
        let token = OperatorToken(
            id: .random(from: context.random), name: name, scopes: scopes, createdAt: now,
            expiresAt: lifetime.map { now.advanced(by: $0) }, shownPrefix: secret.shownPrefix)
        try await context.store.createOperatorToken(
            token, token: record, by: authority,
            audit: context.event(.operatorTokenCreated, by: authority, detail: token.id.rawValue))
        return (token, secret)
    }

    /// Every token that was not revoked, oldest first.
    public func list() async throws -> [OperatorToken] { try await context.store.operatorTokens() }

    /// Takes a token away. It is read on every request, so what comes after this returns is refused everywhere.
    ///
    /// - Throws: `NOT_FOUND` when there is no such token.
    public func revoke(_ id: OperatorTokenID, by authority: Authority) async throws {
        try await context.store.revokeOperatorToken(
            id, by: authority, audit: context.event(.operatorTokenRevoked, by: authority, detail: id.rawValue))
    }

    /// Whether a secret was not made here: told from memory, so that a forgery never reaches the store. Tokens of
    /// version 0.1 carry no tag: all of their digests are in memory.
    ///
    /// - Throws: `UNAVAILABLE` where these could not be read yet.
    public func isForged(_ secret: OperatorSecret) async throws -> Bool {
        if secret.isUntagged { return try await !untagged.contains(secret.digest) }
        return origin(of: secret) == .forged
    }

    private func origin(of secret: OperatorSecret) -> TokenOrigin {
        context.origin(of: secret.characters, kind: .operatorToken, at: node)
    }

    /// The token of a secret that was presented.
    ///
    /// - Throws: `UNAUTHORIZED` when there is none, or it has ended; `UNAVAILABLE`, also for a tag that is not
    ///   recognised by a server that may lack a master key.
    public func authenticate(_ secret: OperatorSecret, from address: IPAddress) async throws -> OperatorToken {
        let refusal = KeybearerError(.unauthorized, "The operator token is not valid.")
        let digest = secret.digest
        if secret.isUntagged {
            guard try await untagged.contains(digest) else { throw refusal }
        } else {
            switch origin(of: secret) {
            case .genuine: break
            case .forged: throw refusal
            case .unknown: throw KeybearerError.unavailable()
            }
        }
        let now = context.clocks.wall()
        guard var token = try await context.store.operatorToken(digest: digest, now: now) else { throw refusal }
        token.tagKeyID = context.vault.current.tagKey(of: secret.characters, kind: .operatorToken)
        await record(LastUse(at: now, address: address), of: token)
        return token
    }

    /// Keeps the last use to the minute: a busy program writes once in a minute on each node, from however many
    /// addresses it comes. A use that cannot be written fails nothing.
    private func record(_ use: LastUse, of token: OperatorToken) async {
        let isRecent = { (last: Timestamp) in (.zero..<Self.useResolution).contains(last.duration(to: use.at)) }
        if let last = token.lastUse, isRecent(last.at) { return }
        let isFirst = recorded.withLock { recorded in
            if let last = recorded[token.id], isRecent(last) { return false }
            recorded = recorded.filter { isRecent($0.value) }
            recorded[token.id] = use.at
            return true
        }
        if isFirst { try? await context.store.recordUse(of: token.id, use) }
    }

    private static let useResolution: Duration = .seconds(60)
}

extension OperatorToken {
    /// Refuses a request for which the token was not made.
    ///
    /// - Throws: `FORBIDDEN`, naming the scope.
    package func require(_ scope: OperatorScope) throws(KeybearerError) {
        guard scopes.contains(scope) else {
            throw KeybearerError(.forbidden, "The operator token lacks the scope \(scope.rawValue).")
        }
    }
}
