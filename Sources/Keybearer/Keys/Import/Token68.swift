/// The characters of a bearer token (RFC 7235, `token68`): letters, digits, `-`, `.`, `_`, `~`, `+` and `/`, and behind
/// them any number of `=`.
enum Token68 {
    /// The characters below 128 other than `=`, as bits of two words.
    private static let low: UInt64 = 0x03FF_E800_0000_0000
    private static let high: UInt64 = 0x47FF_FFFE_87FF_FFFE

    /// Whether all bytes are those of a token68.
    static func isValid(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var end = bytes.count
        while end > 0, bytes[end - 1] == UInt8(ascii: "=") { end -= 1 }
        return end > 0 && bytes[..<end].allSatisfy(contains)
    }

    private static func contains(_ byte: UInt8) -> Bool {
        byte < 128 && ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 == 1
    }

    /// How many different bytes there are; those from 128 on count as one.
    static func distinctCount(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var (first, second): (UInt64, UInt64) = (0, 0)
        for byte in bytes {
            if byte < 64 { first |= 1 << UInt64(byte) } else { second |= 1 << UInt64(min(byte, 127) & 63) }
        }
        return first.nonzeroBitCount + second.nonzeroBitCount
    }
}
