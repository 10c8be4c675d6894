import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Pages over plain HTTP: the ``DashboardResponder`` asks for a ``SecureContext``.
@Suite struct DashboardTransportTests {
    private static let pages: [(HTTPRequest.Method, String)] = [
        (.get, "/"), (.get, "/sign-in"), (.post, "/sign-in"), (.get, "/sign-up"), (.post, "/sign-up"),
        (.get, "/account"), (.post, "/sign-out"), (.get, "/nothing"), (.get, "/workspaces/ws_1/api-webhooks"),
        (.post, "/workspaces/ws_1/api-webhooks/reveal"),
    ]

    @Test(
        "Under a name where browsers keep no session every page explains itself",
        arguments: [
            "yourapp.test", "yourapp.test:8080", "192.0.2.7:8080", "[2001:db8::7]:8080", "localhost.evil.test",
            "notlocalhost", "127.0.0.1.evil.test", "128.0.0.1", "",
        ])
    func named(authority: String) async throws {
        let fixture = try ServerFixture()
        for (method, path) in Self.pages {
            let page = try await fixture.respond(
                method, path, [HeaderName.fetchSite: "same-origin"], isTLS: false, authority: authority)
            #expect(page.status == 403, "\(method) \(path)")
            #expect(page.body.contains("Signing in needs HTTPS here"), "\(method) \(path)")
            #expect(page.body.contains("tls-certificate") && page.body.contains("trusted-proxies"))
            #expect(page.headers[.setCookie] == nil && page.headers[.location] == nil)
            #expect(page.headers[HeaderName.csp]?.contains("style-src 'nonce-") == true)
        }
    }

    @Test(
        "On the browser's own machine plain HTTP is enough",
        arguments: [
            "localhost", "localhost:8080", "LOCALHOST:8080", "localhost.:8080", "keys.localhost", "127.0.0.1:8080",
            "127.1.2.3", "[::1]:8080", "[::1]",
        ])
    func local(authority: String) async throws {
        let fixture = try ServerFixture()
        #expect(try await fixture.respond(.get, "/sign-in", isTLS: false, authority: authority).status == 200)
        #expect(try await fixture.respond(.get, "/account", isTLS: false, authority: authority).status == 303)
    }

    @Test("Over HTTPS, be it to a trusted proxy, every name will do; the API does not look at the name")
    func secure() async throws {
        let trusted = [AddressRange("10.0.0.0/8")].compactMap { $0 }
        let fixture = try ServerFixture { edge, _ in edge.trustedProxies = trusted }
        #expect(try await fixture.respond(.get, "/sign-in").status == 200)
        let forwarded: HTTPFields = [HeaderName.forwardedProto: "https"]
        #expect(try await fixture.respond(.get, "/sign-in", forwarded, peer: "10.1.2.3", isTLS: false).status == 200)
        let plain = try await fixture.respond(
            .get, "/sign-in", [HeaderName.forwardedProto: "http"], peer: "10.1.2.3", isTLS: false)
        #expect(plain.status == 403)
        #expect(plain.body.contains("Signing in needs HTTPS here") && !plain.body.contains("http://localhost"))
        #expect(try await fixture.respond(.get, "/api/v1/me", isTLS: false).status == 401)
    }

    @Test("A script gets the code; what no host can be is not shown")
    func others() async throws {
        let fixture = try ServerFixture()
        let json = try await fixture.respond(.get, "/account", [.accept: "application/json"], isTLS: false)
        #expect(try object(json.body)["error"] as? String == "HTTPS_REQUIRED")
        let odd = try await fixture.respond(.get, "/sign-in", isTLS: false, authority: "a<b>c")
        #expect(odd.status == 403 && !odd.body.contains("b&gt;c") && !odd.body.contains("<b>"))
    }

    @Test(
        "Every page says the time of the server's own clocks, and the page without other responses has its style sheet"
    )
    func timeAndStyle() async throws {
        let fixture = try ServerFixture(clocks: TestClock().clocks)
        let page = try await fixture.respond(.get, "/sign-in")
        #expect(page.body.contains("data-now=\"\(Samples.start)\""))
        let plain = try await fixture.respond(.get, "/sign-in", isTLS: false)
        #expect(plain.body.contains("data-now=\"\(Samples.start)\""))
        #expect(plain.body.contains("\">" + String(decoding: DashboardAssets.stylesheet, as: UTF8.self) + "</style>"))
        #expect(!page.body.contains("<style"))
    }
}
