/// A set of ASCII characters, asked for bytes.
struct ASCIISet {
    /// One bit for each character below 64.
    let low: UInt64
    /// One bit for each from 64 to 127.
    let high: UInt64

    /// The characters of methods, field names and other tokens (RFC 9110 §5.6.2).
    static let token = ASCIISet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        // The shift counts modulo 64.
        byte < 128 && (byte < 64 ? low : high) &>> UInt64(byte) & 1 == 1
    }
}
