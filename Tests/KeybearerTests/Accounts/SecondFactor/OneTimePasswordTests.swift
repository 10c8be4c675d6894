import TestSupport
import Testing

@testable import Keybearer

@Suite struct OneTimePasswordTests {
    private static let app = OneTimePassword(secret: Array("12345678901234567890".utf8))

    @Test(
        "The vectors of RFC 6238, appendix B",
        arguments: [
            (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"), (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
        ] as [(Int64, String)])
    func vectors(seconds: Int64, code: String) {
        let time = Timestamp(millisecondsSinceEpoch: seconds * 1_000)
        let step = OneTimePassword.step(at: time)
        #expect(Self.app.code(at: step, digits: 8) == code)
        // Six digits are the last six of eight.
        #expect(Self.app.code(at: step) == code.suffix(6))
        #expect(Self.app.step(of: String(code.suffix(6)), at: time) == step)
    }

    @Test(
        "The vectors of RFC 4226, appendix D",
        arguments: zip(
            0..<10,
            [
                "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
            ]))
    func counters(step: Int, code: String) {
        #expect(Self.app.code(at: Int64(step)) == code)
    }

    @Test("The step before and the step behind are accepted, and no other", arguments: -3...3)
    func window(offset: Int64) {
        let now = Samples.start
        let step = OneTimePassword.step(at: now) + offset
        #expect(Self.app.step(of: Self.app.code(at: step), at: now) == (abs(offset) <= 1 ? step : nil))
    }

    @Test("Spaces in a code are ignored; nothing else is a code")
    func typed() {
        let code = Self.app.code(at: OneTimePassword.step(at: Samples.start))
        #expect(Self.app.step(of: " \(code.prefix(3)) \(code.suffix(3)) ", at: Samples.start) != nil)
        for text in ["", "12345", code + "0", "+" + code.dropFirst(), "١٢٣٤٥٦", "abcdef"] {
            #expect(Self.app.step(of: text, at: Samples.start) == nil, "\(text)")
        }
    }

    @Test("What an app scans names service and account, whatever is in their names")
    func uri() {
        #expect(
            Self.app.uri(issuer: "My App: API & more", account: "ada+1@example.com")
                == "otpauth://totp/My%20App%3A%20API%20%26%20more:ada%2B1%40example.com"
                + "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=My%20App%3A%20API%20%26%20more")
    }

    @Test("The secret is read back as a page shows it, and shown nowhere else")
    func text() throws {
        let app = OneTimePassword.random(from: .seeded(3))
        #expect(app.secret.count == 20 && app.text.utf8.count == 32)
        #expect(OneTimePassword(parsing: app.text) == app)
        #expect(OneTimePassword(parsing: app.text.dropLast()) == nil)
        #expect(OneTimePassword(parsing: "1" + app.text.dropFirst()) == nil)
        #expect("\(app)" == "one-time password")
        var dumped = ""
        dump(app, to: &dumped)
        #expect(!dumped.contains(String(app.secret[0])))
    }
}

/// ``Base32``
@Suite struct Base32Tests {
    @Test(
        "The vectors of RFC 4648, without padding",
        arguments: [
            ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ])
    func vectors(plain: String, encoded: String) {
        #expect(Base32.encode(Array(plain.utf8)) == encoded)
        #expect(Base32.decode(encoded) == Array(plain.utf8))
        #expect(Base32.decode(encoded.lowercased()) == Array(plain.utf8))
    }

    @Test("What is no base32 is refused", arguments: ["1", "0A", "A=", "MZ XQ", "A", "AAA", "MZ", "ÄÄ"])
    func refused(text: String) {
        #expect(Base32.decode(text) == nil)
    }
}
