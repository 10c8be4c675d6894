import Foundation
import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Webhooks by both APIs: ``WebhookRoutes``, ``WebhookHandlers``, ``OperatorWebhookHandlers``, ``EventHandlers``, with
/// ``WebhookInput`` and ``WebhookJSON``.
@Suite struct WebhookHandlersTests {
    /// A workspace of Ada's with Eve as Member, and a program of the operator.
    private struct Stage {
        let fixture: ServerFixture
        let client: OperatorClient
        let workspace: WorkspaceID
        let ownerID: UserID
        let (owner, member): (String, String)

        init() async throws {
            fixture = try ServerFixture()
            client = try await OperatorClient(fixture)
            let ada = try await fixture.account("ada@example.com")
            let eve = try await fixture.account("eve@example.com")
            workspace = ada.account.workspaces[0].workspace.id
            ownerID = ada.account.user.id
            for id in [workspace, eve.account.workspaces[0].workspace.id] {
                try await fixture.services.workspaces.setPlan(PlanID(rawValue: "pro"), of: id, by: .commandLine)
            }
            try await fixture.services.workspaces.putMember(
                eve.account.user.id, in: workspace, role: .member, by: .commandLine)
            (owner, member) = (ada.key, eve.key)
        }

        func send(
            _ method: HTTPRequest.Method, _ path: String, _ body: String = "", as key: String? = nil,
            idempotencyKey: String? = nil
        ) async throws -> (status: Int, json: [String: Any], text: String) {
            var headers: HTTPFields = [.authorization: "Bearer \(key ?? owner)", .contentType: "application/json"]
            if let idempotencyKey { headers[HeaderName.idempotencyKey] = idempotencyKey }
            let reply = try await fixture.respond(method, "/api/v1" + path, headers, body: body)
            return (reply.status, (try? object(reply.body)) ?? [:], reply.body)
        }

        /// Adds a webhook to the workspace.
        func add(_ idempotencyKey: String? = nil) async throws -> (status: Int, json: [String: Any], text: String) {
            try await send(
                .post, "/webhooks",
                #"{"workspaceId":"\#(workspace)","name":"Hooks","url":"https://192.0.2.1/in","events":["*"]}"#,
                idempotencyKey: idempotencyKey)
        }
    }

    private static func data(_ json: [String: Any]) throws -> [String: Any] {
        try #require(json["data"] as? [String: Any])
    }

    @Test(
        "An Owner's key makes one, which shows its secret once; a Member's sees none; a stranger's workspace is not there"
    )
    func made() async throws {
        let stage = try await Stage()
        let made = try await stage.add("once")
        let data = try Self.data(made.json)
        let (id, secret) = (try #require(data["id"] as? String), try #require(data["secret"] as? String))
        #expect(made.status == 200 && secret.hasPrefix("whsec_") && data["state"] as? String == "enabled")
        let again = try await stage.add("once")
        #expect(again.status == 409 && again.text.contains(id) && !again.text.contains("whsec_"))
        for path in ["/webhooks/\(id)", "/webhooks?workspaceId=\(stage.workspace)"] {
            let found = try await stage.send(.get, path)
            #expect(found.status == 200 && found.text.contains(id) && !found.text.contains("whsec_"))
            #expect(try await stage.send(.get, path, as: stage.member).status == 403)
            let stranger = try await stage.fixture.account("\(path.count)@example.com")
            try await stage.fixture.services.workspaces.setPlan(
                PlanID(rawValue: "pro"), of: stranger.account.workspaces[0].workspace.id, by: .commandLine)
            #expect(try await stage.send(.get, path, as: stranger.key).status == 404)
        }
        #expect(try await stage.send(.get, "/webhooks").text.contains(id), "of all workspaces")
        #expect(try await !stage.send(.get, "/webhooks", as: stage.member).text.contains(id))
        #expect(
            try await stage.send(.post, "/webhooks", #"{"name":"A","url":"https://192.0.2.1/","events":["*"]}"#).status
                == 422)
    }

    @Test("It is changed, its secret replaced, tested, stopped and deleted; deliveries are listed and sent again")
    func changed() async throws {
        let stage = try await Stage()
        let id = try #require(try Self.data(try await stage.add().json)["id"] as? String)
        let path = "/webhooks/\(id)"
        let patched = try await stage.send(.patch, path, #"{"name":"Other","events":["member.added"]}"#)
        #expect(try Self.data(patched.json)["version"] as? Int == 2)
        let wrong = try await stage.send(.patch, path, #"{"url":"http://192.0.2.1/","events":[],"colour":1}"#)
        #expect(wrong.status == 422)
        let rotated = try await stage.send(.post, path + "/rotate-secret", #"{"overlapSeconds":60}"#)
        #expect(try Self.data(rotated.json)["secret"] is String)
        #expect(try Self.data(rotated.json)["previousSecretEndsAt"] is String)
        let message = try #require(try Self.data(try await stage.send(.post, path + "/test").json)["id"] as? String)
        let store = stage.fixture.store
        #expect(try await store.spreadMessages(limit: 10, now: Clocks.system.wall()) > 0)
        let list = try await stage.send(.get, path + "/deliveries?event=webhook.test&state=waiting")
        #expect(list.status == 200 && list.text.contains(message))
        #expect(try await stage.send(.get, path + "/deliveries?state=lost").status == 400)
        let one = try Self.data(try await stage.send(.get, path + "/deliveries/\(message)").json)
        #expect((one["payload"] as? String)?.contains(message) == true && one["attemptCount"] as? Int == 0)
        #expect(try await stage.send(.post, path + "/deliveries/\(message)/resend").status == 204)
        let span = #"{"since":"2026-01-01T00:00:00Z","until":"2027-01-01T00:00:00Z"}"#
        #expect(try Self.data(try await stage.send(.post, path + "/replay", span).json)["count"] as? Int == 0)
        #expect(try await stage.send(.patch, path, #"{"enabled":false}"#).status == 200)
        #expect(try await stage.send(.post, path + "/test").status == 409)
        #expect(try await stage.send(.delete, path).status == 204)
        #expect(try await stage.send(.get, path).status == 404)
    }

    @Test("Where the plan is locked, one can be stopped and not changed")
    func locked() async throws {
        let stage = try await Stage()
        let id = try #require(try Self.data(try await stage.add().json)["id"] as? String)
        try await stage.fixture.services.workspaces.setPlan(
            PlanID(rawValue: "free"), of: stage.workspace, by: .commandLine)
        // Ada's own workspace is the only one that she has: her key does not pass at all.
        #expect(try await stage.send(.patch, "/webhooks/\(id)", #"{"name":"A"}"#).status == 403)
        // With another one it passes, and opens nothing here.
        let other = try await stage.fixture.services.workspaces.create(
            name: "Other", owner: stage.ownerID, by: .commandLine)
        try await stage.fixture.services.workspaces.setPlan(PlanID(rawValue: "pro"), of: other.id, by: .commandLine)
        for (method, path, body) in [
            (HTTPRequest.Method.get, "/webhooks/\(id)", ""), (.get, "/webhooks/\(id)/deliveries", ""),
            (.get, "/webhooks?workspaceId=\(stage.workspace)", ""), (.post, "/webhooks/\(id)/test", ""),
            (.patch, "/webhooks/\(id)", #"{"name":"A"}"#), (.patch, "/webhooks/\(id)", #"{"enabled":true}"#),
            (.patch, "/webhooks/\(id)", #"{"enabled":false,"name":"A"}"#), (.post, "/webhooks/\(id)/rotate-secret", ""),
        ] {
            let reply = try await stage.send(method, path, body)
            #expect(reply.status == 403 && reply.text.contains("FEATURE_LOCKED"), "\(method.rawValue) \(path)")
        }
        let listed = try await stage.send(.get, "/webhooks")
        #expect(listed.status == 200 && !listed.text.contains(id))
        // It can be stopped: the role decides, in the transaction too.
        #expect(try await stage.send(.patch, "/webhooks/\(id)", #"{"enabled":false}"#, as: stage.member).status == 403)
        #expect(try await stage.send(.delete, "/webhooks/\(id)", as: stage.member).status == 403)
        #expect(try await stage.send(.patch, "/webhooks/\(id)", #"{"enabled":false}"#).status == 200)
        #expect(try await stage.send(.delete, "/webhooks/\(id)").status == 204)
    }

    @Test("An event that is not in the catalogue is a wrong value, and a description has nothing that is not seen")
    func wrongValues() async throws {
        let stage = try await Stage()
        let body = #"{"workspaceId":"\#(stage.workspace)","name":"A","url":"https://192.0.2.1/","events":["no.such"]}"#
        let unknown = try await stage.send(.post, "/webhooks", body)
        #expect(unknown.status == 422 && (unknown.json["fields"] as? [String: String])?.keys.sorted() == ["events"])
        for description in [
            #"Paid\u0000x"#, #"\u202Epaid"#, "", String(repeating: "e\u{301}\u{301}\u{301}\u{301}", count: 400),
        ] {
            let reply = try await stage.client.send(
                .put, "/event-types/invoice.paid", #"{"description":"\#(description)"}"#)
            #expect(reply.status == 422 && reply.problems == ["description"], "\(description)")
        }
        #expect(
            try await stage.client.send(.put, "/event-types/invoice.paid", #"{"description":"Paid"}"#).status == 200)
    }

    @Test("The operator's program has those of all workspaces, and its own; If-Match is looked at")
    func operators() async throws {
        let stage = try await Stage()
        let id = try #require(try Self.data(try await stage.add().json)["id"] as? String)
        let client = stage.client
        let own = try await client.send(
            .post, "/webhooks", #"{"name":"Ours","url":"https://192.0.2.2/","events":["key.regenerated"]}"#)
        #expect(own.status == 200 && own.data["workspaceId"] is NSNull && own.data["secret"] is String)
        #expect(try await client.send(.get, "/webhooks").list.map { $0["id"] as? String } == [own.id])
        let theirs = try await client.send(.get, "/webhooks?workspace=\(stage.workspace)").list
        #expect(theirs.map { $0["id"] as? String } == [id])
        #expect(try await client.send(.get, "/webhooks/\(id)").status == 200)
        #expect(try await stage.send(.get, "/webhooks/\(own.id)").status == 404, "not for a workspace's members")
        #expect(try await client.send(.post, "/webhooks", #"{"name":"A"}"#).problems == ["events", "url"])
        #expect(try await client.send(.patch, "/webhooks/\(id)", #"{"name":"B"}"#).data["version"] as? Int == 2)
        #expect(try await client.send(.delete, "/webhooks/whe_none").status == 404)
    }

    @Test("Events need their kind, are queued once, and what is wrong with a batch is said for each")
    func events() async throws {
        let stage = try await Stage()
        let client = stage.client
        let event =
            #"{"id":"e1","type":"order.paid","workspace":"\#(stage.workspace)","object":{"total":9007199254740993}}"#
        #expect(try await client.send(.post, "/events", event).status == 404, "a kind of event that is not there")
        let kind = try await client.send(
            .put, "/event-types/order.paid", #"{"description":"Paid","example":{"total":1}}"#)
        #expect(kind.data["group"] as? String == "order" && kind.data["example"] as? String == #"{"total":1}"#)
        #expect(try await client.send(.put, "/event-types/key.mine", #"{"description":"A"}"#).problems == ["name"])
        _ = try await stage.add()
        let first = try await client.send(.post, "/events", event)
        #expect(first.status == 200)
        let second = try await client.send(.post, "/events/batch", #"{"events":[\#(event)]}"#)
        #expect(first.data["duplicate"] as? Bool == false && second.list.first?["duplicate"] as? Bool == true)
        #expect(second.list.first?["messageId"] as? String == first.data["messageId"] as? String)
        let wrong = try await client.send(
            .post, "/events/batch",
            #"{"events":[\#(event),{"id":"","type":"X","workspace":"none","object":1,"more":1}]}"#)
        #expect(wrong.status == 422)
        #expect(Set(wrong.problems) == Set(["id", "more", "object", "type", "workspace"].map { "events.1.\($0)" }))
        for body in [#"{"events":[]}"#, #"{"events":[1]}"#, #"{"events":[],"id":"e"}"#] {
            #expect(try await client.send(.post, "/events/batch", body).status == 422, "\(body)")
        }
        let store = stage.fixture.store
        #expect(try await store.spreadMessages(limit: 10, now: Clocks.system.wall()) == 1)
        let endpoint = try #require(try await store.webhookEndpoints(of: stage.workspace).first)
        let messageID = WebhookMessageID(rawValue: try #require(first.data["messageId"] as? String))
        let body = try #require(try await store.webhookDelivery(messageID, at: endpoint.id)).body
        #expect(String(decoding: body, as: UTF8.self).contains(#""data":{"object":{"total":9007199254740993}}"#))
        #expect(try await client.send(.get, "/event-types").list.count == 1)
        #expect(try await client.send(.delete, "/event-types/order.paid").status == 204)
    }
}
