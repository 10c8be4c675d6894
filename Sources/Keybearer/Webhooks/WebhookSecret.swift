import Crypto
import Foundation

/// What an endpoint's signatures are made with: 32 random bytes, shown as `whsec_` and their base64. Prints as nothing but
/// its kind.
///
/// Standard Webhooks 1.0: the key of the HMAC is the bytes, not their text.
package struct WebhookSecret: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// What every secret begins with.
    static let prefix = "whsec_"
    /// How many random bytes there are.
    static let byteCount = 32

    /// The random bytes.
    package let bytes: [UInt8]

    /// Makes a new one.
    package static func random(from random: RandomSource) -> WebhookSecret {
        WebhookSecret(bytes: random.bytes(byteCount))
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads what the store keeps sealed; nil for what is no secret of 24 to 64 bytes.
    init?(stored bytes: [UInt8]) {
        guard (24...64).contains(bytes.count) else { return nil }
        self.bytes = bytes
    }

    /// Reads what ``text`` wrote, with its prefix or without; nil for anything that is no secret of 24 to 64 bytes.
    package init?(_ text: String) {
        let encoded = text.hasPrefix(Self.prefix) ? String(text.dropFirst(Self.prefix.count)) : text
        guard encoded.utf8.count <= 100, let data = Data(base64Encoded: encoded), (24...64).contains(data.count) else {
            return nil
        }
        bytes = Array(data)
    }

    /// The secret as its holder sees it, once.
    package var text: String { Self.prefix + Data(bytes).base64EncodedString() }

    /// The authentication code of a message.
    func code(over message: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: bytes)))
    }

    package static func == (left: WebhookSecret, right: WebhookSecret) -> Bool {
        constantTimeEquals(left.bytes, right.bytes)
    }

    package var description: String { "webhook secret" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
