/// The credentials of operators' programs: making, listing, revoking and checking them.
public final class OperatorTokenService: Sendable {
    private let context: ServiceContext

    init(context: ServiceContext) {
        self.context = context
    }

    /// Makes a token. The secret is in this answer and nowhere else.
    ///
    /// - Throws: `VALIDATION_FAILED` for a name that is empty or longer than 80 characters, or when no scope is given.
    public func create(
        name: String, scopes: Set<OperatorScope>, by origin: Origin
    ) async throws -> (token: OperatorToken, secret: OperatorSecret) {
        guard (1...80).contains(name.count), !scopes.isEmpty else {
            throw KeybearerError.validation(["name": "Give a name of 1 to 80 characters, and a scope."])
        }
        let secret = OperatorSecret(from: context.random)
        let token = OperatorToken(
            id: .random(from: context.random), name: name, scopes: scopes, createdAt: context.clocks.wall())
        try await context.store.createOperatorToken(
            token, digest: secret.digest,
            audit: context.event(.operatorTokenCreated, by: origin, detail: token.id.rawValue))
        return (token, secret)
    }

    /// Every token that was not revoked, oldest first.
    public func list() async throws -> [OperatorToken] { try await context.store.operatorTokens() }

    /// Takes a token away. It is read on every request, so it is dead everywhere when this returns.
    ///
    /// - Throws: `NOT_FOUND` when there is no such token.
    public func revoke(_ id: OperatorTokenID, by origin: Origin) async throws {
        try await context.store.revokeOperatorToken(
            id, audit: context.event(.operatorTokenRevoked, by: origin, detail: id.rawValue))
    }

    /// The token of a secret that was presented.
    ///
    /// - Throws: `UNAUTHORIZED` when there is none; `FORBIDDEN` when it lacks the scope; `UNAVAILABLE`.
    public func authenticate(_ secret: OperatorSecret, for scope: OperatorScope) async throws -> OperatorToken {
        guard let token = try await context.store.operatorToken(digest: secret.digest) else {
            throw KeybearerError(.unauthorized, "The operator token is not valid.")
        }
        guard token.scopes.contains(scope) else {
            throw KeybearerError(.forbidden, "The operator token lacks the scope \(scope.rawValue).")
        }
        return token
    }
}
