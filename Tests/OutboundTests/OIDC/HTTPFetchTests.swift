import Testing

@testable import KeybearerOutbound

/// What an ``HTTPFetch`` writes. Its bounds, and the ``OIDCClient`` over it, are tested with real providers in Python.
@Suite struct HTTPFetchTests {
    @Test("Forms and queries escape everything but unreserved characters")
    func encoding() {
        let text = HTTPFetch.encode([("a", "1 2&3=4+5%"), ("ü", "~-._"), ("", "\u{0}\n/?#")])
        #expect(text == "a=1%202%263%3D4%2B5%25&%C3%BC=~-._&=%00%0A%2F%3F%23")
    }
}
