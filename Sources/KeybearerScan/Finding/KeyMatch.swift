/// What kind of secret was found.
package enum KeyKind: String, Sendable, CaseIterable {
    /// A Secret Key: the checksum is right.
    case secretKey = "secret-key"
    /// A text with the prefix of keys and no checksum: a key that the product made before it used Keybearer.
    case possibleKey = "possible-key"
    /// A text with the format of an operator token, which has no checksum that can be checked offline.
    case operatorToken = "operator-token"
}

/// A secret in a run of bytes.
package struct KeyMatch: Sendable, Equatable {
    /// What it is.
    package let kind: KeyKind
    /// All its characters. This is the secret: it is looked up, and never printed.
    package let token: [UInt8]
    /// Its first characters, which people may see.
    package let shown: String
    /// Where its first byte is, and how many bytes it takes there: two for each character of UTF-16.
    let range: Range<Int>

    package static func == (left: KeyMatch, right: KeyMatch) -> Bool {
        left.kind == right.kind && left.token == right.token && left.range == right.range
    }
}

extension KeyMatch: CustomStringConvertible, CustomReflectable {
    package var description: String { "\(shown)… (\(kind.rawValue))" }
    package var customMirror: Mirror { Mirror(self, children: ["shown": shown]) }
}
