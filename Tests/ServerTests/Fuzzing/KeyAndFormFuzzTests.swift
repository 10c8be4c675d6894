import Foundation
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Random tokens, forms and paths.
@Suite("Random bytes as keys, forms and paths")
struct KeyAndFormFuzzTests {
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    private static let prefixes = [
        "tdc_", "a_", "a_b_c0_", "abcdefghijklmno_", "_", "", "Tdc_", "0_", "kbo_", "té_", "tdc",
    ]
    .map { Array($0.utf8) }

    /// CRC-32, bit by bit.
    private static func checksum(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var sum: UInt32 = .max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0xEDB8_8320 : sum >> 1 }
        }
        return UInt64(~sum)
    }

    private static func token(_ numbers: inout FuzzNumbers) -> [UInt8] {
        var token = numbers.once(in: 4) ? numbers.pick(prefixes) : prefixes[numbers.below(4)]
        let body = (0..<(numbers.once(in: 8) ? numbers.below(60) : 32)).map { _ in numbers.pick(alphabet) }
        var sum = checksum(body)
        // Most checksums fit; some are written as what no checksum is, with the same remainder.
        if numbers.once(in: 16) { sum += 1 << 32 }
        var digits: [UInt8] = []
        for _ in 0..<6 {
            digits.insert(alphabet[Int(sum % 62)], at: 0)
            sum /= 62
        }
        token += body + digits
        numbers.mutate(&token, onceIn: 2)
        return token
    }

    /// Whether the bytes can be a token: by their count alone.
    private static func mayBePresented(_ token: [UInt8]) -> Bool { (20...128).contains(token.count) }

    /// Whether the bytes are a key, by its description.
    private static func isKey(_ token: [UInt8]) -> Bool {
        guard (40...54).contains(token.count) else { return false }
        let (prefix, body) = (token.dropLast(38), token.suffix(38))
        let number = body.suffix(6).reduce(UInt64(0)) { sum, byte in
            sum * 62 + UInt64(alphabet.firstIndex(of: byte) ?? 0)
        }
        return (97...122).contains(prefix[0]) && prefix.last == 0x5F
            && prefix.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 0x5F }
            && body.allSatisfy(alphabet.contains) && number == checksum(body.dropLast(6))
    }

    @Test("Keys: what is one, and nothing else, comes out as it went in", arguments: Fuzzer.cases(short: 360_000))
    func keys(seeds: Range<UInt64>) async throws {
        try await Fuzzer.run("key", seeds, make: Self.token) { input in
            let presented = Fuzzer.exactly(input) { bytes in
                bytes.withMemoryRebound(to: UInt8.self) { PresentedToken($0) }
            }
            guard (presented != nil) == Self.mayBePresented(input) else { return "wrong length of a token" }
            let key = SecretKey(parsing: input)
            guard (key != nil) == Self.isKey(input) else { return key == nil ? "was refused" : "was accepted" }
            let text = String(decoding: input, as: UTF8.self)
            guard (KeyPrefix(text) != nil) == KeyPrefix.isWellFormed(input) else { return "as a prefix" }
            for kind in TokenKind.allCases where kind.hasFormat(text) {
                guard input.count == kind.prefix.utf8.count + 53, input.starts(with: kind.prefix.utf8) else {
                    return "as \(kind)"
                }
            }
            guard let key else { return nil }
            guard Array(key.characters.utf8) == input, presented == key.token,
                Array(key.shownPrefix.utf8) == Array(input.dropLast(34)), !"\(key)".contains(text)
            else { return "came out changed" }
            // No other key differs in one character behind the prefix.
            let place = input.count - 1 - Int(Self.checksum(input) % 38)
            var other = input
            other[place] = other[place] == 48 ? 49 : 48
            return SecretKey(parsing: other) == nil ? nil : "with another character \(place)"
        }
    }

    private static let formPieces = [
        "a", "b=c", "=", "&", "+", "%20", "%C3%A9", "%c3", "%zz", "%", "%2", "é", "\u{301}", "&\u{301}", "=\u{301}",
        "%00", "\u{0}", "\r\n", "email=a%40b.c", "&&", "%26", "%3D", "%25", "%+1", "👩‍👩‍👧", "%F0%9F%91%A9", "%ED%A0%80",
    ].map { Array($0.utf8) }

    private static func form(_ numbers: inout FuzzNumbers) -> [UInt8] {
        var form: [UInt8] = []
        for _ in 0..<numbers.below(12) { form += numbers.pick(formPieces) }
        numbers.mutate(&form, onceIn: 4)
        return form
    }

    private static func unescaped(_ text: ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            guard text[index] == 0x25 else {
                bytes.append(text[index] == 0x2B ? 0x20 : text[index])
                index += 1
                continue
            }
            let digits = text[(index + 1)...].prefix(2)
            guard digits.count == 2, digits.allSatisfy({ UnicodeScalar($0).properties.isASCIIHexDigit }),
                let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(byte)
            index += 3
        }
        // What is not UTF-8 does not come out as it went in.
        let string = String(decoding: bytes, as: UTF8.self)
        return Array(string.utf8) == bytes ? string : nil
    }

    @Test("Forms: the pairs are those of a naive reader", arguments: Fuzzer.cases(short: 270_000))
    func forms(seeds: Range<UInt64>) async throws {
        try await Fuzzer.run("form", seeds, make: Self.form) { input in
            let text = String(decoding: input, as: UTF8.self)
            var expected: [String: String]? = [:]
            for pair in Array(text.utf8).split(separator: 0x26) {
                let parts = pair.split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
                guard let name = Self.unescaped(parts[0]), let value = parts.count == 2 ? Self.unescaped(parts[1]) : ""
                else {
                    expected = nil
                    break
                }
                expected?[name] = value
            }
            let found = FormText.parse(text[...])
            func bytes(_ pairs: [String: String]?) -> [[UInt8]: [UInt8]]? {
                pairs.map { Dictionary(uniqueKeysWithValues: $0.map { (Array($0.utf8), Array($1.utf8)) }) }
            }
            return bytes(found) == bytes(expected)
                ? nil : "\(String(describing: found)) instead of \(String(describing: expected))"
        }
    }

    private static let pathPieces = [
        "/", "//", "v1", "eu", "workspaces", "Workspaces", "ws_1", "ws_2", "..", ".", "%2e", "%2f", "%77orkspaces",
        ";a", "?",
        "?\u{301}", "/\u{301}", "#", "%", "%zz", "%C3%A4", "\u{301}", " ", "\\", "%00", "workspaces.", "%25", "a",
    ].map { Array($0.utf8) }

    private static func path(_ numbers: inout FuzzNumbers) -> [UInt8] {
        var path = Array(numbers.pick(["/v1/eu/workspaces/ws_1", "/v1/eu/", "/v1/x/workspaces/", "/", ""]).utf8)
        for _ in 0..<numbers.below(6) { path += numbers.pick(pathPieces) }
        numbers.mutate(&path, onceIn: 4)
        return path
    }

    @Test(
        "Paths: a workspace is found only where a plain reader finds the same one",
        arguments: Fuzzer.cases(short: 240_000, long: 1_000_000))
    func paths(seeds: Range<UInt64>) async throws {
        let pattern = try #require(WorkspacePattern("/v1/*/workspaces/{workspace}"))
        try await Fuzzer.run("path", seeds, make: Self.path) { input in
            let text = String(decoding: input, as: UTF8.self)
            let segments = text.utf8.prefix { $0 != 0x3F }.split(separator: 0x2F, omittingEmptySubsequences: false).map
            {
                Self.unescapedPath(Array($0))
            }
            let isNamed =
                segments.count > 4 && segments[0] == "" && segments[1] == "v1" && segments[3] == "workspaces"
            switch pattern.match(text) {
            case .ambiguous: return nil
            case .other: return isNamed ? "was passed over" : nil
            case .workspace(let found):
                return isNamed && segments[4] == found && !segments.contains(nil) ? nil : "found \(found)"
            }
        }
    }

    private static func unescapedPath(_ segment: [UInt8]) -> String? {
        segment.map { $0 == 0x2B ? "%2B" : $0 < 0x7F ? String(UnicodeScalar($0)) : "%" + Fuzzer.hex([$0]) }.joined()
            .removingPercentEncoding
    }
}
