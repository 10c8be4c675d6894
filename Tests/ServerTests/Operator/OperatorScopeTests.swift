import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Every operator route with every ``OperatorScope`` and every other credential.
@Suite struct OperatorScopeTests {
    private struct Walked {
        let method: HTTPRequest.Method
        let path: String
        let scope: OperatorScope?
    }

    private static func routes(_ fixture: ServerFixture) throws -> [Walked] {
        try fixture.server().makeRoutes().compactMap { route in
            guard case .operatorToken(let scope, _) = route.access else { return nil }
            return Walked(method: route.method, path: route.path, scope: scope)
        }
    }

    private func send(
        _ fixture: ServerFixture, _ route: Walked, _ headers: HTTPFields
    ) async throws -> (status: Int, headers: HTTPFields, body: String) {
        let path = route.path.replacing("{user}", with: "ext:none").replacing("{workspace}", with: "ext:none")
            .replacing("{plan}", with: "none")
        var headers = headers
        headers[.contentType] = route.path.hasSuffix("introspect") ? nil : "application/json"
        headers[HeaderName.fetchSite] = "same-origin"
        return try await fixture.respond(route.method, path, headers, body: route.method == .get ? "" : "{}")
    }

    @Test("A token with the route's scope passes; any other is told which one it lacks, and nothing else")
    func scopes() async throws {
        let fixture = try ServerFixture()
        var clients: [OperatorScope: OperatorClient] = [:]
        for scope in OperatorScope.allCases { clients[scope] = try await OperatorClient(fixture, [scope]) }
        for route in try Self.routes(fixture) {
            for (scope, client) in clients {
                let response = try await send(fixture, route, [.authorization: "Bearer \(client.secret)"])
                let name = "\(route.method.rawValue) \(route.path) with \(scope.rawValue)"
                if let needed = route.scope, needed != scope {
                    #expect(response.status == 403, "\(name): \(response.body)")
                    let envelope = try object(response.body)
                    #expect(envelope["error"] as? String == "FORBIDDEN")
                    let message = envelope["message"] as? String ?? ""
                    #expect(message == "The operator token lacks the scope \(needed.rawValue).", "\(name)")
                } else {
                    #expect([200, 400, 404, 415, 422].contains(response.status), "\(name): \(response.body)")
                }
            }
        }
    }

    @Test("No token, a forged, revoked or expired one, a Secret Key and a session are 401, whatever the route")
    func otherCredentials() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let session = try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "")
        let (revoked, live) = (try await OperatorClient(fixture), try await OperatorClient(fixture))
        try await fixture.services.operatorTokens.revoke(revoked.token.id, by: .commandLine)
        let expired = try await OperatorClient(fixture, life: .seconds(-1))
        let foreign = OperatorSecret.mint(from: KeyVault(ring: try .generate(from: .system)), random: .system).secret
        let cookie = "\(SessionCookie.name)=\(session.token.characters)"
        let credentials: [(String, HTTPFields)] = [
            ("none", [:]), ("forged", [.authorization: "Bearer \(foreign.characters)"]),
            ("cut", [.authorization: "Bearer \(live.secret.dropLast())"]),
            ("revoked", [.authorization: "Bearer \(revoked.secret)"]),
            ("expired", [.authorization: "Bearer \(expired.secret)"]), ("key", [.authorization: "Bearer \(key)"]),
            ("session", [.cookie: cookie]), ("session's token", [.authorization: "Bearer \(session.token.characters)"]),
            ("another scheme", [.authorization: "Basic \(live.secret)"]),
            ("in a cookie", [.cookie: "\(SessionCookie.name)=\(live.secret)"]),
        ]
        for route in try Self.routes(fixture) {
            for (name, headers) in credentials {
                let response = try await send(fixture, route, headers)
                #expect(response.status == 401, "\(route.method.rawValue) \(route.path) with \(name)")
                #expect(try object(response.body)["error"] as? String == "UNAUTHORIZED")
                let challenge = response.headers[.wwwAuthenticate] ?? ""
                #expect(challenge.hasPrefix(#"Bearer realm="Keybearer operators""#))
                #expect(challenge.contains("invalid_token") == (headers[.authorization] != nil))
            }
        }
        for path in ["/api/v1/me", "/api/v1/workspaces"] {
            let response = try await fixture.respond(.get, path, [.authorization: "Bearer \(live.secret)"])
            #expect(response.status == 401, "an operator token is no Secret Key")
        }
        let plain = try await fixture.respond(
            .get, "/operator/v1/users", [.authorization: "Bearer \(live.secret)"], peer: "192.0.2.1", isTLS: false)
        #expect(try object(plain.body)["error"] as? String == "HTTPS_REQUIRED")
    }

    @Test("The page in docs/ has every route with its scope, and every scope")
    func documented() throws {
        let page = try Repository.text(of: "docs/operator-api.md")
        let rows = page.matches(of: /(?m)^\| `([A-Z]+) (\/operator\/v1\/[^`]*)` \| `([a-z:]+)` \|/)
        let listed = Set(rows.map { "\($0.1) \($0.2) \($0.3)" })
        for route in try Self.routes(try ServerFixture()) {
            guard let scope = route.scope else { continue }
            let name = "\(route.method.rawValue) \(route.path)"
            let isListed = listed.contains("\(name) \(scope.rawValue)")
            let isInText = page.contains("`\(name)` (scope `\(scope.rawValue)`)")
            #expect(isListed || isInText || scope == .introspect && page.contains("`\(name)`"), "\(name)")
        }
        for scope in OperatorScope.allCases { #expect(page.contains("`\(scope.rawValue)`"), "\(scope.rawValue)") }
    }
}
