/// A regenerate, ready for the store.
public struct KeyReplacement: Sendable {
    /// Whose key.
    public let userID: UserID
    /// The new record; its version is one more than that of the key it replaces.
    public let key: APIKey
    /// The new key, sealed.
    public let sealed: SealedKey
    /// The `Idempotency-Key` that came with the request, if one did.
    public let request: IdempotentRequest?

    /// Puts a replacement together.
    public init(userID: UserID, key: APIKey, sealed: SealedKey, request: IdempotentRequest?) {
        self.userID = userID
        self.key = key
        self.sealed = sealed
        self.request = request
    }
}

/// What became of a regenerate.
public enum KeyReplacementOutcome: Sendable, Equatable {
    /// The new key is in place.
    case replaced
    /// The same idempotency key led to this key before; it is still the live one.
    case replayed(APIKey, SealedKey)
    /// The same idempotency key led to a key that has been replaced since.
    case superseded
    /// The same idempotency key came with another request before.
    case anotherRequest
    /// The live key is not the version that was expected.
    case versionMoved
    /// There is no such account.
    case noSuchUser
}

/// What tells a request that is sent again from another one.
public struct IdempotentRequest: Sendable, Hashable {
    /// SHA-256 of the `Idempotency-Key`.
    public let keyDigest: [UInt8]
    /// SHA-256 of what was asked for.
    public let requestDigest: [UInt8]

    /// Puts both together.
    public init(keyDigest: [UInt8], requestDigest: [UInt8]) {
        self.keyDigest = keyDigest
        self.requestDigest = requestDigest
    }
}
