import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Requests to `/api/v1`: ``APIHandlers`` behind the ``APIResponder``.
@Suite struct APITests {
    private func bearer(_ key: String, _ more: HTTPFields = [:]) -> HTTPFields {
        var headers = more
        headers[.authorization] = "Bearer \(key)"
        return headers
    }

    @Test("The profile has what the contract says")
    func profile() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let response = try await fixture.respond(.get, "/api/v1/me", bearer(key), peer: "192.0.2.9")
        #expect(response.status == 200)
        let body = try object(response.body)
        #expect(body["ok"] as? Bool == true)
        let data = try #require(body["data"] as? [String: Any])
        #expect(data["id"] as? String == account.user.id.rawValue)
        #expect(data["email"] as? String == "ada@example.com")
        #expect(data["name"] as? String == "Ada")
        #expect(data["createdAt"] as? String == account.user.createdAt.description)
        let record = try #require(data["key"] as? [String: Any])
        #expect(record["prefix"] as? String == String(key.prefix(8)))
        #expect(record["lastUsedIp"] as? String == "192.0.2.9")
        let workspace = try #require((data["workspaces"] as? [[String: Any]])?.first)
        #expect(workspace["role"] as? String == "owner")
        #expect(workspace["plan"] as? String == "pro")
        #expect(workspace["features"] as? [String] == ["api_webhooks"])
        let rateLimit = try #require(data["rateLimit"] as? [String: Any])
        #expect(rateLimit["limit"] as? Int == 1_000)
        #expect(rateLimit["remaining"] as? Int == 999)
        #expect(response.headers[HeaderName.rateLimitPolicy] == "\"hourly\";q=1000;w=3600")
        #expect(response.headers[HeaderName.rateLimit]?.hasPrefix("\"hourly\";r=999;t=") == true)
        #expect(response.headers[HeaderName.xRateLimitLimit] == "1000")
        #expect(response.headers[HeaderName.xRateLimitRemaining] == "999")
        let reset = try #require(response.headers[HeaderName.xRateLimitReset].flatMap { Int64($0) })
        #expect(rateLimit["resetAt"] as? String == Timestamp(millisecondsSinceEpoch: reset * 1_000).description)
        #expect(!response.body.contains(key))
    }

    @Test(
        "A key is ended whatever its plan is and whatever workspace the request names",
        arguments: ["x y", "ws_none", ""])
    func revoke(workspace: String) async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com", isEntitled: false)
        let headers = bearer(key, [HeaderName.workspaceID: workspace])
        #expect(try await fixture.respond(.get, "/api/v1/me", bearer(key)).status == 403)
        #expect(try await fixture.respond(.post, "/api/v1/key/revoke", headers).status == 204)
        #expect(try await fixture.respond(.post, "/api/v1/key/revoke", headers).status == 401)
    }

    @Test("1,000 requests pass; the 1,001st is 429 with its headers, and refusals are not counted")
    func limit() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        for count in 1...1_000 {
            let response = try await fixture.respond(.get, "/api/v1/me", bearer(key))
            try #require(response.status == 200, "request \(count)")
        }
        for _ in 0..<3 {
            let response = try await fixture.respond(.get, "/api/v1/me", bearer(key))
            #expect(response.status == 429)
            #expect(try object(response.body)["error"] as? String == "RATE_LIMITED")
            #expect(response.headers[.cacheControl] == "no-store")
            #expect(response.headers[HeaderName.xRateLimitRemaining] == "0")
            let state = try #require(response.headers[HeaderName.rateLimit])
            let wait = try #require(Int64(state.replacing("\"hourly\";r=0;t=", with: "")))
            #expect(try #require(response.headers[.retryAfter].flatMap { Int64($0) }) >= wait)
            #expect((3_541...3_722).contains(wait))
        }
    }

    @Test("Locked: 403 says that an Owner can upgrade, is not counted, and regenerate works all the same")
    func locked() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com", isEntitled: false)
        let refused = try await fixture.respond(.get, "/api/v1/me", bearer(key))
        #expect(refused.status == 403)
        #expect(try object(refused.body)["error"] as? String == "FEATURE_LOCKED")
        #expect(try #require(try object(refused.body)["message"] as? String).contains("Owner"))
        #expect(refused.headers[HeaderName.xRateLimitRemaining] == "1000")
        #expect(try await fixture.respond(.get, "/api/v1/nothing", bearer(key)).status == 403)
        let regenerated = try await fixture.respond(.post, "/api/v1/key/regenerate", bearer(key))
        #expect(regenerated.status == 200)
        #expect(try await fixture.respond(.get, "/api/v1/me", bearer(key)).status == 401)
    }

    @Test("Unknown paths, wrong methods, HEAD and OPTIONS, all behind the key and counted")
    func methods() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        let unknown = try await fixture.respond(.get, "/api/v1/nothing", bearer(key))
        #expect(unknown.status == 404)
        #expect(unknown.headers[HeaderName.xRateLimitRemaining] == "999")
        let wrong = try await fixture.respond(.delete, "/api/v1/me", bearer(key))
        #expect(wrong.status == 405)
        #expect(wrong.headers[.allow] == "GET, HEAD, OPTIONS")
        let options = try await fixture.respond(.options, "/api/v1/key/regenerate", bearer(key))
        #expect(options.status == 204)
        #expect(options.headers[.allow] == "OPTIONS, POST")
        #expect(options.headers[.accessControlAllowOrigin] == nil)
        let head = try await fixture.respond(.head, "/api/v1/me", bearer(key))
        #expect(head.status == 200)
        #expect(head.body.isEmpty)
        #expect(try #require(head.headers[.contentLength].flatMap { Int($0) }) > 100)
        #expect(head.headers[HeaderName.xRateLimitRemaining] == "996")
        for path in ["/api/v1/me/", "//api/v1/me", "/api//v1/me", "/api/v1/%6de", "/API/v1/me"] {
            #expect(try await fixture.respond(.get, path, bearer(key)).status == 404, "\(path)")
        }
    }

    @Test("Workspaces: a page with its meta, one by id, others are 404, names must agree")
    func workspaces() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let (other, _) = try await fixture.account("bob@example.com")
        for number in 0..<4 {
            _ = try await fixture.services.workspaces.create(
                name: "Number \(number)", owner: account.user.id, by: .commandLine)
        }
        let list = try await fixture.respond(.get, "/api/v1/workspaces?page=2&limit=2", bearer(key))
        let body = try object(list.body)
        #expect((body["data"] as? [Any])?.count == 2)
        let meta = try #require(body["meta"] as? [String: Any])
        #expect(meta["page"] as? Int == 2)
        #expect(meta["total"] as? Int == 5)
        #expect(meta["hasMore"] as? Bool == true)
        for query in ["page=0", "page=x", "limit=101", "limit=-1", "page=+1", "page=%zz"] {
            #expect(
                try await fixture.respond(.get, "/api/v1/workspaces?\(query)", bearer(key)).status == 400, "\(query)")
        }
        let own = account.workspaces[0].workspace.id.rawValue
        let theirs = other.workspaces[0].workspace.id.rawValue
        #expect(try await fixture.respond(.get, "/api/v1/workspaces/\(own)", bearer(key)).status == 200)
        #expect(try await fixture.respond(.get, "/api/v1/workspaces/\(theirs)", bearer(key)).status == 404)
        #expect(try await fixture.respond(.get, "/api/v1/workspaces/ws_'--", bearer(key)).status == 404)
        let named = bearer(key, [HeaderName.workspaceID: own])
        #expect(try await fixture.respond(.get, "/api/v1/me", named).status == 200)
        #expect(try await fixture.respond(.get, "/api/v1/workspaces/\(theirs)", named).status == 400)
        let foreign = bearer(key, [HeaderName.workspaceID: theirs])
        #expect(try await fixture.respond(.get, "/api/v1/me", foreign).status == 404)
        let malformed = bearer(key, [HeaderName.workspaceID: "x"])
        #expect(try await fixture.respond(.get, "/api/v1/me", malformed).status == 400)
    }

    @Test("A workspace on the free plan is locked even where another one is not")
    func namedWorkspaceCounts() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let free = try await fixture.services.workspaces.create(
            name: "Testing", owner: account.user.id, by: .commandLine)
        #expect(try await fixture.respond(.get, "/api/v1/me", bearer(key)).status == 200)
        #expect(try await fixture.respond(.get, "/api/v1/workspaces/\(free.id)", bearer(key)).status == 403)
        let named = bearer(key, [HeaderName.workspaceID: free.id.rawValue])
        #expect(try await fixture.respond(.get, "/api/v1/me", named).status == 403)
    }

    @Test(
        "Regenerate: replayed with the new key it returns the same, its body is checked, the key's record starts again")
    func regenerate() async throws {
        let fixture = try ServerFixture()
        let (_, key) = try await fixture.account("ada@example.com")
        let path = "/api/v1/key/regenerate"
        let once = bearer(key, [HeaderName.idempotencyKey: "rotation-1"])
        let first = try await fixture.respond(.post, path, once)
        let data = try #require(try object(first.body)["data"] as? [String: Any])
        let new = try #require(data["key"] as? String)
        #expect(data["lastUsedAt"] is NSNull)
        #expect(try await fixture.respond(.post, path, once).status == 401)
        let replay = try await fixture.respond(.post, path, bearer(new, [HeaderName.idempotencyKey: "rotation-1"]))
        #expect(try #require(try object(replay.body)["data"] as? [String: Any])["key"] as? String == new)
        let json: HTTPFields = [.contentType: "application/json"]
        #expect(try await fixture.respond(.post, path, bearer(new, json), body: "[]").status == 400)
        #expect(try await fixture.respond(.post, path, bearer(new, json), body: "{").status == 400)
        let unknown = try await fixture.respond(.post, path, bearer(new, json), body: #"{"force":true}"#)
        #expect(unknown.status == 422)
        #expect((try object(unknown.body)["fields"] as? [String: String])?["force"] != nil)
        #expect(try await fixture.respond(.post, path, bearer(new), body: "a=b").status == 415)
        let large = String(repeating: " ", count: 20_000)
        #expect(try await fixture.respond(.post, path, bearer(new, json), body: large).status == 413)
        #expect(try await fixture.respond(.post, path, bearer(new, [HeaderName.idempotencyKey: "a b"])).status == 400)
        let record = try await fixture.respond(.get, "/api/v1/key", bearer(new))
        #expect(record.status == 200)
        #expect(!record.body.contains(new))
    }
}
