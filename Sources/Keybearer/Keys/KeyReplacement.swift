import Crypto

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
    /// Whose keys they are: an account's or an operator token's id.
    package let scope: String
    /// SHA-256 of the `Idempotency-Key`.
    package let keyDigest: [UInt8]
    /// SHA-256 of what was asked for.
    package let requestDigest: [UInt8]

    /// Puts the parts together.
    package init(scope: String, keyDigest: [UInt8], requestDigest: [UInt8]) {
        self.scope = scope
        self.keyDigest = keyDigest
        self.requestDigest = requestDigest
    }
}

extension IdempotentRequest {
    /// What a request with an `Idempotency-Key` is known by.
    ///
    /// - Parameters:
    ///   - key: 1 to 255 visible ASCII characters.
    ///   - place: which one of a batch it is; nil for a request of its own.
    ///   - part: which of the accounts that a request is about it is for; nil where there is one.
    ///   - asked: all that the request asks for. Who asks is no part of it: a replay can come with a new key.
    /// - Throws: `BAD_REQUEST` for a malformed key.
    package init(
        scope: String, key: String, place: Int? = nil, part: String? = nil, asked: [UInt8]
    ) throws(KeybearerError) {
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw KeybearerError(.badRequest, "Idempotency-Key must be 1 to 255 visible ASCII characters.")
        }
        let digest = { (bytes: [UInt8]) in Array(SHA256.hash(data: bytes)) }
        // No key holds a space: a key and a place are never another key.
        let name = key + (place.map { " \($0)" } ?? "") + (part.map { " \($0)" } ?? "")
        self.init(scope: scope, keyDigest: digest(Array(name.utf8)), requestDigest: digest(asked))
    }
}

extension KeybearerError {
    /// The same idempotency key, another request.
    package static let anotherRequest = KeybearerError(
        .validationFailed, "This Idempotency-Key was sent with another request before. Use a new one.",
        fields: ["Idempotency-Key": "It belongs to another request."])
}
