import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``CrossSiteCheck`` of requests as browsers send them.
@Suite struct CrossSiteCheckTests {
    /// A request as a browser might send it, and whether it passes.
    struct Case: Sendable, CustomTestStringConvertible {
        var origins: [String] = []
        var fetchSites: [String] = []
        var authority: String? = "app.example"
        var isHTTPS = true
        var publicURL: String?
        let passes: Bool
        var testDescription: String {
            "\(origins) \(fetchSites) at \(authority ?? "-") \(isHTTPS ? "https" : "http"), public \(publicURL ?? "-")"
        }
    }

    @Test(arguments: [
        // The same origin, in every spelling.
        Case(origins: ["https://app.example"], passes: true),
        Case(origins: ["https://app.example"], authority: "APP.example:443", passes: true),
        Case(origins: ["https://app.example:443"], passes: true),
        Case(origins: ["HTTPS://App.Example"], passes: true),
        Case(origins: ["https://app.example:8443"], authority: "app.example:8443", passes: true),
        Case(origins: ["http://localhost:8080"], authority: "localhost:8080", isHTTPS: false, passes: true),
        Case(origins: ["http://app.example"], authority: "app.example:80", isHTTPS: false, passes: true),
        Case(origins: ["https://[2001:db8::1]"], authority: "[2001:DB8:0::1]:443", passes: true),
        Case(origins: ["https://app.example."], authority: "app.example.", passes: true),
        // Another scheme, port or host.
        Case(origins: ["http://app.example"], passes: false),
        Case(origins: ["http://app.example:443"], passes: false),
        Case(origins: ["https://app.example"], isHTTPS: false, passes: false),
        Case(origins: ["https://app.example:8443"], passes: false),
        Case(origins: ["https://app.example"], authority: "app.example:8443", passes: false),
        Case(origins: ["https://evil.example"], passes: false),
        Case(origins: ["https://app.example.evil.example"], passes: false),
        Case(origins: ["https://app.example."], passes: false),
        Case(origins: ["https://[::ffff:192.0.2.1]"], authority: "192.0.2.1", passes: false),
        // No origin at all.
        Case(origins: ["null"], passes: false),
        Case(origins: ["null"], authority: "null", passes: false),
        Case(origins: [""], passes: false),
        Case(origins: ["https://user@app.example"], passes: false),
        Case(origins: ["https://app.example/"], passes: false),
        Case(origins: ["https://app.example, https://app.example"], passes: false),
        Case(origins: ["https://app.example https://app.example"], passes: false),
        Case(origins: ["https://app.example", "https://app.example"], passes: false),
        Case(origins: ["https://"], authority: "", passes: false),
        Case(origins: ["https://app.example"], authority: nil, passes: false),
        Case(origins: ["https://app.example"], authority: "user@app.example", passes: false),
        Case(passes: false),
        // The public address.
        Case(
            origins: ["https://app.example"], authority: "internal:8080", isHTTPS: false,
            publicURL: "https://app.example", passes: true),
        Case(
            origins: ["https://app.example:443"], authority: "internal", publicURL: "https://APP.example", passes: true),
        Case(
            origins: ["https://app.example"], authority: "internal", publicURL: "https://app.example:443", passes: true),
        Case(origins: ["http://app.example"], authority: "internal", publicURL: "https://app.example", passes: false),
        Case(origins: ["null"], authority: "internal", publicURL: "https://app.example", passes: false),
        // What the browser says itself comes first.
        Case(fetchSites: ["same-origin"], passes: true),
        Case(origins: ["null"], fetchSites: ["same-origin"], passes: true),
        Case(origins: ["https://app.example"], fetchSites: ["same-origin"], authority: "internal", passes: true),
        Case(origins: ["https://app.example", "https://app.example"], fetchSites: ["same-origin"], passes: false),
        Case(origins: ["https://app.example"], fetchSites: ["cross-site"], passes: false),
        Case(origins: ["https://app.example"], fetchSites: ["same-site"], passes: false),
        Case(origins: ["https://app.example"], fetchSites: ["none"], passes: false),
        Case(origins: ["https://app.example"], fetchSites: [""], passes: false),
        Case(fetchSites: ["same-origin", "same-origin"], passes: false),
        Case(fetchSites: ["Same-Origin"], passes: false),
    ])
    func table(_ given: Case) {
        var headers = HTTPFields()
        for value in given.origins { headers.append(HTTPField(name: .origin, value: value)) }
        for value in given.fetchSites { headers.append(HTTPField(name: HeaderName.fetchSite, value: value)) }
        let head = HTTPRequest(
            method: .post, scheme: "https", authority: given.authority, path: "/", headerFields: headers)
        var context = RequestContext(
            request: Request(head: head, body: RequestBody(buffer: ByteBuffer())), client: .localSocket,
            requestID: "req_1", parameters: [:])
        context.isHTTPS = given.isHTTPS
        #expect(CrossSiteCheck(publicOrigin: given.publicURL.flatMap { Origin($0) }).allows(context) == given.passes)
    }

    @Test("Over TLS a page of the same host that came over plain HTTP changes nothing")
    func overTheWire() async throws {
        let fixture = try ServerFixture()
        for (origin, isTLS, status) in [
            ("http://localhost", true, 403), ("https://localhost", true, 422), ("http://localhost", false, 422),
        ] {
            let headers: HTTPFields = [.origin: origin, .contentType: "application/x-www-form-urlencoded"]
            let response = try await fixture.respond(
                .post, "/sign-in", headers, body: "email=&password=", isTLS: isTLS, authority: "localhost")
            #expect((response.status == 403) == (status == 403), "\(origin) \(isTLS): \(response.status)")
        }
    }
}
