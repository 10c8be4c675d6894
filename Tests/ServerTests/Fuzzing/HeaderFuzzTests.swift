import Crypto
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Random values of `Authorization`, `Forwarded` and `X-Forwarded-For`.
@Suite("Random bytes in headers")
struct HeaderFuzzTests {
    private static let schemes = ["Bearer ", "bearer ", "BEARER   ", "Bearer", "Basic ", "Bearer\t", "", " Bearer "]
        .map { Array($0.utf8) }

    private static func authorization(_ numbers: inout FuzzNumbers) -> [UInt8] {
        var value = numbers.once(in: 3) ? numbers.pick(schemes) : schemes[numbers.below(3)]
        for _ in 0..<(numbers.once(in: 2) ? 38 + numbers.below(18) : numbers.below(64)) {
            value.append(
                numbers.once(in: 60) ? UInt8(truncatingIfNeeded: numbers.next()) : 48 + UInt8(numbers.below(75)))
        }
        numbers.mutate(&value, onceIn: 4)
        return value
    }

    /// What the value holds: nil for no bearer token, an empty one for a malformed one.
    private static func expectedToken(_ value: [UInt8]) -> [UInt8]? {
        guard value.count > 6, value.prefix(6).map(HeadReference.lowered) == Array("bearer".utf8) else { return nil }
        let token = Array(value.dropFirst(6).drop { $0 == 32 })
        guard value[6] == 32, (20...128).contains(token.count) else { return [] }
        if token.count <= 54 { return token }
        // A longer one is known by its first bytes, its digest and its length.
        return token.prefix(22) + Array(SHA256.hash(data: token)) + [0, UInt8(token.count)]
    }

    private static func found(_ credentials: BearerCredentials) -> [UInt8]? {
        switch credentials {
        case .none: nil
        case .malformed: []
        case .token(let token): token.withBytes { Array($0) }
        }
    }

    @Test("Authorization: a token comes out as it went in", arguments: Fuzzer.cases(short: 900_000))
    func authorization(seeds: Range<UInt64>) async throws {
        try await Fuzzer.run("authorization", seeds, make: Self.authorization) { input in
            guard Fuzzer.exactly(input, { Self.found(BearerCredentials(value: $0)) }) == Self.expectedToken(input)
            else {
                return "as bytes"
            }
            var headers = HTTPFields()
            headers.append(HTTPField(name: .authorization, value: String(decoding: input, as: UTF8.self)))
            guard Self.found(BearerCredentials(headers)) == Self.expectedToken(Array(headers[0].value.utf8)) else {
                return "as a field"
            }
            headers.append(headers[0])
            return Self.found(BearerCredentials(headers)) == [] ? nil : "twice"
        }
    }

    private static let nodes = [
        "10.0.0.1", "10.9.9.9:80", "198.51.100.7", "1.2.3.4:_p", "2001:db8::1", "[2001:db8::7]:443", "[fd00::2]",
        "fd00::9", "::ffff:10.0.0.7", "[fe80::1%eth0]:80", "unknown", "_x", "::", "0.0.0.0", "1.2.3", "[::1",
        "[1.2.3.4]",
        "1.2.3.4:123456", "01.2.3.4", "", "1.2.3.4%e", "1.2.3.4\u{301}", ":\u{301}",
    ].map { Array($0.utf8) }

    private static let pairs = [
        ";proto=https", ";host=\"a,for=6.6.6.6\"", ";host=\"a\\\",b\"", ";by=_x", ";", " ; ", ";x", ";for=6.6.6.6",
        ";host=\"a\\\\\"", ";host=\"", "\"", "\\", ";a==", ";=a", " ;b=\"\"",
    ].map { Array($0.utf8) }

    /// Lines of one header or of both, each led by the header's letter and ended by a line feed.
    private static func forwarding(_ numbers: inout FuzzNumbers) -> [UInt8] {
        var bytes: [UInt8] = []
        let kinds: [UInt8] = numbers.once(in: 8) ? [0x46, 0x58] : numbers.once(in: 2) ? [0x46] : [0x58]
        for kind in kinds {
            for _ in 0...(numbers.once(in: 4) ? 2 : 0) {
                bytes.append(kind)
                for entry in 0...numbers.below(4) {
                    if entry > 0 { bytes += Array(numbers.pick([",", ", ", "\t, "]).utf8) }
                    let node = numbers.once(in: 4) ? numbers.pick(nodes) : nodes[numbers.below(10)]
                    guard kind == 0x46 else {
                        bytes += node
                        continue
                    }
                    let isQuoted = numbers.once(in: 2) || node.contains(0x3A)
                    bytes += Array(numbers.pick(["for=", "For=", "FOR="]).utf8)
                    bytes += isQuoted ? [0x22] + node + [0x22] : node
                    if numbers.once(in: 3) {
                        bytes += numbers.once(in: 3) ? numbers.pick(pairs) : pairs[numbers.below(5)]
                    }
                }
                bytes.append(10)
            }
        }
        numbers.mutate(&bytes, onceIn: 4)
        return bytes
    }

    private static let trusted = ["10.0.0.0/8", "fd00::/8"].compactMap { AddressRange($0) }
    private static let peer = IPAddress(v4: 0x0A00_0001)

    @Test(
        "Forwarded and X-Forwarded-For: the client is who a naive walk finds, and nothing that it puts in front changes that",
        arguments: Fuzzer.cases(short: 270_000))
    func forwarding(seeds: Range<UInt64>) async throws {
        let addresses = ClientAddress(trusted: Self.trusted)
        func expected(_ lines: [[UInt8]], _ isForwarded: Bool) -> IPAddress {
            ForwardedReference.client(lines, isForwarded: isForwarded, peer: Self.peer, isTrusted: addresses.isTrusted)
        }
        try await Fuzzer.run("forwarding", seeds, make: Self.forwarding) { input in
            var headers = HTTPFields()
            for line in input.split(separator: 10) {
                headers.append(
                    HTTPField(
                        name: line[line.startIndex] == 0x46 ? HeaderName.forwarded : HeaderName.forwardedFor,
                        value: String(decoding: line.dropFirst(), as: UTF8.self)))
            }
            let lines = [HeaderName.forwarded, HeaderName.forwardedFor].map { name in
                headers[values: name].map { Array($0.utf8) }
            }
            let found = addresses.address(peer: Self.peer, headers: headers)
            let clients = [expected(lines[0], true), expected(lines[1], false)]
            let isSingle = lines[0].isEmpty || lines[1].isEmpty
            let wanted =
                isSingle ? clients[lines[0].isEmpty ? 1 : 0] : clients[0] == clients[1] ? clients[0] : Self.peer
            guard found == wanted else { return "\(found) instead of \(wanted)" }
            guard isSingle, !headers.isEmpty, !addresses.isTrusted(found) else { return nil }
            // Whoever sent the request may have sent a line before those that proxies wrote.
            var longer = HTTPFields()
            longer.append(
                HTTPField(name: headers[0].name, value: ["for=\"6.6.6.6", "6.6.6.6", "\\\"", ""][input.count % 4]))
            for header in headers { longer.append(header) }
            let again = addresses.address(peer: Self.peer, headers: longer)
            return again == found ? nil : "\(again) instead of \(found) behind another line"
        }
    }
}
