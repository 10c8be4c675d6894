import Testing

@testable import KeybearerServer

/// An ``ASCIISet`` by its bits.
@Suite struct ASCIISetTests {
    @Test("The characters of tokens are those of RFC 9110")
    func tokens() {
        let expected = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for byte in UInt8.min...UInt8.max { #expect(ASCIISet.token.contains(byte) == expected.contains(byte)) }
    }

    @Test("A bit is the character of its place, and no byte above 127 is in any set")
    func bits() {
        for place in 0..<128 {
            let set = ASCIISet(low: place < 64 ? 1 << place : 0, high: place < 64 ? 0 : 1 << (place - 64))
            for byte in UInt8.min...UInt8.max { #expect(set.contains(byte) == (Int(byte) == place)) }
        }
    }
}
