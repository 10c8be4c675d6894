import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``LimitHandlers``: limits as ``LimitJSON``, plans that end, and fresh hours, as the operator API has them.
@Suite struct LimitHandlersTests {
    private static func limit(_ data: [String: Any]) -> Int? {
        (data["limit"] as? [String: Any])?["hourlyLimit"] as? Int
    }

    @Test("0 lets none pass, null is the plan's limit again, a member that is missing or unknown is refused")
    func limits() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let (user, workspace) = (account.user.id.rawValue, account.workspaces[0].workspace.id.rawValue)
        func me() async throws -> Int {
            try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"]).status
        }
        #expect(try await me() == 200)
        for path in ["/users/\(user)", "/workspaces/\(workspace)"] {
            let before = try await client.send(.get, path)
            #expect(before.data["limit"] is NSNull, "\(before.text)")
            let none = try await client.send(.put, path + "/limit", #"{"hourlyLimit":0}"#)
            #expect(none.status == 200 && Self.limit(none.data) == 0, "\(none.text)")
            #expect(try await me() == 429)
            let end = #"{"hourlyLimit":5000,"endsAt":"2999-01-01T00:00:00Z"}"#
            let more = try await client.send(.put, path + "/limit", end)
            #expect(Self.limit(more.data) == 5_000)
            #expect((more.data["limit"] as? [String: Any])?["endsAt"] as? String == "2999-01-01T00:00:00.000Z")
            #expect(try await me() == 200)
            let wrong: [(String, [String])] = [
                (#"{}"#, ["hourlyLimit"]), (#"{"hourlyLimit":-1}"#, ["hourlyLimit"]),
                (#"{"hourlyLimit":1000000001}"#, ["hourlyLimit"]), (#"{"hourlyLimit":"5"}"#, ["hourlyLimit"]),
                (#"{"hourlyLimit":""}"#, ["hourlyLimit"]), (#"{"hourlyLimit":1.5}"#, ["hourlyLimit"]),
                (#"{"hourlyLimit":5,"endsAt":"tomorrow"}"#, ["endsAt"]),
                (#"{"hourlyLimit":5,"endsAt":"2020-01-01T00:00:00Z"}"#, ["endsAt"]),
                (#"{"hourlyLimit":null,"endsAt":"2999-01-01T00:00:00Z"}"#, ["endsAt"]),
                (#"{"hourlyLimit":5,"limit":5}"#, ["limit"]),
            ]
            for (body, problems) in wrong {
                let refused = try await client.send(.put, path + "/limit", body)
                #expect(refused.status == 422 && refused.problems == problems, "\(body) \(refused.text)")
            }
            let stale = try await client.send(.put, path + "/limit", #"{"hourlyLimit":1}"#, ifMatch: "1")
            #expect(stale.status == 409)
            let plans = try await client.send(.put, path + "/limit", #"{"hourlyLimit":null}"#)
            #expect(plans.data["limit"] is NSNull)
            #expect(try await me() == 200)
            let gone = path.replacing(user, with: "usr_none").replacing(workspace, with: "ws_none")
            #expect(try await client.send(.put, gone + "/limit", #"{"hourlyLimit":null}"#).status == 404)
        }
    }

    @Test("A nightly PUT of the record leaves the limit and the end of the plan alone")
    func upsert() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        try await client.user("42")
        let set = try await client.send(.put, "/users/ext:42/limit", #"{"hourlyLimit":7}"#)
        let email = try #require(set.data["email"] as? String)
        let put = try await client.send(.put, "/users/ext:42", #"{"email":"\#(email)","name":"New"}"#)
        #expect(put.status == 200 && Self.limit(put.data) == 7)
    }

    @Test("A plan for a time: it names the next one, and both are plans")
    func planEnds() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (account, _) = try await fixture.account("ada@example.com", isEntitled: false)
        let path = "/workspaces/\(account.workspaces[0].workspace.id)/plan"
        let trial = try await client.send(.put, path, #"{"plan":"pro","endsAt":"2999-01-01T00:00:00Z"}"#)
        #expect(trial.data["plan"] as? String == "pro" && trial.data["nextPlan"] as? String == "free")
        #expect(trial.data["planEndsAt"] as? String == "2999-01-01T00:00:00.000Z")
        let wrong: [(String, [String])] = [
            (#"{"plan":"pro","endsAt":"2020-01-01T00:00:00Z"}"#, ["endsAt"]),
            (#"{"plan":"pro","endsAt":"soon"}"#, ["endsAt"]), (#"{"plan":"pro","endsAt":0}"#, ["endsAt"]),
            (#"{"plan":"free","endsAt":"2999-01-01T00:00:00Z"}"#, ["nextPlan"]),
            (#"{"plan":"pro","nextPlan":"free"}"#, ["nextPlan"]), (#"{"endsAt":null}"#, ["plan"]),
        ]
        for (body, problems) in wrong {
            let refused = try await client.send(.put, path, body)
            #expect(refused.status == 422 && refused.problems == problems, "\(body) \(refused.text)")
        }
        let unknown = #"{"plan":"pro","endsAt":"2999-01-01T00:00:00Z","nextPlan":"none"}"#
        #expect(try await client.send(.put, path, unknown).status == 404)
        let good = try await client.send(.put, path, #"{"plan":"pro","endsAt":null,"nextPlan":null}"#)
        #expect(good.data["planEndsAt"] is NSNull && good.data["nextPlan"] is NSNull)
    }

    @Test("A fresh hour holds when the answer arrives; the same request again begins no second one")
    func freshHour() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let user = account.user.id.rawValue
        let name = try #require(HTTPField.Name("X-RateLimit-Remaining"))
        func remaining() async throws -> Int? {
            let reply = try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"])
            return reply.headers[name].flatMap { Int($0) }
        }
        for _ in 0..<5 { _ = try await remaining() }
        #expect(try await remaining() == 994)
        let path = "/users/\(user)/quota/reset"
        #expect(try await client.send(.post, path, key: "one").status == 204)
        #expect(try await remaining() == 999)
        #expect(try await client.send(.post, path, key: "one").status == 204)
        #expect(try await remaining() == 998)
        #expect(try await client.send(.post, path, key: "two").status == 204)
        #expect(try await remaining() == 999)
        #expect(try await client.send(.post, "/users/ext:none/quota/reset").status == 404)
    }
}
