/// The CRC-32 of IEEE 802.3 (reflected polynomial `0xEDB88320`), with which secret scanners check a find offline.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1
        }
    }

    /// The checksum of the bytes.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        // Once, not for each byte: whether it has been made is asked each time.
        let table = table
        return ~bytes.reduce(~UInt32(0)) { sum, byte in
            (sum >> 8) ^ table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)]
        }
    }
}
