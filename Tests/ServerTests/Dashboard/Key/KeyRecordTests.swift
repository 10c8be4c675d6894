import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``KeyRecord`` that ``KeyPageHandlers`` send beside a key.
@Suite struct KeyRecordTests {
    private struct Stage {
        let fixture: ServerFixture
        let account: Account
        let key: String
        let page: String
        private let headers: HTTPFields

        init(isEntitled: Bool = true) async throws {
            fixture = try ServerFixture()
            (account, key) = try await fixture.account("ada@example.com", isEntitled: isEntitled)
            page = "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks"
            let (_, token) = try await fixture.services.sessions.start(
                for: account, from: try #require(IPAddress("127.0.0.1")), userAgent: "test")
            headers = [
                .cookie: "\(SessionCookie.name)=\(token.characters)", HeaderName.fetchSite: "same-origin",
                .contentType: "application/x-www-form-urlencoded",
            ]
        }

        func send(
            _ method: HTTPRequest.Method, _ path: String, body: String = "", wantsJSON: Bool = true
        ) async throws -> (status: Int, headers: HTTPFields, body: String) {
            var headers = headers
            if wantsJSON { headers[.accept] = "application/json" }
            return try await fixture.respond(method, page + path, headers, body: body)
        }

        func data(_ response: (status: Int, headers: HTTPFields, body: String)) throws -> [String: Any] {
            #expect(response.status == 200)
            return try #require(try object(response.body)["data"] as? [String: Any])
        }
    }

    @Test("A reveal comes with the record of the key that it shows")
    func reveal() async throws {
        let stage = try await Stage()
        let first = try stage.data(try await stage.send(.post, "/reveal"))
        #expect(first["key"] as? String == stage.key)
        #expect(first["version"] as? Int == 1)
        #expect(first["prefix"] as? String == String(stage.key.prefix(8)))
        #expect(first["lastUsedAt"] == nil)
        _ = try await stage.fixture.services.keys.regenerate(
            stage.account.user.id, idempotencyKey: nil, by: .commandLine)
        let second = try stage.data(try await stage.send(.post, "/reveal"))
        let key = try #require(second["key"] as? String)
        #expect(second["version"] as? Int == 2)
        #expect(second["prefix"] as? String == String(key.prefix(8)))
        let page = try await stage.send(.post, "/reveal", wantsJSON: false)
        #expect(page.body.contains(key) && page.body.contains(#"data-version="2""#))
        #expect(page.body.contains("<code data-key-prefix>\(key.prefix(8))</code>"))
    }

    @Test("The record alone, and the response to a regenerate, hold no key")
    func recordAlone() async throws {
        let stage = try await Stage()
        let record = try await stage.send(.get, "/record")
        #expect(try stage.data(record)["version"] as? Int == 1)
        #expect(!record.body.contains(stage.key) && !record.body.contains("\"key\""))
        let form = "version=1&idempotencyKey=abc"
        for _ in 0..<2 {
            let made = try await stage.send(.post, "/regenerate", body: form)
            #expect(try stage.data(made)["version"] as? Int == 2, "sent twice, made once")
            let key = try await stage.fixture.services.keys.reveal(stage.account.user.id, by: .commandLine)
            #expect(!made.body.contains(key.characters) && !made.body.contains("\"key\""))
        }
        let stale = try await stage.send(.post, "/regenerate", body: "version=1&idempotencyKey=abd")
        #expect(stale.status == 409)
    }

    @Test("Without the feature there is no record to read")
    func locked() async throws {
        let stage = try await Stage(isEntitled: false)
        let record = try await stage.send(.get, "/record")
        #expect(record.status == 403)
        #expect(try object(record.body)["error"] as? String == "FEATURE_LOCKED")
        let nobody = try await stage.fixture.respond(.get, stage.page + "/record", [.accept: "application/json"])
        #expect(nobody.status == 401)
    }
}
