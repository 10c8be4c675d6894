import TestSupport
import Testing

@testable import Keybearer

/// ``AllowedNetworks``: which are accepted, in which form they are kept, and whom they let pass.
@Suite struct AllowedNetworksTests {
    private func refusal(_ texts: [String]) -> KeybearerError? {
        do {
            _ = try AllowedNetworks(parsing: texts)
            return nil
        } catch {
            return error
        }
    }

    @Test("Each network is kept in its one form, and counts once")
    func forms() throws {
        let networks = try AllowedNetworks(parsing: [
            "10.0.0.0/8", "::ffff:10.0.0.0/104", "192.0.2.7", "::ffff:192.0.2.7/128", "2001:DB8:0::/32", "::/0",
            "0.0.0.0/0",
            "::/96", "2001:db8::1",
        ])
        #expect(
            networks.texts == [
                "10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::/0", "0.0.0.0/0", "::/96", "2001:db8::1/128",
            ])
        #expect(AllowedNetworks(storedForm: networks.storedForm) == networks)
        for text in networks.texts { #expect(AddressRange(text)?.canonicalForm == text) }
        for damaged in ["", " ", "10.0.0.0/8 x", "10.0.0.1/8"] { #expect(AllowedNetworks(storedForm: damaged) == nil) }
    }

    @Test("Host bits, what is no network, none and more than twenty are refused")
    func refused() throws {
        for text in ["10.0.0.1/8", "x", "", "10.0.0.0/33", "fe80::1%eth0", String(repeating: "1", count: 10_000)] {
            let error = try #require(refusal(["10.0.0.0/8", text]), "\(text.prefix(20))")
            #expect(error.code == .validationFailed && Array(error.fields.keys) == ["networks"])
            #expect((error.fields["networks"]?.utf8.count ?? 0) < 200)
        }
        #expect(refusal([])?.code == .validationFailed)
        let twenty = (1...20).map { "10.0.0.\($0)" }
        #expect(try AllowedNetworks(parsing: twenty + twenty).ranges.count == 20)
        let error = try #require(refusal(twenty + ["10.0.0.21"]))
        #expect(error.code == .conflict && error.message.contains("at most 20"))
    }

    @Test("An address passes where one of the networks has it; one that is not known, nowhere")
    func passing() throws {
        let everything = try AllowedNetworks(parsing: ["::/0"])
        let mapped = try AllowedNetworks(parsing: ["192.0.2.0/24"])
        #expect(everything.allow(Samples.address) && mapped.allow(Samples.address))
        #expect(mapped.allow(try #require(IPAddress("::ffff:192.0.2.9"))))
        #expect(!mapped.allow(try #require(IPAddress("2001:db8::1"))))
        for unknown in [IPAddress.localSocket, .unknown] { #expect(!everything.allow(unknown)) }
    }

    @Test("Random networks let pass what one of them contains, and nothing else")
    func random() throws {
        let random = RandomSource.seeded(77)
        var (passed, refused) = (0, 0)
        for _ in 0..<2_000 {
            let texts = (0...random.below(5)).map { _ in
                random.below(2) == 0 ? "10.\(random.below(4)).0.0/16" : "2001:db8:\(random.below(4))::/48"
            }
            let networks = try AllowedNetworks(parsing: texts)
            let address = try #require(
                random.below(2) == 0
                    ? IPAddress("10.\(random.below(5)).3.4") : IPAddress("2001:db8:\(random.below(5))::7"))
            let expected = texts.contains { AddressRange($0)?.contains(address) == true }
            #expect(networks.allow(address) == expected, "\(texts) \(address)")
            if expected { passed += 1 } else { refused += 1 }
        }
        #expect(passed > 100 && refused > 100)
    }

    @Test("What is pinned holds each address: IPv4 alone, IPv6 with its /64; none twice, at most twenty")
    func pinned() throws {
        let addresses = try ["192.0.2.7", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::9"].map { try #require(IPAddress($0)) }
        let networks = try #require(AllowedNetworks(around: addresses + [.localSocket, .unknown] + addresses))
        #expect(networks.texts == ["192.0.2.7/32", "2001:db8:1:2::/64"])
        #expect(addresses.allSatisfy(networks.allow))
        #expect(AllowedNetworks(around: [.localSocket, .unknown]) == nil)
        let many = (0..<30).map { IPAddress(v4: 0x0A00_0000 + $0) }
        #expect(AllowedNetworks(around: many)?.ranges.count == AllowedNetworks.most)
    }
}
