import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``WorkspaceHandlers``: workspaces, members and plans by ``WorkspaceWrites``, as ``WorkspaceRecordJSON`` and
/// ``PlanJSON``.
@Suite struct WorkspaceHandlersTests {
    @Test("A workspace is made with its Owner, replaced by PUT and changed by PATCH")
    func made() async throws {
        let client = try await OperatorClient(try ServerFixture())
        try await client.user("owner")
        let made = try await client.send(
            .post, "/workspaces", #"{"name":" Team ","owner":"ext:owner","externalId":"t","plan":"pro"}"#)
        #expect(made.data["name"] as? String == "Team" && made.data["plan"] as? String == "pro")
        #expect(made.data["includesAPI"] as? Bool == true && made.data["suspended"] as? Bool == false)
        #expect(try await client.send(.get, "/workspaces/ext:t").text == made.text)
        #expect(try await client.send(.get, "/workspaces/\(made.id)").text == made.text)
        let wrong: [(String, [String])] = [
            (#"{"name":"Team"}"#, ["owner"]), (#"{"owner":"ext:owner"}"#, ["name"]),
            (#"{"name":"Team","owner":"ext:none"}"#, ["owner"]), (#"{"name":"Team","owner":"owner"}"#, ["owner"]),
            (#"{"name":"Team","owner":null}"#, ["owner"]), (#"{"name":"Team","owner":0}"#, ["owner"]),
            (#"{"name":"","owner":"ext:owner"}"#, ["name"]), (#"{"name":"T","owner":"ext:owner","x":1}"#, ["x"]),
            (#"{"name":"Team","owner":"ext:owner","plan":null}"#, ["plan"]),
        ]
        for (body, problems) in wrong {
            let refused = try await client.send(.post, "/workspaces", body)
            #expect(refused.status == 422 && refused.problems == problems, "\(body) \(refused.text)")
        }
        let none = try await client.send(.post, "/workspaces", #"{"name":"T2","owner":"ext:owner","plan":"none"}"#)
        #expect(none.status == 404)
        let taken = try await client.send(.post, "/workspaces", #"{"name":"T2","owner":"ext:owner","externalId":"t"}"#)
        #expect(taken.status == 409)
        // Owner and plan are looked at where it is new.
        let put = try await client.send(.put, "/workspaces/ext:t", #"{"name":"Team","plan":"free"}"#)
        #expect(put.text == made.text)
        let new = try await client.send(.put, "/workspaces/ext:u", #"{"name":"Other","owner":"ext:owner"}"#)
        #expect(new.data["externalId"] as? String == "u" && new.data["plan"] as? String == "free")
        #expect(try await client.send(.put, "/workspaces/ext:v", #"{"name":"Other"}"#).problems == ["owner"])
        let renamed = #"{"name":"Other","owner":"ext:owner","externalId":"w"}"#
        #expect(try await client.send(.put, "/workspaces/ext:v", renamed).problems == ["externalId"])
        let patched = try await client.send(.patch, "/workspaces/ext:u", #"{"externalId":null}"#, ifMatch: "1")
        #expect(patched.data["externalId"] is NSNull && patched.data["name"] as? String == "Other")
        #expect(try await client.send(.get, "/workspaces/ext:u").status == 404)
        let stale = try await client.send(.patch, "/workspaces/\(new.id)", #"{"name":"X"}"#, ifMatch: "1")
        #expect(stale.status == 409)
        #expect(try await client.send(.patch, "/workspaces/\(new.id)", #"{"plan":"pro"}"#).problems == ["plan"])
        let unknown = WorkspaceID.random(from: .system).rawValue
        #expect(try await client.send(.put, "/workspaces/\(unknown)", #"{"name":"X"}"#).status == 404)
    }

    @Test("Plan, membership and suspension hold for the key when the answer arrives")
    func effects() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com", isEntitled: false)
        let (user, workspace) = (account.user.id.rawValue, account.workspaces[0].workspace.id.rawValue)
        func status() async throws -> String {
            let reply = try await fixture.respond(
                .get, "/api/v1/workspaces/\(workspace)", [.authorization: "Bearer \(key)"])
            return try reply.status == 200 ? "200" : object(reply.body)["error"] as? String ?? ""
        }
        #expect(try await status() == "FEATURE_LOCKED")
        let path = "/workspaces/\(workspace)"
        #expect(try await client.send(.put, path + "/plan", #"{"plan":"pro"}"#).data["includesAPI"] as? Bool == true)
        #expect(try await status() == "200")
        let suspended = try await client.send(.post, path + "/suspend")
        #expect(suspended.data["suspended"] as? Bool == true && suspended.data["includesAPI"] as? Bool == false)
        #expect(try await status() == "FEATURE_LOCKED")
        #expect(try await client.send(.post, path + "/suspend").text == suspended.text)
        #expect(try await client.send(.post, path + "/resume").data["suspended"] as? Bool == false)
        #expect(try await status() == "200")
        try await client.user("owner")
        let last = try await client.send(.delete, path + "/members/\(user)")
        #expect(last.status == 409)
        #expect(try await client.send(.put, path + "/members/ext:owner", #"{"role":"owner"}"#).status == 204)
        #expect(try await client.send(.delete, path + "/members/\(user)").status == 204)
        #expect(try await status() != "200")
        #expect(try await client.send(.delete, path + "/members/\(user)").status == 404)
        for body in [#"{"role":"god"}"#, #"{"role":null}"#, #"{}"#, #"{"role":1}"#] {
            #expect(try await client.send(.put, path + "/members/\(user)", body).problems == ["role"], "\(body)")
        }
        #expect(try await client.send(.put, path + "/members/ext:none", #"{"role":"admin"}"#).status == 404)
        for number in 0..<5 {
            try await client.user("m\(number)")
            #expect(try await client.send(.put, path + "/members/ext:m\(number)", #"{"role":"member"}"#).status == 204)
        }
        let parts = try await client.pages(path + "/members", limit: 2)
        #expect(parts.map(\.count) == [2, 2, 2] && Set(parts.joined().compactMap { $0["user"] as? String }).count == 6)
        #expect(try await client.send(.get, path + "/members?limit=0").status == 400)
        #expect(try await client.send(.get, path + "/members?page=2").status == 400)
        for number in 0..<5 { try await client.send(.delete, path + "/members/ext:m\(number)") }
        let members = try await client.send(.get, path + "/members")
        #expect(members.list.map { $0["externalId"] as? String } == ["owner"])
        #expect(members.list.map { $0["role"] as? String } == ["owner"])
        for body in [#"{"plan":"none"}"#, #"{"plan":"PRO"}"#] {
            #expect(try await client.send(.put, path + "/plan", body).status == 404)
        }
        #expect(try await client.send(.put, path + "/plan", #"{"plan":null}"#).problems == ["plan"])
    }

    @Test("The catalogue: every member by its rule; a plan in use, or the first, stays")
    func plans() async throws {
        let client = try await OperatorClient(try ServerFixture())
        let gold = #"{"name":"Gold","features":["api_webhooks"],"hourlyLimit":5000,"position":3,"billingURL":null}"#
        let made = try await client.send(.put, "/plans/gold", gold)
        #expect(made.status == 200 && made.data["hourlyLimit"] as? Int == 5_000)
        #expect(try await client.send(.put, "/plans/gold", gold).text == made.text)
        #expect(try await client.send(.get, "/plans/gold").text == made.text)
        #expect(try await client.send(.get, "/plans").list.map { $0["id"] as? String } == ["free", "pro", "gold"])
        let parts = try await client.pages("/plans", limit: 2)
        #expect(parts.map(\.count) == [2, 1] && parts.joined().map { $0["id"] as? String } == ["free", "pro", "gold"])
        // The second PUT changed nothing: no node had to forget anything, and nothing is in the log.
        let puts = try await client.send(.get, "/audit").list.filter { $0["action"] as? String == "plan.put" }
        #expect(puts.filter { $0["detail"] as? String == "gold" }.count == 1)
        let wrong: [(String, String, [String])] = [
            (#""hourlyLimit":5000"#, #""hourlyLimit":0"#, ["hourlyLimit"]),
            (#""hourlyLimit":5000"#, #""hourlyLimit":"5""#, ["hourlyLimit"]),
            (#""hourlyLimit":5000"#, #""hourlyLimit":1.5"#, ["hourlyLimit"]),
            (#"["api_webhooks"]"#, #"[1]"#, ["features"]), (#"["api_webhooks"]"#, #"["x"]"#, ["features"]),
            (#""Gold""#, #"null"#, ["name"]), (#""position":3"#, #""position":true"#, ["position"]),
            (#""position":3,"#, "", ["position"]), (#""Gold""#, #""Gold","price":1"#, ["price"]),
        ]
        for (part, other, problems) in wrong {
            let refused = try await client.send(.put, "/plans/gold", gold.replacing(part, with: other))
            #expect(refused.status == 422 && refused.problems == problems, "\(other) \(refused.text)")
        }
        #expect(try await client.send(.put, "/plans/Gold", gold).problems == ["id"])
        try await client.user("42")
        #expect(try await client.send(.delete, "/plans/free").status == 409)
        #expect(try await client.send(.delete, "/plans/gold").status == 204)
        #expect(try await client.send(.delete, "/plans/gold").status == 404)
        #expect(try await client.send(.get, "/plans/gold").status == 404)
    }
}
