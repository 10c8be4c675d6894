import Keybearer
import Testing

@testable import KeybearerOutbound

@Suite("Which addresses endpoints may have")
struct AddressPolicyTests {
    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text), "\(text)") }

    @Test(
        "Public ones",
        arguments: [
            "1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
            "192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
            "64:ff9b::8.8.8.8", "::ffff:8.8.8.8",
        ])
    func allowed(text: String) throws {
        let address = try Self.address(text)
        #expect(AddressPolicy(own: { [] }).allows(address) && AddressPolicy.isPublic(address))
    }

    @Test(
        "And no others",
        arguments: [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
            "127.255.255.255", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1",
            "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::8.8.8.8",
            "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8", "100::1", "2001::1",
            "2001:0:53aa::1",
            "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::",
            "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1",
            "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1", "ffff::1",
        ])
    func forbidden(text: String) throws {
        #expect(!AddressPolicy(own: { [] }).allows(try Self.address(text)))
    }

    @Test("Nor this machine's, also behind a translation of addresses", arguments: ["8.8.8.8", "64:ff9b::8.8.8.8"])
    func own(text: String) throws {
        let own = try Self.address("8.8.8.8")
        let policy = AddressPolicy(own: { [own] })
        #expect(try !policy.allows(Self.address(text)) && policy.isPrivate(Self.address(text)))
        #expect(try policy.allows(Self.address("64:ff9b::8.8.4.4")))
    }

    @Test("A public address of this machine is forbidden as well")
    func own() throws {
        let own = try Self.address("93.184.216.34")
        let policy = AddressPolicy(own: { [own] })
        #expect(!policy.allows(own) && policy.isPrivate(own))
        #expect(policy.allows(try Self.address("93.184.216.35")))
    }

    @Test("This machine's addresses are found")
    func found() throws {
        #expect(AddressPolicy.ownAddresses().contains(try Self.address("127.0.0.1")))
    }

    @Test("What the operator allows passes, and stays private")
    func byOperator() throws {
        let network = try #require(AddressRange("10.1.0.0/16"))
        let own = try Self.address("10.1.0.1")
        let policy = AddressPolicy(allowed: [network], own: { [own] })
        for text in ["10.1.0.1", "10.1.255.255", "::ffff:10.1.2.3"] {
            let address = try Self.address(text)
            #expect(policy.allows(address) && policy.isPrivate(address) && policy.isAllowedByOperator(address))
        }
        #expect(!policy.allows(try Self.address("10.2.0.1")))
        let open = try Self.address("8.8.8.8")
        #expect(policy.allows(open) && !policy.isPrivate(open))
    }
}
