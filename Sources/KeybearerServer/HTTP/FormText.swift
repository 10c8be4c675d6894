/// The text of forms and queries: `name=value&…` with `+` and percent escapes.
///
/// Read as bytes: to a string, an accent behind a `&` or a `=` makes another character of it.
enum FormText {
    /// Reads the pairs; nil when an escape is malformed or does not give UTF-8.
    static func parse(_ text: Substring) -> [String: String]? {
        var pairs: [String: String] = [:]
        for pair in text.utf8.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = unescape(pair[..<equals]), let value = unescape(pair[equals...].dropFirst()) else {
                return nil
            }
            pairs[name] = value
        }
        return pairs
    }

    private static func unescape(_ text: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = digit(rest.popFirst()), let low = digit(rest.popFirst()) else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8?) -> UInt8? {
        switch byte {
        case let byte? where (48...57).contains(byte): byte - 48
        case let byte? where (65...70).contains(byte): byte - 55
        case let byte? where (97...102).contains(byte): byte - 87
        default: nil
        }
    }
}
