import HTTPTypes
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// What the ``EdgeResponder`` refuses over plain HTTP, and whom it believes about HTTPS.
@Suite struct EdgeResponderTests {
    private func status(_ peer: String, _ headers: HTTPFields = [:], isTLS: Bool = false, trusted: [String] = [])
        async throws -> Int
    {
        let fixture = try ServerFixture { edge, _ in edge.trustedProxies = trusted.compactMap(AddressRange.init) }
        return try await fixture.respond(.get, "/api/v1/me", headers, peer: peer, isTLS: isTLS).status
    }

    @Test("Plain HTTP passes from this machine alone, and not through a proxy that nobody configured")
    func plainHTTP() async throws {
        #expect(try await status("127.0.0.1") == 401)
        #expect(try await status("::1") == 401)
        #expect(try await status("192.0.2.1") == 403)
        #expect(try await status("192.0.2.1", isTLS: true) == 401)
        for name in ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP"] {
            let header = try #require(HTTPField.Name(name))
            #expect(try await status("127.0.0.1", [header: "https"]) == 403, "\(name)")
        }
        #expect(try await status("192.0.2.1", [HeaderName.forwardedProto: "https"]) == 403)
    }

    @Test("Behind a trusted proxy its word on the scheme counts")
    func trustedProxy() async throws {
        let trusted = ["10.0.0.0/8", "127.0.0.1"]
        #expect(try await status("10.1.2.3", [HeaderName.forwardedProto: "https"], trusted: trusted) == 401)
        #expect(try await status("10.1.2.3", [HeaderName.forwardedProto: "http"], trusted: trusted) == 403)
        #expect(try await status("10.1.2.3", [HeaderName.forwardedProto: "https, http"], trusted: trusted) == 403)
        #expect(try await status("10.1.2.3", trusted: trusted) == 403)
        #expect(try await status("127.0.0.1", trusted: trusted) == 403, "a trusted proxy is not exempt as loopback")
        #expect(try await status("11.0.0.1", [HeaderName.forwardedProto: "https"], trusted: trusted) == 403)
    }

    @Test("Refusals are in the envelope and never redirect; the dashboard is refused too")
    func refusal() async throws {
        let fixture = try ServerFixture()
        let api = try await fixture.respond(.get, "/api/v1/me", peer: "192.0.2.1", isTLS: false)
        #expect(try object(api.body)["error"] as? String == "HTTPS_REQUIRED")
        #expect(api.headers[.location] == nil)
        let page = try await fixture.respond(.get, "/sign-in", peer: "192.0.2.1", isTLS: false)
        #expect(page.status == 403)
        #expect(page.headers[.location] == nil)
        #expect(try await fixture.respond(.get, "/healthz", peer: "192.0.2.1", isTLS: false).status == 200)
    }
}
