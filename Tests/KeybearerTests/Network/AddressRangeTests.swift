import Testing

@testable import Keybearer

/// An ``AddressRange``: what it contains, and why others are refused.
@Suite struct AddressRangeTests {
    @Test(
        "Networks contain what they should",
        arguments: [
            ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.4", false), ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false), ("::1/128", "::1", true), ("10.0.0.0/8", "::1", false),
            ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/65", "2001:db8::8000:0:0:1", false), ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("::ffff:10.0.0.0/104", "11.0.0.0", false), ("::ffff:a00:0/104", "10.9.9.9", true),
            ("::ffff:192.0.2.1", "192.0.2.1", true), ("::ffff:192.0.2.1/128", "192.0.2.1", true),
            ("::/64", "192.0.2.1", true), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ])
    func networks(network: String, address: String, contains: Bool) throws {
        let range = try #require(AddressRange(network))
        #expect(range.contains(try #require(IPAddress(address))) == contains)
    }

    @Test(
        "What is no network is refused, and it is said why",
        arguments: [
            ("10.0.0.1/8", "host bits are set; write 10.0.0.0/8"), ("10.0.0.0/33", "a length from 0 to 32"),
            ("2001:db8::1/32", "host bits are set; write 2001:db8::/32"), ("10.0.0.0/-1", "a length from 0 to 32"),
            ("10.0.0.0/08", "a length from 0 to 32"), ("2001:db8::/129", "a length from 0 to 128"),
            ("10.0.0.0/", "a length from 0 to 32"), ("x/8", "neither a network such as"),
            ("10.0.0.0/8/8", "neither a network such as"),
            ("", "neither a network such as"), ("::ffff:10.0.0.0/8", "a length from 96 to 128"),
            ("::ffff:10.0.0.1/104", "host bits are set; write 10.0.0.0/8"),
            ("fe80::1%eth0", "leave out the % and the zone"),
            ("fe80::%eth0/64", "leave out the % and the zone"), ("10.0.0.0 /8", "neither a network such as"),
        ])
    func malformedNetworks(text: String, reason: String) {
        #expect(AddressRange(text) == nil)
        #expect {
            _ = try AddressRange(parsing: text)
        } throws: { "\($0)".contains(reason) && "\($0)".contains("'\(text)'") }
    }
}
