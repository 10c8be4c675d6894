/// Writes short ASCII text with one allocation: headers and times are made on every request.
public struct ASCIIText {
    private let buffer: UnsafeMutableBufferPointer<UInt8>
    private var count = 0

    /// Makes a string of at most `capacity` bytes. Bytes beyond it are dropped, and a number loses its first digits
    /// then: always leave room for all.
    public static func make(capacity: Int, _ write: (inout ASCIIText) -> Void) -> String {
        String(unsafeUninitializedCapacity: capacity) { buffer in
            var text = ASCIIText(buffer: buffer)
            write(&text)
            return text.count
        }
    }

    private init(buffer: UnsafeMutableBufferPointer<UInt8>) {
        self.buffer = buffer
    }

    /// Writes a byte.
    public mutating func byte(_ byte: UInt8) {
        guard count < buffer.count else { return }
        buffer[count] = byte
        count += 1
    }

    /// Writes fixed text.
    public mutating func text(_ text: StaticString) {
        text.withUTF8Buffer { for one in $0 { byte(one) } }
    }

    /// Writes a number in decimal, with leading zeros up to `digits`.
    ///
    /// Not generic: other modules would call the unspecialised version, which is many times slower.
    public mutating func number(_ value: Int64, digits: Int = 1) {
        var rest = value.magnitude
        if value < 0 { byte(UInt8(ascii: "-")) }
        let start = count
        var written = 0
        repeat {
            byte(48 + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
            written += 1
        } while rest > 0 || written < digits
        buffer[start..<count].reverse()
    }
}

extension UInt8 {
    /// Whether it is an ASCII letter or digit.
    package var isASCIILetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
