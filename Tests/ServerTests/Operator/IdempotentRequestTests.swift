import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// An ``OperatorRequest`` that is sent again with its `Idempotency-Key`.
@Suite struct IdempotentRequestTests {
    @Test("Every write that is sent again changes nothing, and answers how things are now")
    func replays() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let owner = try await client.user("owner")
        try await client.user("guest")
        let writes: [(HTTPRequest.Method, String, String)] = [
            (.post, "/users", #"{"email":"eve@example.com","name":"Eve","externalId":"eve"}"#),
            (.put, "/users/ext:bob", #"{"email":"bob@example.com","name":"Bob"}"#),
            (.patch, "/users/ext:bob", #"{"externalId":"robert"}"#), (.post, "/users/ext:eve/disable", ""),
            (.post, "/users/ext:eve/end-sessions", ""), (.delete, "/users/ext:eve", ""),
            (.post, "/workspaces", #"{"name":"Team","owner":"ext:owner"}"#),
            (.put, "/workspaces/ext:w", #"{"name":"Team","owner":"ext:owner"}"#),
            (.put, "/workspaces/ext:w/plan", #"{"plan":"pro"}"#), (.post, "/workspaces/ext:w/suspend", ""),
            (.put, "/workspaces/ext:w/members/ext:guest", #"{"role":"admin"}"#),
            (.delete, "/workspaces/ext:w/members/ext:guest", ""),
            (.patch, "/workspaces/ext:w", #"{"externalId":"x"}"#),
            (.put, "/plans/gold", #"{"name":"Gold","features":[],"hourlyLimit":5,"position":9}"#),
            (.post, "/users/ext:owner/key/regenerate", ""),
        ]
        for (number, (method, path, body)) in writes.enumerated() {
            let first = try await client.send(method, path, body, key: "write-\(number)")
            #expect((200...204).contains(first.status), "\(path) \(first.text)")
            let events = try await fixture.services.directory.auditEvents(of: nil, limit: 1_000).entries.count
            let again = try await client.send(method, path, body, key: "write-\(number)")
            #expect(again.status == first.status && again.text == first.text, "\(method) \(path) \(again.text)")
            let after = try await fixture.services.directory.auditEvents(of: nil, limit: 1_000).entries.count
            #expect(after == events, "\(method) \(path)")
            let other = try await client.send(method, path, #"{"name":"Other"}"#, key: "write-\(number)")
            #expect(other.status == 422 || other.status == 404, "\(method) \(path) \(other.text)")
        }
        let account = try await client.send(.get, "/users/\(owner.id)")
        #expect((account.data["workspaces"] as? [Any])?.count == 3, "the first and two more, none doubled")
    }

    @Test("A key belongs to one token and one request; it is 1 to 255 visible ASCII characters, sent once")
    func keys() async throws {
        let fixture = try ServerFixture()
        let (client, other) = (try await OperatorClient(fixture), try await OperatorClient(fixture))
        try await client.user("42")
        let first = try await client.send(.patch, "/users/ext:42", #"{"name":"Eve"}"#, key: "one")
        #expect(first.version == 2)
        #expect(try await other.send(.patch, "/users/ext:42", #"{"name":"Bob"}"#, key: "one").version == 3)
        let replay = try await client.send(.patch, "/users/ext:42", #"{"name":"Eve"}"#, key: "one")
        #expect(replay.version == 3 && replay.data["name"] as? String == "Bob", "how things are now")
        let refused = try await client.send(.patch, "/users/ext:42", #"{"name":"Cid"}"#, key: "one")
        #expect(refused.status == 422 && refused.problems == ["Idempotency-Key"])
        for key in ["", "a b", "é", String(repeating: "x", count: 256)] {
            #expect(try await client.send(.patch, "/users/ext:42", #"{"name":"Cid"}"#, key: key).status == 400)
        }
        #expect(try await client.send(.get, "/users/ext:42").version == 3)
    }
}
