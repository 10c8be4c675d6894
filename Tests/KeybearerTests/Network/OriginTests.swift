import Testing

@testable import Keybearer

/// An ``Origin``: its one spelling, and why others are refused.
@Suite struct OriginTests {
    @Test(
        "Origins have one spelling",
        arguments: [
            ("https://yourapp.com", "https://yourapp.com"), ("HTTPS://YourApp.com:443", "https://yourapp.com"),
            ("http://yourapp.com:80", "http://yourapp.com"), ("http://yourapp.com:443", "http://yourapp.com:443"),
            ("https://yourapp.com:8443", "https://yourapp.com:8443"), ("https://yourapp.com:", "https://yourapp.com"),
            ("https://[2001:DB8::0001]:443", "https://[2001:db8::1]"), ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://[::ffff:192.0.2.1]", "https://[::ffff:192.0.2.1]"), ("http://127.0.0.1", "http://127.0.0.1"),
            ("https://yourapp.com.", "https://yourapp.com."),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ])
    func spelling(text: String, expected: String) throws {
        #expect(try Origin(parsing: text).description == expected)
    }

    @Test("What may show pages in a frame: https, and what a policy can name")
    func embedding() throws {
        #expect(try Origin(embedding: "https://App.example:8443").description == "https://app.example:8443")
        let refused = [
            "http://app.example", "https://[2001:db8::1]", "https://*.app.example", "https://app.example/", "*",
            "https://app.example; script-src *", "'self'", "https://app.example https://b.example", "data:",
        ]
        for text in refused {
            #expect(throws: Origin.Problem.self, "\(text)") { _ = try Origin(embedding: text) }
        }
    }

    @Test("Other hosts, ports and schemes are other origins")
    func different() {
        let texts = [
            "https://a.example", "http://a.example", "https://a.example:8443", "https://a.example.",
            "https://b.example",
            "https://[::1]", "https://[::ffff:192.0.2.1]", "https://192.0.2.1",
        ]
        #expect(Set(texts.compactMap { Origin($0) }).count == texts.count)
    }

    @Test(
        "What is no origin is refused, and it is said why",
        arguments: [
            ("null", "https:// or http://"), ("", "https:// or http://"), ("yourapp.com", "https:// or http://"),
            ("//yourapp.com", "https:// or http://"), ("ftp://yourapp.com", "https:// or http://"),
            ("javascript://yourapp.com", "https:// or http://"), (" https://yourapp.com", "https:// or http://"),
            ("https://", "no host"), ("https://:443", "no host"), ("https://user@yourapp.com", "a user name"),
            ("https://user:pass@yourapp.com", "a user name"), ("https://yourapp.com/", "leave out '/'"),
            ("https://yourapp.com/api", "leave out '/api'"), ("https://yourapp.com?x", "leave out '?x'"),
            ("https://yourapp.com\\x", "leave out '\\x'"), ("https://yourapp.com:0", "its port"),
            ("https://yourapp.com:65536", "its port"), ("https://yourapp.com:8x", "its port"),
            ("https://yourapp.com:-1", "its port"), ("https://yourapp.com:+80", "its port"),
            ("https://bücher.example", "xn--"), ("https://a b", "no name"), ("https://a\tb", "no name"),
            ("https://a%62", "no name"), ("https://[::1", "no name"), ("https://::1", "no name"),
            ("https://[1.2.3.4]", "no IPv6"),
            ("https://[fe80::1%eth0]", "no IPv6"), ("https://.a", "no name"),
            ("https://a,https://b", "leave out '//b'"), ("https://a,b", "no name"),
        ])
    func refused(text: String, reason: String) {
        #expect(Origin(text) == nil)
        #expect {
            _ = try Origin(parsing: text)
        } throws: { "\($0)".contains(reason) }
    }
}
