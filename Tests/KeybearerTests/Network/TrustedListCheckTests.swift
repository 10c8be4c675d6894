import TestSupport
import Testing

@testable import Keybearer

/// The ``TrustedListCheck``: lists that trust everyone are found.
@Suite struct TrustedListCheckTests {
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
