/// The CRC-32 of IEEE 802.3 (reflected polynomial `0xEDB88320`). With it, secret scanners check offline whether what
/// they found can be a key.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1
        }
    }

    /// The checksum of the bytes.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        // Read once: every access to a static property checks whether it is initialised.
        let table = table
        return ~bytes.reduce(~UInt32(0)) { sum, byte in
            (sum >> 8) ^ table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)]
        }
    }
}
