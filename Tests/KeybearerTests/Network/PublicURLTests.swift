import Testing

@testable import Keybearer

/// A ``PublicURL``: its one spelling, and why others are refused.
@Suite struct PublicURLTests {
    @Test(
        "A slash at the end means nothing, and the origin has its one spelling",
        arguments: [
            ("https://app.test", "https://app.test", ""), ("https://app.test/", "https://app.test", ""),
            ("HTTPS://App.test:443/developers", "https://app.test/developers", "/developers"),
            ("https://app.test/developers/", "https://app.test/developers", "/developers"),
            ("https://app.test:8443/a/B-c_d~1", "https://app.test:8443/a/B-c_d~1", "/a/B-c_d~1"),
            ("http://[::1]:8080/keys", "http://[::1]:8080/keys", "/keys"),
        ])
    func spelling(text: String, expected: String, path: String) throws {
        let url = try PublicURL(parsing: text)
        #expect(url.description == expected && url.path == path)
        #expect(PublicURL(expected) == url)
    }

    @Test(
        "What browsers, proxies and cookies could read in different ways is refused, and it is said why",
        arguments: [
            ("app.test/developers", "https:// or http://"), ("/developers", "https:// or http://"), ("", "https://"),
            ("ftp://app.test/developers", "https:// or http://"), ("https:///developers", "no host"),
            ("https://ada@app.test/developers", "a user name"), ("https://app.test?x=1", "leave out '?x=1'"),
            ("https://app.test//", "its path '/' is refused"), ("https://app.test//keys", "its path '//keys'"),
            ("https://app.test/keys//", "its path '/keys/'"), ("https://app.test/a/../b", "its path '/a/../b'"),
            ("https://app.test/.", "its path '/.'"), ("https://app.test/v1.2", "its path '/v1.2'"),
            ("https://app.test/%61", "its path '/%61'"), ("https://app.test/a;b", "its path '/a;b'"),
            ("https://app.test/a b", "its path '/a b'"), ("https://app.test/keys?x=1", "its path '/keys?x=1'"),
            ("https://app.test/keys#top", "its path '/keys#top'"), ("https://app.test/kéys", "its path '/kéys'"),
            ("https://app.test/a\\b", "its path '/a\\b'"), ("https://app.test/a\nb", "its path"),
            ("https://app.test/\(String(repeating: "a", count: 100))", "at most 100"),
        ])
    func refused(text: String, reason: String) {
        #expect(PublicURL(text) == nil)
        do {
            _ = try PublicURL(parsing: text)
        } catch {
            #expect(error.description.contains(reason), "\(text): \(error)")
        }
    }
}
