/// Who asks for something of the operator API: one of the operator's programs, or the operator at the command line.
public struct OperatorCaller: Sendable {
    /// What a change is made by.
    public let authority: Authority
    /// What the token is good for; nil at the command line, where everything is allowed.
    private let token: OperatorToken?

    /// A program with its token.
    public init(_ token: OperatorToken, from address: IPAddress) {
        authority = Authority(.operatorToken(token.id), from: address)
        self.token = token
    }

    private init() {
        authority = .commandLine
        token = nil
    }

    /// The operator of this machine.
    public static let commandLine = OperatorCaller()

    /// Refuses what the token was not made for.
    ///
    /// - Throws: `FORBIDDEN`, naming the scope.
    public func require(_ scope: OperatorScope) throws(KeybearerError) { try token?.require(scope) }

    /// Whether the token is good for something.
    public func has(_ scope: OperatorScope) -> Bool { token?.scopes.contains(scope) ?? true }

    /// Whose idempotency keys these are.
    package var requestScope: String { token?.id.rawValue ?? "cli" }

    /// The master key whose tag the caller's token carries; nil at the command line, and for a token without a tag.
    var tagKeyID: MasterKeyID? { token?.tagKeyID }

    /// Names an address that counts as the person's without further proof.
    var vouchesForAddresses: Bool { token == nil }
}
