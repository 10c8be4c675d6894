import KeybearerSQL

/// A parameter of a statement. Values never become part of the SQL's text.
enum PostgresValue {
    case null
    case text(String)
    case number(Int64)
    case flag(Bool)
    /// Travels in binary form; all else travels as text.
    case bytes([UInt8])
    case texts([String])
    case byteArrays([[UInt8]])
    /// Values of one kind, some of which may be NULL.
    case array([SQLValue])

    /// A text that may be NULL.
    static func optional(_ text: String?) -> PostgresValue { text.map { .text($0) } ?? .null }

    static func number(_ number: Int) -> PostgresValue { .number(Int64(number)) }

    /// The form that PostgreSQL reads, without a zero byte at its end; nil for NULL.
    var encoded: [UInt8]? {
        switch self {
        case .null: nil
        case .text(let text): Array(text.utf8)
        case .number(let number): Array(String(number).utf8)
        case .flag(let flag): [flag ? UInt8(ascii: "t") : UInt8(ascii: "f")]
        case .bytes(let bytes): bytes
        case .texts(let texts): Self.array(texts.map(Self.quoted))
        case .byteArrays(let arrays): Self.array(arrays.map(Self.quoted))
        case .array(let values): Self.array(values.map(Self.element))
        }
    }

    var isBinary: Bool {
        if case .bytes = self { return true }
        return false
    }

    private static func array(_ elements: [String]) -> [UInt8] {
        Array("{\(elements.joined(separator: ","))}".utf8)
    }

    /// An element of an array's text form, in quotes, with quotes and backslashes escaped.
    private static func quoted(_ text: String) -> String {
        "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }

    private static func quoted(_ bytes: [UInt8]) -> String { "\"\\\\x\(hex(bytes))\"" }

    private static func element(_ value: SQLValue) -> String {
        switch value {
        case .null: "NULL"
        case .text(let text): quoted(text)
        case .number(let number): String(number)
        case .flag(let flag): flag ? "t" : "f"
        case .bytes(let bytes): quoted(bytes)
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            for (index, byte) in bytes.enumerated() {
                buffer[index * 2] = digits[Int(byte >> 4)]
                buffer[index * 2 + 1] = digits[Int(byte & 15)]
            }
            return bytes.count * 2
        }
    }
}
