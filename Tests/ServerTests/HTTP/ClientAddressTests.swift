import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``ClientAddress`` behind trusted proxies, from ``ForwardedEntries``.
@Suite struct ClientAddressTests {
    private static let trusted = ["10.0.0.0/8", "fd00::/8"].compactMap { AddressRange($0) }
    private static let peer = IPAddress(v4: 0x0A00_0001)

    private func client(forwarded: [String] = [], forwardedFor: [String] = [], peer: IPAddress = peer) -> String {
        var headers = HTTPFields()
        for value in forwarded { headers.append(HTTPField(name: HeaderName.forwarded, value: value)) }
        for value in forwardedFor { headers.append(HTTPField(name: HeaderName.forwardedFor, value: value)) }
        return ClientAddress(trusted: Self.trusted).address(peer: peer, headers: headers).description
    }

    @Test(
        "X-Forwarded-For: the right-most entry that is not trusted; a malformed one ends the walk",
        arguments: [
            (["1.2.3.4"], "1.2.3.4"), (["6.6.6.6, 1.2.3.4"], "1.2.3.4"), (["1.2.3.4, 10.9.9.9"], "1.2.3.4"),
            (["6.6.6.6, 1.2.3.4, 10.9.9.9, 10.8.8.8"], "1.2.3.4"), (["2001:db8::7"], "2001:db8::7"),
            (["1.2.3.4:5678"], "1.2.3.4"), (["[2001:db8::7]:443"], "2001:db8::7"), (["[2001:db8::7]"], "2001:db8::7"),
            (["[::ffff:192.0.2.8]:80"], "192.0.2.8"), (["::ffff:192.0.2.8"], "192.0.2.8"),
            (["1.2.3.4, ::ffff:10.0.0.7"], "1.2.3.4"), (["fe80::1%eth0"], "fe80::1"),
            (["[fe80::1%eth0]:80"], "fe80::1"),
            // Malformed to the left of who is known: the client's own addition.
            (["x, 1.2.3.4"], "1.2.3.4"), ([", 1.2.3.4"], "1.2.3.4"), (["unknown, 1.2.3.4, 10.9.9.9"], "1.2.3.4"),
            (["\", 1.2.3.4"], "1.2.3.4"), (["for=6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            // Malformed before anyone who is not trusted: the last proxy that is vouched for.
            (["6.6.6.6, x, 10.9.9.9"], "10.9.9.9"), (["6.6.6.6, x"], "10.0.0.1"), (["unknown"], "10.0.0.1"),
            (["1.2.3.4,"], "10.0.0.1"), ([""], "10.0.0.1"), (["1.2.3.4 5.6.7.8"], "10.0.0.1"),
            (["_hidden"], "10.0.0.1"), (["unix:"], "10.0.0.1"), (["::"], "10.0.0.1"), (["0.0.0.0"], "10.0.0.1"),
            (["[1.2.3.4]"], "10.0.0.1"), (["[2001:db8::7"], "10.0.0.1"), (["[2001:db8::7]x"], "10.0.0.1"),
            (["1.2.3.4:"], "10.0.0.1"), (["1.2.3.4:123456"], "10.0.0.1"), (["1.2.3.4:8o"], "10.0.0.1"),
            (["1.2.3.4%eth0"], "10.0.0.1"), (["01.2.3.4"], "10.0.0.1"), (["\"1.2.3.4\""], "10.0.0.1"),
            // All trusted: the left-most.
            (["10.9.9.9"], "10.9.9.9"), (["10.3.3.3, fd00::2, 10.9.9.9"], "10.3.3.3"),
            // Several lines count like one.
            (["6.6.6.6", "1.2.3.4"], "1.2.3.4"), (["6.6.6.6, 1.2.3.4", "10.9.9.9"], "1.2.3.4"),
            (["x", "1.2.3.4, 10.9.9.9"], "1.2.3.4"), (["1.2.3.4", ""], "10.0.0.1"), ([], "10.0.0.1"),
        ])
    func forwardedFor(lines: [String], expected: String) {
        #expect(client(forwardedFor: lines) == expected)
        #expect(client(forwardedFor: lines, peer: IPAddress(v4: 0xC000_0201)) == "192.0.2.1", "an untrusted peer")
        #expect(client(forwardedFor: lines, peer: .localSocket) == "::", "a peer without an address is in no list")
    }

    @Test(
        "Forwarded: the same walk over what the elements say for",
        arguments: [
            (["for=1.2.3.4"], "1.2.3.4"), (["for=6.6.6.6;proto=http, for=\"[2001:db8::7]:99\""], "2001:db8::7"),
            (["FOR=1.2.3.4;by=10.0.0.1"], "1.2.3.4"), (["by=10.0.0.1 ; For=\"1.2.3.4:80\" ;"], "1.2.3.4"),
            (["for=\"1.2.3.4:_port\""], "1.2.3.4"), (["for=[2001:db8::7]"], "2001:db8::7"),
            (["for=\"[fe80::1%eth0]\""], "fe80::1"), (["for=\"[::ffff:192.0.2.8]:80\""], "192.0.2.8"),
            (["for=1.2.3.4;host=\"a,for=6.6.6.6\""], "1.2.3.4"), (["host=\"a;for=6.6.6.6,b\";for=1.2.3.4"], "1.2.3.4"),
            (["host=\"a\\\",for=6.6.6.6\";for=1.2.3.4"], "1.2.3.4"),
            (["for=1.2.3.4;host=\"a\\\\\", for=10.2.2.2"], "1.2.3.4"),
            // A quote that the client left open takes nothing with it that a proxy wrote.
            (["for=\"x, for=1.2.3.4"], "1.2.3.4"), (["\", for=1.2.3.4"], "1.2.3.4"),
            (["for=\"a\\, for=1.2.3.4"], "1.2.3.4"),
            (["\\\", for=1.2.3.4"], "1.2.3.4"),
            // Malformed elements.
            (["for=_hidden"], "10.0.0.1"), (["for=unknown"], "10.0.0.1"), (["by=1.2.3.4"], "10.0.0.1"),
            (["proto=https, for=10.9.9.9"], "10.9.9.9"), (["for=6.6.6.6, for=unknown, for=10.9.9.9"], "10.9.9.9"),
            (["for=1.2.3.4;for=6.6.6.6"], "10.0.0.1"), (["for = 1.2.3.4"], "10.0.0.1"), (["for=1.2.3.4;x"], "10.0.0.1"),
            (["for=\"1.2.3.4\"x"], "10.0.0.1"), (["for="], "10.0.0.1"), (["for=\"\""], "10.0.0.1"),
            (["1.2.3.4"], "10.0.0.1"),
            (["for=1.2.3.4;host=a b"], "10.0.0.1"), ([""], "10.0.0.1"), (["for=\"1.2.3.4"], "10.0.0.1"),
            (["for=1.2.3.4,"], "10.0.0.1"),
            // Several lines count like one.
            (["for=6.6.6.6", "for=1.2.3.4"], "1.2.3.4"), (["for=1.2.3.4;host=\"a", "b\", for=10.9.9.9"], "1.2.3.4"),
        ])
    func forwarded(lines: [String], expected: String) {
        #expect(client(forwarded: lines) == expected)
    }

    @Test(
        "Both headers: one client, or the peer",
        arguments: [
            ("1.2.3.4", "for=1.2.3.4", "1.2.3.4"), ("1.2.3.4:80", "for=\"1.2.3.4:99\"", "1.2.3.4"),
            ("6.6.6.6, 1.2.3.4", "for=1.2.3.4, for=10.9.9.9", "1.2.3.4"), ("1.2.3.4", "for=6.6.6.6", "10.0.0.1"),
            ("1.2.3.4", "for=unknown", "10.0.0.1"), ("1.2.3.4", "", "10.0.0.1"), ("x", "for=1.2.3.4", "10.0.0.1"),
        ])
    func both(forwardedFor: String, forwarded: String, expected: String) {
        #expect(client(forwarded: [forwarded], forwardedFor: [forwardedFor]) == expected)
    }

    /// One entry in some spelling, and the address that it means.
    private struct Sample {
        let text: String
        let address: IPAddress?
    }

    private func sample(_ random: RandomSource, in header: ForwardedEntries.Header) -> Sample {
        let malformed = ["", "unknown", "_x", "1.2.3", "[::1", "1.2.3.4:x", "::", "x y", "1.2.3.4%e"]
        if random.below(4) == 0 {
            let text = malformed[random.below(malformed.count)]
            let isBare = random.below(2) == 0
            return Sample(text: header == .forwardedFor || isBare ? text : "for=\"\(text)\"", address: nil)
        }
        let bytes = random.bytes(2)
        let address =
            [IPAddress(v4: 0x0A00_0000 | UInt32(bytes[0])), IPAddress(v4: 0xC633_6400 | UInt32(bytes[0]))]
            + [0xFD00, 0x2001_0DB8].map { IPAddress(high: $0 << ($0 > 0xFFFF ? 32 : 48), low: UInt64(bytes[1]) + 1) }
        let chosen = address[random.below(address.count)]
        var node = chosen.isV4 && random.below(2) == 0 ? "::ffff:\(chosen)" : chosen.description
        let isV6 = node.contains(":")
        if isV6, random.below(4) == 0 { node += "%eth0" }
        let port = ["", ":80", ":_p"][random.below(3)]
        if !port.isEmpty || (isV6 && random.below(2) == 0) { node = (isV6 ? "[\(node)]" : node) + port }
        guard header == .forwarded else { return Sample(text: node, address: chosen) }
        let name = ["for", "For", "FOR"][random.below(3)]
        let pairs = [
            "\(name)=\"\(node)\"", "proto=https", "host=\"a,for=6.6.6.6;\\\",b\"", "by=_x", "",
        ]
        let shown = pairs.dropFirst().filter { _ in random.below(3) == 0 } + [pairs[0]]
        return Sample(text: shown.joined(separator: [";", "; ", " ;"][random.below(3)]), address: chosen)
    }

    @Test(
        "The walk is that of a naive reference, and lines count like one, 20,000 times over", arguments: [true, false])
    func agreesWithTheReference(isForwarded: Bool) {
        let random = RandomSource.seeded(isForwarded ? 239 : 7)
        var ends: Set<String> = []
        for _ in 0..<20_000 {
            let chain = (0...random.below(6)).map { _ in sample(random, in: isForwarded ? .forwarded : .forwardedFor) }
            // All that stands right of the last malformed entry, up to the first that is not trusted.
            let known = chain.split(omittingEmptySubsequences: false) { $0.address == nil }.last ?? []
            let addresses = known.compactMap(\.address)
            let expected =
                addresses.last { address in !Self.trusted.contains { $0.contains(address) } } ?? addresses.first
                ?? Self.peer
            var lines: [String] = []
            for entry in chain {
                if lines.isEmpty || random.below(3) == 0 {
                    lines.append(entry.text)
                } else {
                    lines[lines.count - 1] += [",", ", ", "\t,  "][random.below(3)] + entry.text
                }
            }
            let found = isForwarded ? client(forwarded: lines) : client(forwardedFor: lines)
            guard found == expected.description else {
                Issue.record("\(lines): \(found) instead of \(expected)")
                return
            }
            ends.insert(addresses.isEmpty ? "peer" : expected == addresses.first ? "left" : "inside")
        }
        #expect(ends.count == 3)
    }

    @Test("Whatever bytes a client puts in front, what the proxy appended is found", arguments: [true, false])
    func prefixesChangeNothing(isForwarded: Bool) {
        let random = RandomSource.seeded(isForwarded ? 41 : 42)
        let alphabet = Array("\",;\\=:[]%_ \tfor1.2a")
        for _ in 0..<20_000 {
            let prefix = String((0..<random.below(24)).map { _ in alphabet[random.below(alphabet.count)] })
            let appended = isForwarded ? "for=1.2.3.4;host=\"a,b\", for=10.9.9.9" : "1.2.3.4, 10.9.9.9"
            for lines in [[prefix + ", " + appended], [prefix, appended]] {
                let found = isForwarded ? client(forwarded: lines) : client(forwardedFor: lines)
                guard found == "1.2.3.4" else {
                    Issue.record("\(lines): \(found)")
                    return
                }
            }
        }
    }
}
