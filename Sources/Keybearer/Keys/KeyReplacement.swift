/// A regenerate, ready for the store.
package struct KeyReplacement: Sendable {
    /// Whose key.
    package let userID: UserID
    /// The new record; its version is one more than that of the key it replaces.
    package let key: APIKey
    /// The new key, sealed.
    package let sealed: SealedKey
    /// The `Idempotency-Key` that came with the request, if one did.
    package let request: IdempotentRequest?

    /// Puts a replacement together.
    package init(userID: UserID, key: APIKey, sealed: SealedKey, request: IdempotentRequest?) {
        self.userID = userID
        self.key = key
        self.sealed = sealed
        self.request = request
    }
}

/// What became of a regenerate.
package enum KeyReplacementOutcome: Sendable, Equatable {
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
package struct IdempotentRequest: Sendable, Hashable {
    /// SHA-256 of the `Idempotency-Key`.
    package let keyDigest: [UInt8]
    /// SHA-256 of what was asked for.
    package let requestDigest: [UInt8]

    /// Puts both together.
    package init(keyDigest: [UInt8], requestDigest: [UInt8]) {
        self.keyDigest = keyDigest
        self.requestDigest = requestDigest
    }
}
