import Foundation
import TestSupport
import Testing

@testable import Keybearer

@Suite("Times, addresses and names")
struct TimeAndNetworkTests {
    @Test("The system's generator answers as many bytes as were asked for, and every place of them varies")
    func systemRandomBytes() {
        for count in 0...40 {
            let samples = (0..<24).map { _ in RandomSource.system.bytes(count) }
            #expect(samples.allSatisfy { $0.count == count })
            // That 24 bytes are all alike happens once in 2^184.
            for place in 0..<count { #expect(Set(samples.map { $0[place] }).count > 1, "place \(place) of \(count)") }
        }
    }

    @Test(
        "Timestamps print as RFC 3339 in UTC with milliseconds, as Foundation does",
        arguments: [
            0, 1, 951_782_399_999, 951_868_800_000, 1_767_225_600_250, 4_102_444_799_999, -1, -2_208_988_800_000,
        ])
    func timestamps(milliseconds: Int64) {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        // A fifth of a millisecond more, since Foundation cuts what binary fractions fall short of.
        let date = Date(timeIntervalSince1970: (Double(milliseconds) + 0.2) / 1_000)
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).description == date.formatted(style))
    }

    @Test(
        "HTTP dates are as Foundation writes them",
        arguments: [0, 951_782_399_999, 951_868_800_000, 1_767_225_600_250, 1_795_480_741_000, 4_102_444_799_999, -1])
    func httpDates(milliseconds: Int64) {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        let date = Date(timeIntervalSince1970: (Double(milliseconds) / 1_000).rounded(.down))
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).httpDate == formatter.string(from: date))
    }

    @Test("Seconds are rounded up, never below zero")
    func rounding() {
        #expect(Duration.milliseconds(1).secondsRoundedUp == 1)
        #expect(Duration.seconds(2).secondsRoundedUp == 2)
        #expect(Duration.milliseconds(-5).secondsRoundedUp == 0)
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

    @Test("E-mail addresses are normalised; what plainly is none is refused")
    func emails() {
        #expect(EmailAddress("  Ada@Example.COM ")?.rawValue == "ada@example.com")
        for text in [
            "", "ada", "@x", "a@", "a@b@c", "a b@c.d", "a@.c", "a@c..d", "a\u{0}@c.d", "<a@b.c>",
            String(repeating: "a", count: 65) + "@b.c",
        ] {
            #expect(EmailAddress(text) == nil, "\(text)")
        }
    }

    @Test("Ids are read by kind")
    func ids() {
        #expect(UserID(parsing: "usr_abc123") != nil)
        for text in ["ws_abc", "usr_", "usr_a-b", "usr_" + String(repeating: "a", count: 41), "usr_é"] {
            #expect(UserID(parsing: text) == nil, "\(text)")
        }
    }
}
