import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``MemoryResponses``: what is answered on the event loop, ahead of the asynchronous server.
@Suite struct MemoryResponsesTests {
    @Test("What the cache knows is answered immediately; what needs the store is not, and is not counted")
    func onlyFromMemory() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        try await fixture.listening { _ in
            let edge = try fixture.server().makeResponder()
            func immediate(
                _ path: String, _ method: HTTPRequest.Method = .get, key: String? = key
            ) -> APIResponder.ImmediateResponse {
                var headers = HTTPFields()
                if let key { headers[.authorization] = "Bearer \(key)" }
                let head = HTTPRequest(
                    method: method, scheme: "http", authority: "localhost", path: path, headerFields: headers)
                return edge.respondNow(to: head, peer: IPAddress("127.0.0.1"))
            }
            func now(_ path: String, _ method: HTTPRequest.Method = .get, key: String? = key) -> APIResponse? {
                if case .response(let response) = immediate(path, method, key: key) { response } else { nil }
            }
            #expect(now("/api/v1/me") == nil, "a cold key")
            guard case .pending(let pending) = immediate("/api/v1/me") else {
                Issue.record("a cold key is asked for in the store")
                return
            }
            #expect(pending.need == .account)
            _ = try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"])
            let warm = try #require(now("/api/v1/me"))
            #expect(warm.status == .ok)
            #expect(warm.headers[HeaderName.xRateLimitRemaining] == "998")
            #expect(now("/api/v1/me", key: nil)?.status == .unauthorized)
            #expect(now("/api/v1/workspaces?limit=0")?.status == .badRequest)
            for path in ["/", "/healthz", "/api/v1/nothing", "/api/v1/key/regenerate", "//api/v1/me"] {
                #expect(now(path) == nil, "\(path)")
            }
            for method in [HTTPRequest.Method.head, .options, .post] {
                #expect(now("/api/v1/me", method) == nil, "\(method)")
            }
        }
    }

    @Test("A key that needs the store keeps its place among the responses, also to a client that has closed its half")
    func coldKeys() async throws {
        let fixture = try ServerFixture()
        let keys = try await (0..<6).asyncMap { try await fixture.account("cold\($0)@example.com").key }
        try await fixture.listening { client in
            // Each key is cold, and stands between what memory and what the server answers.
            let requests = keys.map { key in
                "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(key)\r\n\r\n"
                    + "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
            }
            let text = String(decoding: try await client.roundTrip(Array(requests.joined().utf8)), as: UTF8.self)
            #expect(text.components(separatedBy: "HTTP/1.1 ").count == 3 * keys.count + 1)
            var rest = text[...]
            for number in keys.indices {
                for mark in ["cold\(number)@example.com", "UNAUTHORIZED", "\r\n\r\nok\n"] {
                    let found = try #require(rest.range(of: mark), "\(mark) in \(rest.prefix(800))")
                    rest = rest[found.upperBound...]
                }
            }
        }
    }

    @Test("Responses come in the order of the requests, whoever gives them, also to a client that has closed its half")
    func order() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        _ = try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"])
        try await fixture.listening { client in
            let authorization = "Host: localhost\r\nAuthorization: Bearer \(key)\r\n"
            let lines = [
                ("GET /api/v1/me HTTP/1.1\r\n\(authorization)\r\n", "\"email\":\"ada@example.com\""),
                ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\nok\n"),
                (
                    "GET /api/v1/key HTTP/1.1\r\n\(authorization)Content-Length: 2\r\n\r\n{}",
                    "\"data\":{\"generatedAt\""
                ),
                ("GET /api/v1/workspaces HTTP/1.1\r\n\(authorization)\r\n", "\"hasMore\":false"),
                ("GET /api/v1/nothing HTTP/1.1\r\n\(authorization)\r\n", "\"NOT_FOUND\""),
                ("GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n", "\"UNAUTHORIZED\""),
            ]
            let random = RandomSource.seeded(7)
            for _ in 0..<20 {
                let chosen = (0..<12).map { _ in
                    lines[Int(random.bytes(1)[0]) % lines.count]
                }
                let text = String(
                    decoding: try await client.roundTrip(Array(chosen.map(\.0).joined().utf8)), as: UTF8.self)
                #expect(text.components(separatedBy: "HTTP/1.1 ").count == chosen.count + 1)
                var rest = text[...]
                for (request, mark) in chosen {
                    let found = try #require(rest.range(of: mark), "\(request.prefix(30)) in \(rest.prefix(800))")
                    rest = rest[found.upperBound...]
                }
            }
        }
    }
}
