import Testing

@testable import KeybearerServer

/// ``HostText``: which texts `Host` and `:authority` may be.
@Suite struct HostTextTests {
    @Test(
        "A host, a port of at most five digits, an address in brackets, or nothing",
        arguments: [
            ("", true), ("localhost", true), ("a.example", true), ("a.example:8080", true), ("a.example:", true),
            ("127.0.0.1:65535", true), ("[::1]", true), ("[::1]:443", true), ("[::ffff:192.0.2.1]", true),
            ("a%20b", true), ("a_b~c", true), ("a.example:123456", false), ("a.example:8x", false),
            ("a.example:80:90", false), ("[::1", false), ("[]", false), ("[::1]x", false), ("[::g]", false),
            ("::1", false), ("a/b", false), ("a@b", false), ("a b", false), ("a?b", false), ("a#b", false),
            ("a\\b", false), ("a\"b", false), ("a\u{0}", false), ("b\u{FC}cher.example", false), ("\r\n", false),
        ])
    func texts(text: String, isValid: Bool) {
        #expect(HostText.isValid(text[...].utf8) == isValid)
        var bytes = Array(text.utf8)
        bytes.withUnsafeMutableBytes { #expect(HostText.isValid(UnsafeRawBufferPointer($0)) == isValid) }
    }
}
