import Testing

@testable import KeybearerServer

/// The ``Examples`` of requests on the key's page.
@Suite struct ExamplesTests {
    @Test("cURL: the key's place, this server's URL, on two lines of one command")
    func curl() {
        #expect(
            Examples.curl(apiURL: "https://yourapp.com", prefix: "kbx_") == """
                curl -H "Authorization: Bearer kbx_YOUR_API_KEY" \\
                  https://yourapp.com/api/v1/me
                """)
    }

    @Test("Node.js: the same request, the same key's place")
    func node() {
        let example = Examples.node(apiURL: "http://127.0.0.1:8080", prefix: "tdc_")
        #expect(example.contains("await fetch('http://127.0.0.1:8080/api/v1/me', {\n"))
        #expect(example.contains("headers: { Authorization: 'Bearer tdc_YOUR_API_KEY' },\n"))
    }

    @Test("Each language has its tab, with this server's URL and the key's place")
    func all() {
        let examples = Examples.all(apiURL: "https://yourapp.com", prefix: "kbx_")
        #expect(examples.map(\.name) == ["cURL", "Node.js", "Python", "Go", "Swift"])
        #expect(examples.map(\.isFirst) == [true, false, false, false, false])
        for example in examples {
            #expect(example.code.contains("https://yourapp.com/api/v1/me"), "\(example.name)")
            #expect(example.code.contains("Bearer kbx_YOUR_API_KEY"), "\(example.name)")
        }
    }
}
