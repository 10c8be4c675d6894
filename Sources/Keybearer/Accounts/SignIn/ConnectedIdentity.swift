import Crypto

/// An identity with which an account is connected.
package struct ConnectedIdentity: Sendable, Hashable {
    /// Who the person is at the provider.
    package let identity: Identity
    /// Since when.
    package let connectedAt: Timestamp

    /// Puts both together.
    package init(identity: Identity, connectedAt: Timestamp) {
        self.identity = identity
        self.connectedAt = connectedAt
    }

    /// What paths name it by: 32 hexadecimal digits of its SHA-256. A subject may hold any character, and may tell who the
    /// person is.
    package var reference: String {
        // The length tells where the issuer ends.
        let text = "\(identity.issuer.utf8.count) \(identity.issuer)\(identity.subject)"
        return SHA256.hash(data: Array(text.utf8)).prefix(16)
            .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
