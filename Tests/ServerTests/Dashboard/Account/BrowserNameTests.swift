import Testing

@testable import KeybearerServer

/// The ``BrowserName`` of a user agent.
@Suite struct BrowserNameTests {
    @Test(arguments: [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/128.0 Safari/537.36 Edg/128.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/128.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh)", "A browser on Mac"),
        ("Chrome/128.0", "Chrome"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown browser"),
    ])
    func words(userAgent: String, name: String) {
        #expect(BrowserName.describe(userAgent) == name)
    }

    @Test("What is not recognised is shown by 40 characters at most")
    func long() {
        #expect(BrowserName.describe(String(repeating: "x", count: 1_000)) == String(repeating: "x", count: 40))
    }
}
