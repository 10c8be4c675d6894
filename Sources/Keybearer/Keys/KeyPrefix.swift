/// The leading characters that mark a product's keys, `tdc_` by default.
public struct KeyPrefix: Sendable, Hashable, CustomStringConvertible {
    /// The characters, trailing underscore included.
    public let characters: String

    /// The prefix of the product that Keybearer was first written for.
    public static let standard = KeyPrefix(unchecked: "tdc_")

    /// The most characters that a prefix may have.
    public static let maximumLength = 16

    /// Accepts a lower-case letter, then lower-case letters, digits or underscores, then `_`; 2 to 16 characters in
    /// all.
    ///
    /// Answers nil for anything else, so that a prefix can always be told from the 38 characters behind it.
    public init?(_ characters: String) {
        let bytes = Array(characters.utf8)
        guard bytes.count >= 2, Self.isWellFormed(bytes[...]) else { return nil }
        self.characters = characters
    }

    private init(unchecked characters: String) {
        self.characters = characters
    }

    public var description: String { characters }

    /// Whether bytes could be some deployment's prefix: earlier prefixes stay accepted after a change of the setting.
    static func isWellFormed(_ bytes: some BidirectionalCollection<UInt8>) -> Bool {
        guard let first = bytes.first, bytes.count >= 2, bytes.count <= maximumLength else { return false }
        guard first >= UInt8(ascii: "a") && first <= UInt8(ascii: "z"), bytes.last == UInt8(ascii: "_") else {
            return false
        }
        return bytes.allSatisfy { byte in
            (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57) || byte == UInt8(ascii: "_")
        }
    }
}
