/// The digits `0-9A-Za-z`, in this order, as the key's shape uses them.
enum Base62 {
    /// The 62 characters in order of their value.
    static let alphabet: [UInt8] = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Whether a byte is one of the 62 characters.
    static func contains(_ byte: UInt8) -> Bool {
        (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122)
    }

    /// A number in base 62, left-padded with `0`; digits beyond `width` are dropped from the left.
    static func encode(_ value: UInt64, width: Int) -> [UInt8] {
        var digits = [UInt8](repeating: alphabet[0], count: width)
        var rest = value
        for place in stride(from: width - 1, through: 0, by: -1) {
            digits[place] = alphabet[Int(rest % 62)]
            rest /= 62
        }
        return digits
    }
}
