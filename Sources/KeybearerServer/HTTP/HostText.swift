/// The text of `Host` and `:authority`.
enum HostText {
    /// Whether bytes are `host`, `host:port` or `[address]:port`, or none, by the characters of RFC 3986 §3.2.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        if bytes.first == UInt8(ascii: "[") {
            repeat { index += 1 } while index < bytes.count && addressBytes.contains(bytes[index])
            guard index > 1, index < bytes.count, bytes[index] == UInt8(ascii: "]") else { return false }
            index += 1
        } else {
            while index < bytes.count, nameBytes.contains(bytes[index]) { index += 1 }
        }
        guard index < bytes.count else { return true }
        guard bytes[index] == UInt8(ascii: ":"), bytes.count - index <= 6 else { return false }
        index += 1
        while index < bytes.count, bytes[index] >= UInt8(ascii: "0"), bytes[index] <= UInt8(ascii: "9") { index += 1 }
        return index == bytes.count
    }

    /// The same for a text.
    static func isValid(_ text: Substring.UTF8View) -> Bool {
        var text = Substring(text)
        return text.withUTF8 { isValid(UnsafeRawBufferPointer($0)) }
    }

    private static let nameBytes = ASCIISet(low: 0x2BFF_7FF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
    private static let addressBytes = ASCIISet(low: 0x07FF_4000_0000_0000, high: 0x0000_007E_0000_007E)
}
