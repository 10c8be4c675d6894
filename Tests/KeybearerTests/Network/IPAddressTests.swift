import TestSupport
import Testing

@testable import Keybearer

/// An ``IPAddress`` from text and to text, and the address of a local socket.
@Suite struct IPAddressTests {
    @Test(
        "A zone is read over, and only behind an IPv6 address",
        arguments: [
            ("fe80::1%eth0", "fe80::1"), ("fe80::1%25eth0", "fe80::1"), ("fe80::1%3", "fe80::1"),
            ("2001:db8::1", "2001:db8::1"), ("192.0.2.1", "192.0.2.1"), ("fe80::1%", nil), ("192.0.2.1%eth0", nil),
            ("fe80::1%eth 0", nil), ("%eth0", nil), ("fe80::1%" + String(repeating: "x", count: 65), nil),
        ] as [(String, String?)])
    func zones(text: String, expected: String?) {
        #expect(IPAddress(zoned: text)?.description == expected)
    }

    @Test("A local socket is shown by its name, is nobody's address to programs, and is stored as ::")
    func localSocket() throws {
        #expect(IPAddress.localSocket.displayName == "local socket" && IPAddress.localSocket.textIfAny == nil)
        #expect(IPAddress(IPAddress.localSocket.description) == .localSocket)
        let other = try #require(IPAddress("192.0.2.1"))
        #expect(other.displayName == "192.0.2.1" && other.textIfAny == "192.0.2.1")
    }

    @Test(
        "Addresses read and print",
        arguments: [
            ("192.168.1.1", "192.168.1.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:DB8::0001", "2001:db8::1"),
            ("::1", "::1"), ("::", "::"),
        ])
    func addresses(text: String, printed: String) throws {
        #expect(try #require(IPAddress(text)).description == printed)
    }

    @Test("Dotted quads read from bytes as they do from text")
    func dottedQuads() {
        let random = RandomSource.seeded(11)
        let alphabet = Array("0123456789..../:a ".utf8)
        var read = 0
        for round in 0..<60_000 {
            let draw = random.bytes(16)
            var text = draw.prefix(7 + Int(draw[15]) % 9).map { alphabet[Int($0) % alphabet.count] }
            if round % 2 == 0 {
                text = Array(draw.prefix(4).map { String(Int($0) * (round % 3)) }.joined(separator: ".").utf8)
            }
            let fromBytes = text.withUnsafeBytes { IPAddress(dottedQuad: $0) }
            let fromText = IPAddress(String(decoding: text, as: UTF8.self))
            #expect(fromBytes == (text.contains(58) ? nil : fromText), "\(String(decoding: text, as: UTF8.self))")
            if fromBytes != nil { read += 1 }
        }
        #expect(read > 10_000)
    }

    @Test(
        "What is no address is refused",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4x", "fe80::1%eth0", "[::1]", "1.2.3.4:80", "localhost",
            " 1.2.3.4",
        ])
    func notAddresses(text: String) {
        #expect(IPAddress(text) == nil)
    }
}
