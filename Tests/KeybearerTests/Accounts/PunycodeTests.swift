import Testing

@testable import Keybearer

/// ``Punycode``, in both directions.
@Suite struct PunycodeTests {
    @Test("The xn-- form is read as RFC 3492 says, and what is malformed stays")
    func punycode() {
        for (encoded, decoded) in [
            ("xn--bcher-kva.example", "b\u{FC}cher.example"), ("xn--p1ai", "\u{440}\u{444}"),
            ("a.xn--fiqs8s.b", "a.\u{4E2D}\u{56FD}.b"), ("xn--mgba3a4f16a", "\u{627}\u{6CC}\u{631}\u{627}\u{646}"),
            ("xn--999999999", "xn--999999999"), ("xn--a-\u{FC}", "xn--a-\u{FC}"),
            ("xn--zzzzzzzzzzzzzzzzzzzz", "xn--zzzzzzzzzzzzzzzzzzzz"),
        ] {
            #expect(Punycode.decoded(encoded) == decoded, "\(encoded)")
        }
        for domain in [
            "b\u{FC}cher.example", "\u{440}\u{444}", "a.\u{4E2D}\u{56FD}.b", "\u{627}\u{6CC}\u{631}\u{627}\u{646}",
            "bu\u{308}cher.example", "\u{1F600}\u{1F601}.example", "a-\u{FC}-\u{10FFFF}", "plain.example",
            String(repeating: "\u{FC}", count: 30),
        ] {
            let encoded = Punycode.encoded(domain)
            #expect(encoded.utf8.allSatisfy { $0 < 128 })
            #expect(Punycode.decoded(encoded).utf8.elementsEqual(domain.utf8), "\(encoded)")
        }
        #expect(Punycode.encoded("b\u{FC}cher.example") == "xn--bcher-kva.example")
        #expect(Punycode.encoded("a.\u{4E2D}\u{56FD}.b") == "a.xn--fiqs8s.b")
        #expect(Punycode.encoded("\u{627}\u{6CC}\u{631}\u{627}\u{646}") == "xn--mgba3a4f16a")
    }
}
