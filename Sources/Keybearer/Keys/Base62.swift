/// The digits `0-9A-Za-z`, in this order, as the key's shape uses them.
enum Base62 {
    /// The 62 characters in order of their value.
    static let alphabet: [UInt8] = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Whether a byte is one of the 62 characters.
    ///
    /// Looked up in a set of 128 bits: of random characters a processor guesses no comparison well, and a flood of
    /// forged keys is made of them.
    static func contains(_ byte: UInt8) -> Bool {
        let set: UInt64 = byte < 64 ? 0x03FF_0000_0000_0000 : 0x07FF_FFFE_07FF_FFFE
        return byte < 128 && (set >> UInt64(byte & 63)) & 1 == 1
    }

    /// The number that at most ten of the characters stand for; ``contains(_:)`` must hold for each.
    static func decode(_ digits: some Sequence<UInt8>) -> UInt64 {
        digits.reduce(0) { number, byte in
            // Seven characters lie between the digits and the capitals, and six between these and the small letters.
            number &* 62 &+ UInt64(byte &- 48 &- (byte > 57 ? 7 : 0) &- (byte > 90 ? 6 : 0))
        }
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
