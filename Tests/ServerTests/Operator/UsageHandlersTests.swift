import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``UsageHandlers`` and `GET /api/v1/usage`, with their ``UsageJSON``, behind the ``UsageService``: what was counted over HTTP is what is reported.
@Suite struct UsageHandlersTests {
    private func usage(
        _ fixture: ServerFixture, _ key: String, _ query: String = ""
    ) async throws -> (status: Int, data: [String: Any]) {
        let response = try await fixture.respond(.get, "/api/v1/usage\(query)", [.authorization: "Bearer \(key)"])
        let body = try object(response.body)
        return (response.status, body["data"] as? [String: Any] ?? body)
    }

    @Test("A key sees its account's requests, of which its own is one; each refusal has its reason")
    func ownKey() async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let node = try #require(fixture.services.node)
        func me(_ headers: HTTPFields = [:]) async throws -> Int {
            var headers = headers
            headers[.authorization] = "Bearer \(key)"
            return try await fixture.respond(.get, "/api/v1/me", headers).status
        }
        for _ in 0..<3 { #expect(try await me() == 200) }
        #expect(try await me([HeaderName.workspaceID: "ws_none"]) == 404)
        #expect(try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)x"]).status == 401)
        await node.usage.flush()
        let (status, data) = try await usage(fixture, key)
        #expect(status == 200)
        let total = try #require(data["total"] as? [String: Int])
        #expect(
            total == [
                "admitted": 3, "refused": 1, "featureLocked": 0, "notAMember": 1, "rateLimited": 0,
                "addressNotAllowed": 0,
            ])
        #expect(data["timeZone"] as? String == "UTC" && data["range"] as? String == "30d")
        let buckets = try #require(data["buckets"] as? [[String: Any]])
        #expect(buckets.count == 30)
        #expect(buckets.compactMap { $0["admitted"] as? Int }.reduce(0, +) == 3)
        #expect(buckets.last?["isPartial"] as? Bool == true && buckets.first?["isPartial"] as? Bool == false)
        await node.usage.flush()
        let report = try await fixture.services.usage.report(of: account.user.id, range: .hours, zone: .utc)
        #expect(report.admitted == 4, "the request for the usage is one")
    }

    @Test("A locked plan and a used up limit are counted as what they are")
    func refusals() async throws {
        let fixture = try ServerFixture()
        let node = try #require(fixture.services.node)
        let (locked, lockedKey) = try await fixture.account("eve@example.com", isEntitled: false)
        for _ in 0..<2 {
            let status = try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(lockedKey)"]).status
            #expect(status == 403)
        }
        let client = try await OperatorClient(fixture)
        let (limited, limitedKey) = try await fixture.account("ada@example.com")
        try await client.send(.put, "/users/\(limited.user.id)/limit", #"{"hourlyLimit":2}"#)
        var statuses: [Int] = []
        for _ in 0..<5 {
            statuses.append(
                try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(limitedKey)"]).status)
        }
        #expect(statuses == [200, 200, 429, 429, 429])
        await node.usage.flush()
        let reply = try await client.send(.get, "/users/\(locked.user.id)/usage?range=24h")
        #expect((reply.data["total"] as? [String: Int])?["featureLocked"] == 2)
        let other = try await client.send(.get, "/users/\(limited.user.id)/usage?range=12m&timeZone=Asia/Kathmandu")
        #expect(
            other.data["total"] as? [String: Int] == [
                "admitted": 2, "refused": 3, "featureLocked": 0, "notAMember": 0, "rateLimited": 3,
                "addressNotAllowed": 0,
            ])
        let last = try #require((other.data["buckets"] as? [[String: Any]])?.last)
        #expect((last["localStart"] as? String)?.hasSuffix("-01T00:00:00+05:45") == true)
    }

    @Test(
        "What is not known is refused with its name",
        arguments: [
            "?range=7d", "?timeZone=Europe/Atlantis", "?timeZone=", "?range=", "?timeZone=%2e%2e/x",
        ])
    func refused(_ query: String) async throws {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let own = try await usage(fixture, key, query)
        let name = query.hasPrefix("?range") ? "range" : "timeZone"
        #expect(own.status == 400 && (own.data["message"] as? String)?.hasPrefix(name) == true)
        let client = try await OperatorClient(fixture)
        #expect(try await client.send(.get, "/users/\(account.user.id)/usage\(query)").status == 400)
        #expect(try await client.send(.get, "/users/\(account.user.id)/usage?zone=UTC").status == 400)
        #expect(try await client.send(.get, "/users/usr_none/usage").status == 404)
    }
}
