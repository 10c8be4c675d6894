import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// A key with ``AllowedNetworks`` on every surface of the server: refused, not counted, and still to be ended; and the
/// operator's ``NetworkWrites``.
@Suite struct AllowedNetworksSurfaceTests {
    private static func limit(_ fixture: ServerFixture, _ account: Account, to text: String) async throws {
        try await fixture.services.keys.setAllowedNetworks(
            AllowedNetworks(parsing: [text]), of: account.user.id, by: .commandLine)
    }

    @Test("The API: 403 before plan and workspace, with the limit untouched; only revoking works from anywhere")
    func api() async throws {
        let fixture = try ServerFixture { edge, _ in
            edge.trustedProxies = [AddressRange("10.9.0.0/16")].compactMap { $0 }
        }
        let (account, key) = try await fixture.account("ada@example.com")
        try await Self.limit(fixture, account, to: "203.0.113.0/24")
        func send(
            _ method: HTTPRequest.Method, _ path: String, from peer: String, _ more: HTTPFields = [:]
        ) async throws -> (status: Int, headers: HTTPFields, body: String) {
            var headers = more
            headers[.authorization] = "Bearer \(key)"
            return try await fixture.respond(method, path, headers, peer: peer)
        }
        let forwarded = try #require(HTTPField.Name("X-Forwarded-For"))
        let proto = try #require(HTTPField.Name("X-Forwarded-Proto"))
        for (method, path) in [
            (HTTPRequest.Method.get, "/api/v1/me"), (.head, "/api/v1/me"), (.options, "/api/v1/me"),
            (.get, "/api/v1/key"), (.get, "/api/v1/nothing"), (.get, "/api/v1/usage"),
            (.post, "/api/v1/key/regenerate"),
        ] {
            let refused = try await send(method, path, from: "192.0.2.9", [HeaderName.workspaceID: "ws_none"])
            #expect(refused.status == 403, "\(method) \(path)")
            if method == .head { continue }
            let body = try object(refused.body)
            #expect(body["error"] as? String == "ADDRESS_NOT_ALLOWED", "\(method) \(path)")
            #expect((body["message"] as? String)?.contains("192.0.2.9") == true)
        }
        let remaining = try #require(HTTPField.Name("X-RateLimit-Remaining"))
        #expect(try await send(.get, "/api/v1/me", from: "192.0.2.9").headers[remaining] == "1000")
        let passes = try await send(.get, "/api/v1/me", from: "203.0.113.9")
        #expect(passes.status == 200 && passes.headers[remaining] == "999")
        // By the trusted-proxy rules.
        for (client, status) in [("203.0.113.7", 200), ("192.0.2.7", 403), ("203.0.113.7, 192.0.2.7", 403)] {
            let reply = try await send(.get, "/api/v1/me", from: "10.9.0.1", [forwarded: client, proto: "https"])
            #expect(reply.status == status, "\(client)")
        }
        let spoofed = try await send(.get, "/api/v1/me", from: "192.0.2.9", [forwarded: "203.0.113.7"])
        #expect(spoofed.status == 403)
        await fixture.services.node?.usage.flush()
        let report = try await fixture.services.usage.report(of: account.user.id, range: .hours, zone: .utc)
        #expect(report.admitted == 2 && report.total(.addressNotAllowed) == 11, "\(report.total(.addressNotAllowed))")
        #expect(try await send(.post, "/api/v1/key/revoke", from: "192.0.2.9").status == 204)
        #expect(try await send(.get, "/api/v1/me", from: "203.0.113.9").status == 401)
    }

    @Test("The gate: by the client that a trusted gateway names; for nginx 403 with the reason")
    func gate() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        try await Self.limit(fixture, account, to: "203.0.113.0/24")
        try await fixture.listening { client in
            let gate = WireClient(port: client.gatePort)
            for (prefix, address, status) in [
                ("/gate", "203.0.113.9", 200), ("/gate", "192.0.2.9", 403), ("/gate-nginx", "192.0.2.9", 403),
                ("/gate-nginx", "203.0.113.9", 200), ("/gate", nil, 403), ("/gate", "nonsense", 403),
            ] {
                var headers = [("Authorization", "Bearer \(key)"), ("X-Forwarded-Proto", "https")]
                if let address { headers.append(("X-Forwarded-For", address)) }
                let reply = try await gate.send(WireRequest(path: prefix, headers: headers), over: .http1)
                #expect(reply.status == status, "\(prefix) \(address ?? "none")")
                if status == 403 {
                    #expect(reply.values("x-keybearer-reason") == ["ADDRESS_NOT_ALLOWED"])
                    #expect(reply.values("x-keybearer-user").isEmpty && reply.values("x-ratelimit-limit") == ["1000"])
                }
            }
        }
    }

    @Test("Introspection: without the client's address such a key does not pass, and no last use moves")
    func introspection() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let client = try await OperatorClient(fixture)
        func introspect(_ address: String?) async throws -> [String: Any] {
            let body = "token=\(key)" + (address.map { "&client_address=\($0)" } ?? "")
            let reply = try await client.send(.post, "/introspect", body, type: "application/x-www-form-urlencoded")
            #expect(reply.status == 200)
            return reply.envelope
        }
        #expect(try await introspect(nil)["active"] as? Bool == true)
        #expect(try await fixture.services.keys.metadata(of: account.user.id).lastUse == nil)
        try await Self.limit(fixture, account, to: "203.0.113.0/24")
        for address in [nil, "192.0.2.9"] {
            let refused = try await introspect(address)
            #expect(refused["active"] as? Bool == false && refused["error"] as? String == "ADDRESS_NOT_ALLOWED")
            #expect(refused["status"] as? Int == 403 && refused["sub"] == nil)
        }
        #expect(try await introspect("203.0.113.9")["active"] as? Bool == true)
        let use = try await fixture.services.keys.metadata(of: account.user.id).lastUse
        #expect(use?.address.description == "203.0.113.9")
    }

    @Test("The operator sets and clears them; a list that is not accepted changes nothing")
    func operators() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let client = try await OperatorClient(fixture)
        let path = "/users/\(account.user.id)/networks"
        func me() async throws -> Int {
            try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"], peer: "192.0.2.9").status
        }
        let set = try await client.send(.put, path, #"{"networks":["203.0.113.0/24","::ffff:10.0.0.0/104"]}"#)
        #expect(set.data["allowedNetworks"] as? [String] == ["203.0.113.0/24", "10.0.0.0/8"])
        #expect(try await me() == 403)
        for (body, status) in [
            (#"{}"#, 422), (#"{"networks":[]}"#, 422), (#"{"networks":["10.0.0.1/8"]}"#, 422),
            (#"{"networks":[1]}"#, 422),
            (#"{"networks":"10.0.0.0/8"}"#, 422), (#"{"networks":null,"more":1}"#, 422),
            (#"{"networks":[\#((1...21).map { "\"10.0.0.\($0)\"" }.joined(separator: ","))]}"#, 409),
        ] {
            let refused = try await client.send(.put, path, body)
            #expect(refused.status == status, "\(body) \(refused.text)")
        }
        #expect(try await client.send(.put, path, #"{"networks":null}"#, ifMatch: "1").status == 409)
        #expect(try await me() == 403)
        // A nightly sync leaves them alone.
        let patched = try await client.send(.patch, "/users/\(account.user.id)", #"{"name":"New"}"#)
        #expect(patched.data["allowedNetworks"] as? [String] == ["203.0.113.0/24", "10.0.0.0/8"])
        let cleared = try await client.send(.put, path, #"{"networks":null}"#)
        #expect(cleared.data["allowedNetworks"] is NSNull)
        #expect(try await me() == 200)
        #expect(try await client.send(.put, "/users/usr_none/networks", #"{"networks":null}"#).status == 404)
        let reader = try await OperatorClient(fixture, [.readUsers])
        #expect(try await reader.send(.put, path, #"{"networks":null}"#).status == 403)
    }
}
