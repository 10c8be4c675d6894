import HTTPTypes
import Testing

@testable import Keybearer
@testable import KeybearerServer

extension Brand {
    /// A brand with everything.
    static func acme() throws -> Brand {
        var brand = Brand()
        brand.productName = try #require(ProductName("Acme"))
        brand.logo = try BrandLogo(Array(BrandLogo.svg.utf8))
        brand.supportURL = SupportURL("https://app.test/help?a=1&b=2")
        brand.accentColor = AccentColor("#c2185b")
        return brand
    }
}

/// The ``Brand`` on pages and among the ``DashboardAssets``.
@Suite struct BrandTests {
    @Test("Pages have the product's name, mark, colour and help, and nothing of Keybearer's")
    func pages() throws {
        let brand = try Brand.acme()
        let assets = BrandAssets(brand)
        for page in [
            try RenderedPage(SignInPage(isSignUpOpen: true), at: .developers, brand: brand),
            try RenderedPage(ErrorPage(status: 404), at: .developers, brand: brand),
            try RenderedPage(
                RegeneratePage(
                    shell: .sample, workspaceID: "ws_1", prefix: "tdc_6WYM", version: 1, idempotencyKey: "once"),
                at: .developers, brand: brand),
        ] {
            #expect(page.problems == [])
            #expect(page.title.hasSuffix(" · Acme") && page.header.contains("Acme"))
            #expect(!page.html.lowercased().contains("keybearer"))
            #expect(page.has("img", ["src": "/developers\(assets.logoURL ?? "")", "alt": ""]))
            #expect(page.has("link", ["rel": "icon", "href": "/developers\(assets.logoURL ?? "")"]))
            #expect(page.has("link", ["rel": "stylesheet", "href": "/developers\(assets.stylesheetURL ?? "")"]))
            #expect(page.has("a", ["href": "https://app.test/help?a=1&b=2"]) && page.html.contains(">Get help</a>"))
            #expect(page.html.contains("data-base=\"/developers\""))
        }
        let portal = DashboardShell(
            email: "a@example.com", workspaces: [], currentWorkspaceID: nil, section: .apiWebhooks,
            portal: PortalAccess(
                tokenID: OperatorTokenID(rawValue: "opt_1"), section: .apiKey, workspaceID: nil,
                returnURL: ReturnURL(stored: "https://app.test/back")))
        let page = try RenderedPage(
            RegeneratePage(shell: portal, workspaceID: "ws_1", prefix: "tdc_6WYM", version: 1, idempotencyKey: "once"),
            brand: brand)
        #expect(page.header.contains("← Back to Acme Get help"))
    }

    @Test("A colour alone colours the icon; the page without other responses holds the rules itself")
    func color() throws {
        var brand = Brand()
        brand.accentColor = AccentColor("#C2185B")
        #expect(try RenderedPage(ErrorPage(status: 404), brand: brand).html.contains("fill='%23c2185b'"))
        let plain = try RenderedPage(HTTPSRequiredPage(authority: "app.test", isLocal: false), brand: try .acme())
        #expect(plain.problems == [])
        #expect(plain.html.contains("--button: #c2185b;") && !plain.html.contains("<img"))
        #expect(plain.elements("link").allSatisfy { $0["href"]?.hasPrefix("data:") == true })
    }

    @Test("The script and the style sheets name nobody")
    func assets() {
        let script = String(decoding: DashboardAssets.script, as: UTF8.self)
        #expect(!script.lowercased().contains("keybearer"))
        #expect(!DashboardAssets.stylesheetText.lowercased().contains("keybearer"))
    }

    @Test("The brand's style sheet is an asset like the others")
    func stylesheet() async throws {
        let brand = try Brand.acme()
        let fixture = try ServerFixture { edge, _ in edge.brand = brand }
        let response = try await fixture.respond(.get, BrandAssets(brand).stylesheetURL ?? "")
        #expect(response.status == 200 && response.body == brand.stylesheet)
        #expect(response.headers[.contentType] == "text/css; charset=utf-8")
        #expect(response.headers[.cacheControl]?.contains("immutable") == true)
    }

    @Test(
        "Help is a page over HTTPS or an address to write to",
        arguments: [
            ("https://app.test/help", true), ("HTTPS://app.test", true), ("mailto:help@app.test", true),
            ("mailto:help@app.test?subject=API%20key", true), ("http://app.test/help", false), ("/help", false),
            ("javascript:alert(1)", false), ("mailto:", false), ("mailto:help", false), ("mailto:a@app.test\"x", false),
            ("mailto:a@app.test?subject=a b", false), ("https://", false), ("https://ada@app.test/", false),
            ("", false),
            ("tel:112", false),
        ])
    func supportURL(text: String, isAccepted: Bool) {
        #expect((SupportURL(text) != nil) == isAccepted)
    }
}
