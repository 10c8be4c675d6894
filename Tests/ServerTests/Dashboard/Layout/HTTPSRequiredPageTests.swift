import Testing

@testable import KeybearerServer

/// The ``HTTPSRequiredPage``.
@Suite struct HTTPSRequiredPageTests {
    @Test("It names the address, the same under HTTPS, and this machine's own where the browser runs there")
    func addresses() throws {
        let page = try RenderedPage(HTTPSRequiredPage(authority: "yourapp.test:8080", isLocal: true))
        #expect(page.problems == [])
        #expect(page.title == "HTTPS is needed · Keybearer")
        #expect(page.text.contains("Your request for yourapp.test:8080 reached this server over plain HTTP."))
        #expect(page.has("a", ["href": "https://yourapp.test/"]))
        #expect(page.has("a", ["href": "http://localhost:8080/"]))
        #expect(page.forms.isEmpty)
        let elsewhere = try RenderedPage(HTTPSRequiredPage(authority: "yourapp.test:8080", isLocal: false))
        #expect(!elsewhere.html.contains("http://localhost"))
    }

    @Test("Without an address that can be shown it does without")
    func withoutAddress() throws {
        let page = try RenderedPage(HTTPSRequiredPage(authority: "", isLocal: false))
        #expect(page.problems == [])
        #expect(page.text.contains("Your request reached this server over plain HTTP."))
        #expect(page.text.contains("Tell the person who runs the service."))
        #expect(page.elements("a").allSatisfy { $0["href"]?.hasPrefix("http") != true })
    }

    @Test("Its style sheet is in it, and it asks for nothing else")
    func style() throws {
        let page = try RenderedPage(HTTPSRequiredPage(authority: "yourapp.test", isLocal: false))
        #expect(page.html.contains("<style nonce=\"\(RenderedPage.nonce)\">\(DashboardAssets.stylesheetText)</style>"))
        #expect(page.elements("script").isEmpty && page.elements("link").allSatisfy { $0["rel"] == "icon" })
        #expect(HTTPSRequiredPage.embedsStylesheet && !ErrorPage.embedsStylesheet)
    }

    @Test("The address is written as text")
    func hostile() throws {
        let page = try RenderedPage(HTTPSRequiredPage(authority: RenderedPage.hostile, isLocal: true))
        #expect(!page.html.contains(RenderedPage.hostile))
    }
}
