/// Base32 of RFC 4648 without padding, as authenticator apps take secrets.
enum Base32 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    /// The characters of bytes.
    static func encode(_ bytes: [UInt8]) -> String {
        var (text, buffer, length) = ([UInt8](), 0, 0)
        for byte in bytes {
            buffer = (buffer << 8 | Int(byte)) & 0xFFFF
            length += 8
            while length >= 5 {
                length -= 5
                text.append(alphabet[buffer >> length & 31])
            }
        }
        if length > 0 { text.append(alphabet[buffer << (5 - length) & 31]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of characters, in upper or lower case; nil for any other character, and for bits that are left over and
    /// not zero.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var (bytes, buffer, length) = ([UInt8](), 0, 0)
        for character in text.utf8 {
            let upper = (97...122).contains(character) ? character - 32 : character
            guard let value = alphabet.firstIndex(of: upper) else { return nil }
            buffer = (buffer << 5 | value) & 0xFFFF
            length += 5
            guard length >= 8 else { continue }
            length -= 8
            bytes.append(UInt8(truncatingIfNeeded: buffer >> length))
        }
        return length < 5 && buffer & (1 << length - 1) == 0 ? bytes : nil
    }
}
