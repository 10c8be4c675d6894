import Testing

@testable import Keybearer

/// ``ClientName``: what is kept of a user agent.
@Suite struct ClientNameTests {
    @Test(
        "Visible characters alone, at most 120 bytes, without space at the ends",
        arguments: [
            ("curl/8.5.0", "curl/8.5.0"), ("  a b \t", "a b ?"), ("", ""), (" ", ""), ("a\tb\nc", "a?b?c"),
            ("é\u{202e}", "?????"), (String(repeating: "x", count: 500), String(repeating: "x", count: 120)),
            (String(repeating: "x", count: 119) + "  y", String(repeating: "x", count: 119)),
            ("<script>", "<script>"),
        ])
    func visible(text: String, expected: String) {
        #expect(ClientName.visible(text.utf8) == expected)
    }
}
