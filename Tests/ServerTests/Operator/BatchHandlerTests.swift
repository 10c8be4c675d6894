import Foundation
import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``BatchHandler``: many writes in order, each as if it had been sent alone, as ``BatchJSON``.
@Suite struct BatchHandlerTests {
    private static func put(_ id: String, name: String = "Ada", email: String? = nil) -> (String, String, String?) {
        ("PUT", "/users/ext:\(id)", #"{"email":"\#(email ?? id + "@example.com")","name":"\#(name)"}"#)
    }

    @Test("One result for each operation, in order; what is wrong fails alone, as it would alone")
    func order() async throws {
        let client = try await OperatorClient(try ServerFixture())
        let operations: [(String, String, String?)] = [
            Self.put("a"), ("PUT", "/users/ext:b", #"{"email":"x","name":"B"}"#), Self.put("c"),
            Self.put("d", email: "a@example.com"), ("DELETE", "/users/ext:none", nil), ("GET", "/users", nil),
            ("POST", "/nothing", nil), ("POST", "/keys/lookup", #"{"token":"x"}"#), ("POST", "/batch", "{}"),
            ("POST", "/users/ext:a/key/reveal", nil), ("POST", "/portal-links", #"{"user":"ext:a"}"#),
            ("PATCH", "/users/ext:c", #"{"nmae":1}"#), ("PUT", "/users/../users/ext:e", #"{"name":"E"}"#),
            ("POST", "/users/ext:a/end-sessions", nil), ("FOO BAR", "/users", nil), ("patch", "/users/ext:c", "{}"),
            ("PUT", "/users/ext:f?x=1", #"{"email":"f@example.com","name":"F"}"#), Self.put("g"),
        ]
        let reply = try await client.batch(operations)
        #expect(reply.status == 200 && reply.envelope["ok"] as? Bool == true)
        #expect(
            reply.results.map(\.status) == [
                200, 422, 200, 409, 404, 400, 404, 400, 400, 400, 400, 422, 404, 204, 404, 404, 404, 200,
            ])
        for (number, operation) in operations.enumerated() {
            let result = reply.results[number]
            if result.status == 204 { continue }
            #expect(result.body["ok"] as? Bool == (result.status == 200), "\(operation)")
        }
        #expect((reply.results[0].body["data"] as? [String: Any])?["externalId"] as? String == "a")
        #expect((reply.results[17].body["data"] as? [String: Any])?["externalId"] as? String == "g")
        let alone = try await client.send(.patch, "/users/ext:c", #"{"nmae":1}"#)
        #expect(alone.problems == (reply.results[11].body["fields"] as? [String: Any])?.keys.sorted())
        let listed = try await client.send(.get, "/users").list.compactMap { $0["externalId"] as? String }
        #expect(listed.sorted() == ["a", "c", "g"])
    }

    @Test("Operations see what those before them did, by whatever name")
    func sees() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let old = try await client.user("old")
        let operations: [(String, String, String?)] = [
            Self.put("a"), ("PATCH", "/users/ext:a", #"{"name":"Second"}"#), Self.put("a", name: "Third"),
            ("PUT", "/workspaces/ext:w", #"{"name":"Team","owner":"ext:a"}"#),
            ("PUT", "/plans/gold", #"{"name":"Gold","features":[],"hourlyLimit":5,"position":9}"#),
            ("PUT", "/workspaces/ext:w/plan", #"{"plan":"gold"}"#),
            ("PUT", "/workspaces/ext:w/members/ext:old", #"{"role":"owner"}"#),
            ("DELETE", "/workspaces/ext:w/members/ext:a", nil), ("POST", "/workspaces/ext:w/suspend", nil),
            ("PATCH", "/users/\(old.id)", #"{"externalId":"new"}"#), ("PATCH", "/users/ext:new", #"{"name":"New"}"#),
            ("PATCH", "/users/ext:old", #"{"name":"Gone"}"#), Self.put("old", email: "other@example.com"),
            ("DELETE", "/users/ext:a", nil), ("PATCH", "/users/ext:a", #"{"name":"Gone"}"#), Self.put("a"),
            ("POST", "/users", #"{"email":"p@example.com","name":"P","externalId":"p"}"#),
            ("POST", "/users/ext:p/disable", nil), ("DELETE", "/plans/gold", nil),
        ]
        let reply = try await client.batch(operations)
        #expect(
            reply.results.map(\.status) == [
                200, 200, 200, 200, 200, 200, 204, 204, 200, 200, 200, 404, 200, 204, 404, 200, 200, 200, 409,
            ], "\(reply.text)")
        #expect((reply.results[2].body["data"] as? [String: Any])?["version"] as? Int == 3)
        let members = try await client.send(.get, "/workspaces/ext:w/members").list
        #expect(members.map { $0["externalId"] as? String } == ["new"])
        #expect(try await client.send(.get, "/users/ext:new").data["name"] as? String == "New")
        #expect(try await client.send(.get, "/users/ext:p").data["status"] as? String == "disabled")
    }

    @Test("1 to 1,000 operations, in at most 1 MiB; what is no operation is refused before anything is done")
    func bounds() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let many = (1...1_000).map { Self.put("u\($0 % 500)", name: $0 <= 500 ? "First" : "Second") }
        let full = try await client.batch(many)
        #expect(full.results.count == 1_000 && full.results.allSatisfy { $0.status == 200 })
        let last = try await fixture.services.directory.users(matching: UserFilter(), limit: 1_000).entries
        #expect(last.count == 500 && last.allSatisfy { $0.user.name == "Second" && $0.user.version == 2 })
        #expect(try await client.batch(many + [Self.put("x")]).problems == ["operations"])
        #expect(try await client.batch([]).problems == ["operations"])
        for body in [
            "{}", #"{"operations":null}"#, #"{"operations":{}}"#, #"{"operations":[1]}"#, #"{"operations":[null]}"#,
            #"{"operations":[{"method":"PUT"}]}"#, #"{"operations":[{"path":"/users"}]}"#,
            #"{"operations":[{"method":"PUT","path":"users"}]}"#, #"{"operations":[{"method":1,"path":"/users"}]}"#,
            #"{"operations":[{"method":"PUT","path":"/users","body":[]}]}"#,
            #"{"operations":[{"method":"PUT","path":"/users","body":null}]}"#,
            #"{"operations":[{"method":"PUT","path":"/users","headers":{}}]}"#,
        ] {
            #expect(try await client.send(.post, "/batch", body).problems == ["operations"], "\(body)")
        }
        #expect(try await client.send(.post, "/batch", #"{"operations":[],"x":1}"#).problems == ["operations", "x"])
        let padding = String(repeating: " ", count: 1_024 * 1_024)
        let large = try await client.send(.post, "/batch", #"{"operations":[]}"# + padding)
        #expect(large.status == 413 && large.error == "PAYLOAD_TOO_LARGE")
        // Other routes have their own, smaller limit.
        let other = try await client.send(.patch, "/users/ext:u1", "{}" + padding.prefix(600_000))
        #expect(other.status == 413)
    }

    @Test("A batch that is sent again with its key goes on where it ended")
    func goesOn() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let all = (1...30).map {
            ("POST", "/workspaces", #"{"name":"W\#($0)","owner":"ext:owner"}"#) as (String, String, String?)
        }
        try await client.user("owner")
        // As if the process had been killed half way.
        let half = try await client.batch(Array(all[..<15]), key: "night")
        let whole = try await client.batch(all, key: "night")
        let ids = whole.results.map { ($0.body["data"] as? [String: Any])?["id"] as? String ?? "" }
        #expect(Array(ids[..<15]) == half.results.map { ($0.body["data"] as? [String: Any])?["id"] as? String ?? "" })
        #expect(Set(ids).count == 30 && !ids.contains(""))
        #expect(try await client.batch(all, key: "night").text == whole.text)
        #expect(try await client.send(.get, "/workspaces").list.count == 31)
        // Each place is a request of its own: another one there is refused, and the others go on.
        var other = all
        other[3] = ("POST", "/workspaces", #"{"name":"Other","owner":"ext:owner"}"#)
        let mixed = try await client.batch(other, key: "night").results.map(\.status)
        #expect(mixed == (0..<30).map { $0 == 3 ? 422 : 200 })
        #expect(
            try await client.send(.post, "/workspaces", all[0].2 ?? "", key: "night").status == 200, "not of a batch")
        #expect(try await client.send(.get, "/workspaces").list.count == 32)
    }

    @Test("Each operation needs the scope of its own route; a token without any scope for it does nothing")
    func scopes() async throws {
        let client = try await OperatorClient(try ServerFixture(), [.writeUsers])
        let reply = try await client.batch([
            Self.put("a"), ("PUT", "/plans/x", "{}"),
            ("PUT", "/users/ext:b", #"{"email":"b@example.com","name":"B","emailVerified":true}"#),
            ("POST", "/users/ext:a/key/regenerate", nil), ("POST", "/users/ext:a/disable", nil),
        ])
        #expect(reply.results.map(\.status) == [200, 403, 403, 403, 200])
        #expect((reply.results[1].body["message"] as? String)?.contains("plans:write") == true)
        #expect((reply.results[2].body["message"] as? String)?.contains("users:identity") == true)
    }

    @Test("A token that is revoked between two transactions: what was done stands, the rest is 401")
    func revokedMeanwhile() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        var operations = (1...250).map { Self.put("u\($0)") }
        // What a look-up refuses: before the end it is told, and behind it not.
        for place in [50, 230] { operations[place] = ("DELETE", "/users/ext:none", nil) }
        let counter = Counter()
        fixture.store.holdWrites { action in
            // Before the second transaction: they are asked for in order.
            if action == .userCreated { counter.increment() }
            if action == .userCreated, counter.value == 2 {
                try? await fixture.services.operatorTokens.revoke(client.token.id, by: .commandLine)
            }
        }
        let reply = try await client.batch(operations, key: "one")
        fixture.store.holdWrites(nil)
        #expect(reply.status == 200)
        // Those of the first transaction: 100, or what it did in its time.
        let done = reply.results.prefix { $0.status != 401 }.count
        #expect((1...101).contains(done))
        #expect(reply.results.map(\.status) == (0..<250).map { $0 >= done ? 401 : $0 == 50 ? 404 : 200 })
        #expect(reply.results[230].body["error"] as? String == "UNAUTHORIZED")
        let users = try await fixture.services.directory.users(matching: UserFilter(), limit: 1_000).entries
        #expect(users.count == (done > 50 ? done - 1 : done))
        #expect(try await client.batch(operations, key: "one").status == 401)
    }

    @Test("A token that ends before the first transaction: the request is 401 as a whole")
    func revokedBefore() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        fixture.store.holdWrites { action in
            if action == .userCreated {
                try? await fixture.services.operatorTokens.revoke(client.token.id, by: .commandLine)
            }
        }
        let reply = try await client.batch((1...150).map { Self.put("u\($0)") })
        fixture.store.holdWrites(nil)
        #expect(reply.status == 401 && reply.headers[.wwwAuthenticate] != nil)
    }
}
