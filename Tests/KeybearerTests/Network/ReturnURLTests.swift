import Testing

@testable import Keybearer

/// A ``ReturnURL`` against the places of ``AllowedReturnURL``.
@Suite struct ReturnURLTests {
    private static let places = ["https://app.example/back", "https://app.example:8443", "http://localhost:3000/a/b/"]

    private func read(_ text: String) throws -> ReturnURL {
        try ReturnURL(parsing: text, allowed: try Self.places.map { try AllowedReturnURL(parsing: $0) })
    }

    @Test(
        "Whole segments below an allowed place, by the same origin",
        arguments: [
            "https://app.example/back", "https://app.example/back/", "https://app.example/back/1",
            "https://app.example/back?x=/../2#y", "https://app.example/back#", "https://app.example:443/back",
            "HTTPS://APP.Example/back/deep/er", "https://app.example:8443", "https://app.example:8443/any?x",
            "http://localhost:3000/a/b", "http://localhost:3000/a/b/c", "https://app.example/back/a;b",
            "https://app.example/back?next=https://evil.example", "https://app.example/back/%252e%252e",
        ])
    func allowed(text: String) throws {
        #expect(try read(text).description == text)
        #expect(ReturnURL(stored: text)?.description == text)
    }

    @Test(
        "Everything else is refused",
        arguments: [
            // Another place, whatever it looks like.
            "https://app.example", "https://app.example/", "https://app.example/backdoor", "https://app.example/Back",
            "https://app.example/b", "https://app.example/x/back", "https://app.example.evil/back",
            "https://app.example.evil:8443", "https://app.examples/back", "https://app.example./back",
            "https://evil.example/https://app.example/back", "https://app.example:8444/back",
            "https://app.example:80/back", "http://app.example/back", "http://localhost:3000/a",
            "http://localhost/a/b", "https://localhost:3000/a/b", "https://xn--app-example/back",
            // User names.
            "https://app.example@evil.example/back", "https://user@app.example/back", "https://a:b@app.example/back",
            "https://app.example:8443@evil.example", "https://app.example%40evil.example/back",
            // Paths that a browser or a server reads as another one.
            "https://app.example/back/../x", "https://app.example/back/..", "https://app.example/./back",
            "https://app.example/back/%2e%2e/x", "https://app.example/back/.%2E/x", "https://app.example/back/%2e",
            "https://app.example/back/..;/x", "https://app.example/back/%2e.%3bx/y", "https://app.example//back/x",
            "https://app.example/back//x",
            "https://app.example/back%2fx", "https://app.example/back/%2Fx", "https://app.example/back%5c..",
            #"https://app.example\back"#, #"https://app.example/back\..\x"#, #"https:\\app.example/back"#,
            // No absolute address.
            "", "/back", "//app.example/back", "app.example/back", "https:/app.example/back", "https:app.example/back",
            "https:///back", "https://", "://app.example/back", "javascript://app.example/back",
            "ftp://app.example/back",
            "javascript:alert(1)//https://app.example/back", "data:text/html,https://app.example/back",
            "view-source:https://app.example/back", "x://app.example/back", "https://[app.example]/back",
            // What must be escaped, or is none.
            "https://app.example/back x", " https://app.example/back", "https://app.example/back\n",
            "https://app.example/back\t", "https://app.example/back\r\nX: y", "https://app.example/bäck",
            "https://äpp.example/back", "https://app.example/back\"><script>", "https://app.example/back?x={y}",
            "https://app.example/back\u{0}", "https://app.example:0/back", "https://app.example:99999/back",
            "https://app.example:+443/back",
        ])
    func refused(text: String) {
        #expect(throws: Origin.Problem.self) { try read(text) }
    }

    @Test("At most 2,048 bytes, and nothing where no place is allowed")
    func bounds() throws {
        let page = "https://app.example/back/"
        let longest = page + String(repeating: "x", count: 2_048 - page.utf8.count)
        #expect(try read(longest).description == longest)
        #expect(throws: Origin.Problem.self) { try read(longest + "x") }
        #expect(throws: Origin.Problem.self) { try ReturnURL(parsing: page, allowed: []) }
        #expect(ReturnURL(stored: "/back") == nil)
    }

    @Test(
        "An allowed place has no query, no fragment and no segment that is read in another way",
        arguments: [
            "https://app.example/back?x", "https://app.example/back#x", "https://app.example?", "app.example",
            "https://app.example/a/../b", "https://user@app.example", "https://*.example",
        ])
    func places(text: String) {
        #expect(throws: Origin.Problem.self) { try AllowedReturnURL(parsing: text) }
    }

    @Test(
        "One more parameter: query and fragment stay",
        arguments: [
            ("https://app.example/back", "https://app.example/back?a=b"),
            ("https://app.example/back?x=1", "https://app.example/back?x=1&a=b"),
            ("https://app.example/back#top", "https://app.example/back?a=b#top"),
            ("https://app.example/back?x=1#top?y", "https://app.example/back?x=1&a=b#top?y"),
            ("https://app.example/back#?y", "https://app.example/back?a=b#?y"),
            ("https://app.example:8443", "https://app.example:8443?a=b"),
        ])
    func parameter(text: String, longer: String) throws {
        #expect(try read(text).adding("a", "b") == longer)
    }
}
