import Testing

@testable import Keybearer

@Suite("The URL of an endpoint")
struct WebhookURLTests {
    @Test(
        "Names and addresses have one spelling",
        arguments: [
            ("https://Example.com/Hooks?a=B", "example.com", 443, nil),
            ("https://example.com:8443", "example.com", 8_443, nil),
            ("https://192.0.2.1/x", "192.0.2.1", 443, "192.0.2.1"),
            ("https://[2001:DB8::1]:444/", "2001:db8::1", 444, "2001:db8::1"),
            ("http://localhost:3000/hook", "localhost", 3_000, nil),
        ] as [(String, String, Int, String?)])
    func accepted(text: String, host: String, port: Int, address: String?) throws {
        let url = try WebhookURL(parsing: text)
        // Clients compare the host of what is called with the host that was looked at, byte for byte.
        let called = text.replacing("Example.com", with: "example.com").replacing("DB8", with: "db8")
        #expect(url.text == called && url.host == host && url.origin.port == port)
        #expect(url.address?.description == address)
        #expect(WebhookURL(text) == url)
    }

    @Test(
        "What could be read in two ways is refused",
        arguments: [
            "", "example.com", "ftp://example.com", "https://", "https:///x", "https://user:secret@example.com/",
            "https://user@example.com/", "https://example.com/#part", "https://example.com/a b", "https://exämple.com/",
            "https://example.com\\@evil.example/", "https://example.com./", "https://example.com.:443/",
            "https://127.1/",
            "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.0.0.01/",
            "https://127.0.0.1./",
            "https://0x7f.1/", "https://a.0x1/", "https://1.2.3/", "https://[::1%25lo]/", "https://[::1/",
            "https://a..b/",
            "https://example.com:0/", "https://example.com:65536/", "https://example.com:/\u{7F}",
            "https://\(String(repeating: "a", count: 64)).example/",
            "https://e.example/" + String(repeating: "a", count: 2_048),
        ])
    func refused(text: String) {
        #expect(throws: Origin.Problem.self) { try WebhookURL(parsing: text) }
        #expect(WebhookURL(text) == nil)
    }
}
