import Keybearer

/// Writes an answer's bytes into memory that was set aside for it. What does not fit is left out, and noticed.
struct ByteWriter {
    private let base: UnsafeMutableRawBufferPointer
    /// Bytes written.
    private(set) var count = 0
    /// Whether something did not fit: what was written must not be sent.
    private(set) var isOverflown = false

    init(_ base: UnsafeMutableRawBufferPointer) {
        self.base = base
    }

    mutating func byte(_ byte: UInt8) {
        guard count < base.count else { return isOverflown = true }
        base[count] = byte
        count += 1
    }

    mutating func bytes(_ source: UnsafeRawBufferPointer) {
        guard source.count <= base.count - count else { return isOverflown = true }
        if source.count > 0 { UnsafeMutableRawBufferPointer(rebasing: base[count...]).copyMemory(from: source) }
        count += source.count
    }

    mutating func bytes(_ source: [UInt8]) {
        source.withUnsafeBytes { bytes($0) }
    }

    mutating func text(_ text: StaticString) {
        bytes(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { bytes(UnsafeRawBufferPointer($0)) }
    }

    mutating func number(_ value: Int64) {
        if value < 0 { byte(UInt8(ascii: "-")) }
        var rest = value.magnitude
        var (length, bound): (Int, UInt64) = (1, 10)
        while rest >= bound, length < 19 {
            length += 1
            bound &*= 10
        }
        digits(length) {
            // A constant: the compiler divides by a multiplication.
            let digit = UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            return 48 + digit
        }
    }

    /// A number to the base of 16, in lower case.
    mutating func hexadecimal(_ value: UInt64) {
        var rest = value
        digits(max(1, (UInt64.bitWidth - value.leadingZeroBitCount + 3) / 4)) {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            rest >>= 4
            return digit < 10 ? 48 + digit : 87 + digit
        }
    }

    /// Digits, the last one first: nothing is turned round afterwards.
    @inline(__always)
    private mutating func digits(_ length: Int, next: () -> UInt8) {
        guard length <= base.count - count else { return isOverflown = true }
        for place in stride(from: count + length - 1, through: count, by: -1) { base[place] = next() }
        count += length
    }

    /// Text as the value of a field: bytes that may not are in one, blanks and `%` are written as `%XX`.
    ///
    /// An account's address or a plan's name must never be able to end the field and begin another.
    mutating func fieldValue(_ text: String) {
        var text = text
        text.withUTF8 { source in
            for one in source {
                if one > 0x20, one < 0x7F, one != UInt8(ascii: "%") {
                    byte(one)
                } else {
                    byte(UInt8(ascii: "%"))
                    hexadecimalDigit(one >> 4)
                    hexadecimalDigit(one & 15)
                }
            }
        }
    }

    private mutating func hexadecimalDigit(_ digit: UInt8) {
        byte(digit < 10 ? 48 + digit : 55 + digit)
    }
}
