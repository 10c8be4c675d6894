import TestSupport
import Testing

@testable import Keybearer

@Suite("Networks and trusted lists")
struct NetworkTests {
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

    @Test(
        "A list that trusts everyone is found however it is spelt, with the entries that do it",
        arguments: [
            ("0.0.0.0/0", ["0.0.0.0/0"]), ("::/0", ["::/0"]), ("::/1", ["::/1"]), ("2000::/3", ["2000::/3"]),
            ("::/64", ["::/64"]), ("::ffff:0:0/96", ["::ffff:0:0/96"]), ("::ffff:0.0.0.0/96", ["::ffff:0.0.0.0/96"]),
            ("0.0.0.0/1,128.0.0.0/1", ["0.0.0.0/1", "128.0.0.0/1"]),
            ("10.0.0.0/8,128.0.0.0/1,0.0.0.0/1,::1/128", ["128.0.0.0/1", "0.0.0.0/1"]),
            ("::ffff:0:0/97,128.0.0.0/2,192.0.0.0/3", ["::ffff:0:0/97", "128.0.0.0/2", "192.0.0.0/3"]),
            ("2000::/4,3000::/4", ["2000::/4"]), ("2000::/5,2800::/5", ["2000::/5", "2800::/5"]),
            (
                "1.0.0.0/8,2.0.0.0/7,4.0.0.0/6,8.0.0.0/5,16.0.0.0/4,32.0.0.0/3,64.0.0.0/2,128.0.0.0/1",
                [
                    "1.0.0.0/8", "2.0.0.0/7", "4.0.0.0/6", "8.0.0.0/5", "16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/2",
                    "128.0.0.0/1",
                ]
            ),
            ("", nil), ("10.0.0.0/8", nil), ("2001:db8::/32", nil), ("2001:db8::1", nil), ("128.0.0.0/1", nil),
            ("10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/8,100.64.0.0/10,169.254.0.0/16", nil),
            ("fe80::/10,fc00::/7,ff00::/8,::1/128", nil), ("0.0.0.0/1,128.0.0.0/2,192.0.0.0/4", nil), ("8000::/1", nil),
            ("2400::/12,2600::/12,2a00::/12", nil), ("::/96", nil), ("::ffff:0:0/97", nil),
        ] as [(String, [String]?)])
    func everyone(text: String, expected: [String]?) throws {
        let list = try text.split(separator: ",").map { try AddressRange(parsing: String($0)) }
        #expect(TrustedListCheck.everyone(in: list)?.entries.map(\.description) == expected)
    }

    @Test("Any partition of everything is found, and with any part missing it is not")
    func partitions() throws {
        let random = RandomSource.seeded(77)
        for _ in 0..<300 {
            // A network is halved some times; 32.0.0.0/3 and above so that every part holds public addresses.
            var parts: [(base: UInt32, length: UInt32)] = [(0, 0)]
            for _ in 0..<random.below(9) {
                let (base, length) = parts.remove(at: random.below(parts.count))
                guard length < 3 else {
                    parts.append((base, length))
                    continue
                }
                parts += [(base, length + 1), (base | 1 << (31 - length), length + 1)]
            }
            var list = try parts.map { part in
                let mapped = random.below(2) == 0
                let address = IPAddress(v4: part.base)
                return try AddressRange(
                    parsing: mapped ? "::ffff:\(address)/\(part.length + 96)" : "\(address)/\(part.length)")
            }
            // Multicast and class E: no client has such an address.
            list.removeAll { $0.description.contains("224.0.0.0/") }
            let noise = try ["10.0.0.0/8", "2001:db8::/32", "::1"].map { try AddressRange(parsing: $0) }
            let finding = try #require(TrustedListCheck.everyone(in: list + noise), "\(list)")
            #expect(Set(finding.entries) == Set(list))
            list.remove(at: random.below(list.count))
            #expect(TrustedListCheck.everyone(in: list + noise) == nil, "\(list)")
        }
    }
}

@Suite("Origins and links")
struct OriginTests {
    @Test(
        "Origins have one spelling",
        arguments: [
            ("https://yourapp.com", "https://yourapp.com"), ("HTTPS://YourApp.com:443", "https://yourapp.com"),
            ("http://yourapp.com:80", "http://yourapp.com"), ("http://yourapp.com:443", "http://yourapp.com:443"),
            ("https://yourapp.com:8443", "https://yourapp.com:8443"), ("https://yourapp.com:", "https://yourapp.com"),
            ("https://[2001:DB8::0001]:443", "https://[2001:db8::1]"), ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://[::ffff:192.0.2.1]", "https://[::ffff:192.0.2.1]"), ("http://127.0.0.1", "http://127.0.0.1"),
            ("https://yourapp.com.", "https://yourapp.com."),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ])
    func spelling(text: String, expected: String) throws {
        #expect(try Origin(parsing: text).description == expected)
    }

    @Test("Other hosts, ports and schemes are other origins")
    func different() {
        let texts = [
            "https://a.example", "http://a.example", "https://a.example:8443", "https://a.example.",
            "https://b.example",
            "https://[::1]", "https://[::ffff:192.0.2.1]", "https://192.0.2.1",
        ]
        #expect(Set(texts.compactMap { Origin($0) }).count == texts.count)
    }

    @Test(
        "What is no origin is refused, and it is said why",
        arguments: [
            ("null", "https:// or http://"), ("", "https:// or http://"), ("yourapp.com", "https:// or http://"),
            ("//yourapp.com", "https:// or http://"), ("ftp://yourapp.com", "https:// or http://"),
            ("javascript://yourapp.com", "https:// or http://"), (" https://yourapp.com", "https:// or http://"),
            ("https://", "no host"), ("https://:443", "no host"), ("https://user@yourapp.com", "a user name"),
            ("https://user:pass@yourapp.com", "a user name"), ("https://yourapp.com/", "leave out '/'"),
            ("https://yourapp.com/api", "leave out '/api'"), ("https://yourapp.com?x", "leave out '?x'"),
            ("https://yourapp.com\\x", "leave out '\\x'"), ("https://yourapp.com:0", "its port"),
            ("https://yourapp.com:65536", "its port"), ("https://yourapp.com:8x", "its port"),
            ("https://yourapp.com:-1", "its port"), ("https://yourapp.com:+80", "its port"),
            ("https://bücher.example", "xn--"), ("https://a b", "no name"), ("https://a\tb", "no name"),
            ("https://a%62", "no name"), ("https://[::1", "no name"), ("https://::1", "no name"),
            ("https://[1.2.3.4]", "no IPv6"),
            ("https://[fe80::1%eth0]", "no IPv6"), ("https://.a", "no name"),
            ("https://a,https://b", "leave out '//b'"), ("https://a,b", "no name"),
        ])
    func refused(text: String, reason: String) {
        #expect(Origin(text) == nil)
        #expect {
            _ = try Origin(parsing: text)
        } throws: { "\($0)".contains(reason) }
    }

    @Test(
        "Billing URLs are absolute and lead where they seem to",
        arguments: [
            ("https://yourapp.com/billing", true), ("http://yourapp.com", true),
            ("HTTPS://yourapp.com:8443/a?b=c#d", true),
            ("https://[2001:db8::1]/x", true), ("https://yourapp.com/a@b", true), ("https://yourapp.com/%20", true),
            ("", false), ("javascript:alert(1)", false), ("java\nscript:alert(1)", false), ("data:text/html,x", false),
            ("//evil.example", false), ("/\t/evil.example", false), ("/\\evil.example", false), ("/billing", false),
            ("billing", false), ("https:/yourapp.com", false), ("https:yourapp.com", false), ("https://", false),
            ("https://user@yourapp.com", false), ("https://yourapp.com@evil.example/", false),
            ("https://yourapp.com\\@evil.example", false), (" https://yourapp.com", false),
            ("https://yourapp.com/a b", false),
            ("https://yourapp.com/\u{202E}", false), ("https://yourapp.com/\"x", false),
            ("https://yourapp.com:x/", false),
            ("https://yourapp.com/\u{0}", false),
            ("https://yourapp.com/" + String(repeating: "a", count: 2_048), false),
        ])
    func billingURLs(text: String, isGood: Bool) {
        #expect((try? BillingURL(text))?.description == (isGood ? text : nil))
        if !isGood {
            #expect {
                _ = try BillingURL(text)
            } throws: { ($0 as? KeybearerError)?.fields["billingURL"] != nil }
        }
    }

    @Test(
        "Of what a database of version 0.1 holds, links and paths of this server stay; all else is no link",
        arguments: [
            ("https://yourapp.com/billing", true), ("/billing", true), ("/", true), ("/billing?plan=pro", true),
            ("javascript:alert(1)", false), ("//evil.example", false), ("/\t/evil.example", false),
            ("/\\evil.example", false), ("", false), ("billing", false), ("https://a@evil.example", false),
        ])
    func storedURLs(text: String, isLink: Bool) {
        #expect(BillingURL(stored: text)?.description == (isLink ? text : nil))
    }
}
