import Testing

@testable import Keybearer

/// The comparison of ``ConstantTime``: what it says. How long it takes is not measured here.
@Suite struct ConstantTimeTests {
    @Test("Equal bytes are equal; a bit of any byte, or another length, is a difference")
    func differences() {
        let bytes = (0..<40).map { UInt8($0 * 7 % 256) }
        #expect(constantTimeEquals(bytes, bytes) && constantTimeEquals([], []))
        for place in bytes.indices {
            for bit in 0..<8 {
                var other = bytes
                other[place] ^= 1 << bit
                #expect(!constantTimeEquals(bytes, other))
            }
        }
        #expect(!constantTimeEquals(bytes, bytes.dropLast()) && !constantTimeEquals(bytes, bytes + [0]))
        #expect(isNone(0) && !isNone(1) && !isNone(1 << 63))
    }
}
