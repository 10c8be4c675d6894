import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``Challenges`` on every listener: the realm is the product's name.
@Suite struct ChallengesTests {
    @Test("API, operator API, dashboard and gate name the product, and not Keybearer")
    func realm() async throws {
        let fixture = try ServerFixture { edge, _ in edge.brand.productName = ProductName(#"Acme "Cloud""#) ?? .standard
        }
        let wrong: HTTPFields = [.authorization: "Bearer wrong"]
        for (path, headers, expected) in [
            ("/api/v1/me", [:], #"Bearer realm="Acme Cloud""#),
            ("/api/v1/me", wrong, #"Bearer realm="Acme Cloud", error="invalid_token""#),
            ("/operator/v1/users", [:], #"Bearer realm="Acme Cloud operators""#),
            ("/operator/v1/users", wrong, #"Bearer realm="Acme Cloud operators", error="invalid_token""#),
            ("/account", [.accept: "application/json"], #"Session realm="Acme Cloud""#),
        ] as [(String, HTTPFields, String)] {
            let response = try await fixture.respond(.get, path, headers)
            #expect(response.headers[.wwwAuthenticate] == expected, "\(path)")
        }
        try await fixture.listening { client in
            for (headers, expected) in [
                ([], #"Bearer realm="Acme Cloud""#),
                ([("Authorization", "Bearer wrong")], #"Bearer realm="Acme Cloud", error="invalid_token""#),
            ] {
                let response = try await client.send(WireRequest(headers: headers), over: .gate)
                #expect(response.values("www-authenticate") == [expected])
            }
        }
    }
}
