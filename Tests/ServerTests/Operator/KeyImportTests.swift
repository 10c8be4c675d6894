import Crypto
import Foundation
import HTTPTypes
import KeybearerSQL
import NIOCore
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``KeyImport`` by the operator API: keys that a product's users have already.
@Suite struct KeyImportTests {
    private static let key = "acme-live-0123456789ABCDEF"

    private func body(_ id: String, key: String = KeyImportTests.key, externalID: String? = nil) -> String {
        let external = externalID.map { #","externalId":"\#($0)""# } ?? ""
        return #"{"email":"\#(id)@example.com","name":"Ada"\#(external),"key":{"import":"\#(key)"}}"#
    }

    private func shown(_ reply: OperatorClient.Reply) -> String? {
        (reply.data["key"] as? [String: Any])?["prefix"] as? String
    }

    @Test("A new user has the key that it had, by POST, PUT and in a batch, where the token may import")
    func created() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let plain = try await OperatorClient(fixture, [.writeUsers, .readUsers])
        let second = Self.key + "-2"
        for (method, path) in [(HTTPRequest.Method.post, "/users"), (.put, "/users/ext:1")] {
            let refused = try await plain.send(method, path, body("1"))
            #expect(refused.status == 403 && refused.message.contains("keys:import"))
        }
        let batch = try await plain.batch([("PUT", "/users/ext:1", body("1")), ("PUT", "/users/ext:2", body("2"))])
        #expect(batch.results.map(\.status) == [403, 403])
        let made = try await client.send(.post, "/users", body("1", externalID: "1"))
        #expect(made.status == 200 && shown(made) == "acme-l" && !made.text.contains(Self.key))
        let put = try await client.send(.put, "/users/ext:2", body("2", key: second))
        #expect(put.status == 200 && shown(put) == "acme-li")
        let third = try await client.batch([
            ("PUT", "/users/ext:3", body("3", key: Self.key + "-3")),
            ("POST", "/users", body("4", key: second)), ("PUT", "/users/ext:5", body("5", key: "short")),
            ("PUT", "/users/ext:6", #"{"email":"6@example.com","name":"Ada"}"#),
        ])
        #expect(third.results.map(\.status) == [200, 409, 422, 200])
        for (id, key) in [("1", Self.key), ("2", second), ("3", Self.key + "-3")] {
            let revealed = try await client.send(.post, "/users/ext:\(id)/key/reveal")
            #expect(revealed.data["key"] as? String == key)
            let found = try await client.send(.post, "/keys/lookup", #"{"token":"\#(key)"}"#)
            #expect(found.status == 200 && found.data["userId"] != nil)
        }
        #expect(try await client.send(.post, "/keys/lookup", #"{"token":"\#(Self.key)-9"}"#).status == 404)
        let events = try await fixture.services.directory.auditEvents(of: nil, limit: 100).entries
        #expect(events.count { $0.detail == "with an imported key" } == 3)
    }

    @Test("What is no key that could be imported is refused, and never repeated")
    func refused() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (_, live) = try await fixture.account("live@example.com")
        let members = [
            #""\#(Self.key)""#, "null", "{}", #"{"import":1}"#, #"{"import":"\#(Self.key)","x":1}"#, "[]",
        ]
        for member in members {
            let text = #"{"email":"a@example.com","name":"A","key":\#(member)}"#
            let reply = try await client.send(.post, "/users", text)
            #expect(reply.status == 422 && reply.problems == ["key"], "\(member)")
            #expect(!reply.text.contains(Self.key))
        }
        for key in [live, client.secret, "short", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "with blanks 0123456789 abc"] {
            for (method, path) in [(HTTPRequest.Method.post, "/users"), (.put, "/users/ext:1")] {
                let reply = try await client.send(method, path, body("1", key: key))
                #expect(reply.status == 422 && reply.problems == ["key"] && !reply.text.contains(key))
            }
        }
        #expect(try await client.send(.get, "/users/ext:1").status == 404)
        #expect(try await client.send(.patch, "/users/ext:1", body("1")).problems.contains("key"))
    }

    @Test("An import that is run again counts what is there as done, and takes nobody's key away")
    func resumed() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let first = try await client.send(.put, "/users/ext:1", body("1"), key: "one")
        #expect(first.status == 200)
        for idempotencyKey in [nil, "one", "two"] {
            let again = try await client.send(.put, "/users/ext:1", body("1"), key: idempotencyKey)
            #expect(again.status == 200 && again.text == first.text)
        }
        #expect(try await client.send(.put, "/users/ext:1", body("1"), ifMatch: "1").status == 200)
        let other = try await client.send(.put, "/users/ext:1", body("1", key: Self.key + "-2"))
        #expect(other.status == 422 && other.problems == ["key"])
        #expect(try await client.send(.put, "/users/\(first.id)", body("1")).problems == ["key"], "by our id")
        let taken = try await client.send(.put, "/users/ext:2", body("2"))
        #expect(taken.status == 409 && !taken.text.contains(Self.key))
        let changed = try await client.send(
            .put, "/users/ext:1", #"{"email":"1@example.com","name":"Eve","key":{"import":"\#(Self.key)"}}"#)
        #expect(changed.status == 200 && changed.data["name"] as? String == "Eve" && shown(changed) == "acme-l")
        // An account that is only adopted keeps its key.
        _ = try await fixture.account("7@example.com")
        let adopted = #"{"email":"7@example.com","name":"A","adopt":true,"key":{"import":"\#(Self.key)-7"}}"#
        #expect(try await client.send(.put, "/users/ext:7", adopted).problems == ["key"])
        #expect(try await client.send(.post, "/users/ext:1/key/regenerate").status == 200)
        #expect(try await client.send(.put, "/users/ext:1", body("1")).problems == ["key"])
        #expect(try await client.send(.put, "/users/ext:1", body("1"), key: "one").status == 200, "a replay")
        #expect(try await client.send(.put, "/users/ext:3", body("3")).status == 409, "it lived here")
    }

    @Test("What is remembered of a request with a key is no plain digest of it")
    func remembered() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let text = body("1")
        #expect(try await client.send(.put, "/users/ext:1", text, key: "one").status == 200)
        #expect(try await client.send(.put, "/users/ext:1", body("1", key: Self.key + "x"), key: "one").status == 422)
        let digest = Array(SHA256.hash(data: Array("PUT /operator/v1/users/ext:1\n\(text)".utf8)))
        let table = try #require(CopiedTable.all.first { $0.name == "idempotent_requests" })
        let kept = try fixture.store.engine.withCopyReader { connection in
            try connection.rows(table.count)[0].requiredNumber("count")
        }
        #expect(kept == 1)
        let plain = IdempotentRequest(
            scope: client.token.id.rawValue, keyDigest: Array(SHA256.hash(data: Array("one".utf8))),
            requestDigest: digest)
        #expect(try await fixture.store.resource(of: plain, now: Clocks.system.wall()) == nil)
    }

    @Test("The key page shows an imported key in its own shape, and a key of ours once it is regenerated")
    func page() async throws {
        let fixture = try ServerFixture()
        let account = try await fixture.importedAccount(Self.key)
        let client = try await OperatorClient(fixture)
        var browser = PortalBrowser(fixture)
        _ = try await browser.open(try await client.portalCode(account.user.id))
        let path = "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks"
        let hidden = try await browser.get(path).body
        #expect(hidden.contains(">acme-l</code>") && !hidden.contains(Self.key) && !hidden.contains("tdc_"))
        #expect(try await browser.post(path + "/reveal").body.contains(Self.key))
        _ = try await fixture.services.keys.regenerate(account.user.id, idempotencyKey: nil, by: .commandLine)
        let regenerated = try await browser.get(path).body
        #expect(regenerated.contains(">tdc_") && regenerated.contains("Bearer tdc_YOUR_API_KEY"))
        #expect(!regenerated.contains("acme-l"))
    }

    @Test("A flood of invented tokens is 401 from memory and then 429, and a node without a lease answers 503")
    func flood() async throws {
        let fixture = try ServerFixture(clocks: TestClock().clocks)
        _ = try await fixture.importedAccount(Self.key)
        let node = try fixture.services.requireNode()
        func present(_ token: String, peer: String = "192.0.2.9") async throws -> (status: Int, headers: HTTPFields) {
            let reply = try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(token)"], peer: peer)
            return (reply.status, reply.headers)
        }
        #expect(try await present(Self.key).status == 200)
        let before = node.verifier.storeRequests
        for number in 0..<100 { #expect(try await present("invented-token-number-\(number)").status == 401) }
        let refused = try await present("invented-token-number-100")
        #expect(refused.status == 429 && refused.headers[.retryAfter] == "1")
        #expect(refused.headers[.cacheControl] == "no-store")
        #expect(try await present("invented-token-number-100", peer: "192.0.2.10").status == 401)
        #expect(node.verifier.storeRequests == before)
        #expect(try await present(Self.key).status == 200)
        // A program that does not name its clients is not taken for one.
        let client = try await OperatorClient(fixture, [.introspect])
        func introspect(_ rest: String) async throws -> [String: Any] {
            let reply = try await fixture.respond(
                .post, "/operator/v1/introspect",
                [.authorization: "Bearer \(client.secret)", .contentType: "application/x-www-form-urlencoded"],
                body: "token=invented-token-number-101\(rest)", peer: "192.0.2.9")
            return try object(reply.body)
        }
        for _ in 0..<3 { #expect(try await introspect("").count == 1) }
        let limited = try await introspect("&client_address=192.0.2.9")
        #expect(limited["error"] as? String == "RATE_LIMITED" && limited["retryAfter"] as? Int == 1)
        await node.fence.stop()
        for token in ["invented-token-number-100", Self.key] { #expect(try await present(token).status == 503) }
        #expect(try await present("short").status == 401)
    }
}

/// What a gateway gets for a client that sends too many tokens that are none.
@Suite struct ThrottledGateTests {
    @Test("429 with the time to wait, and 403 with the reason where nginx asks")
    func responses() {
        func text(_ mode: GateResponses.Mode) -> String {
            var (responses, out) = (GateResponses(clocks: .system), ByteBuffer())
            responses.write(
                .throttled(wait: .milliseconds(6_400)),
                of: Admission(.malformed, scope: .anyWorkspace, from: .localSocket),
                format: .init(mode: mode, isHead: false, closes: false), wall: Clocks.system.wall(), to: &out)
            return String(buffer: out)
        }
        for (mode, status) in [(GateResponses.Mode.plain, "429"), (.nginx, "403")] {
            let response = text(mode)
            #expect(response.hasPrefix("HTTP/1.1 \(status) "))
            #expect(response.contains("\r\nRetry-After: 7\r\n"))
            #expect(response.contains("\r\nCache-Control: no-store\r\n"))
            #expect(response.contains("\r\nX-Keybearer-Reason: RATE_LIMITED\r\n"))
        }
    }
}

extension ServerFixture {
    /// An account on the plan with the feature, with a key that was made elsewhere.
    func importedAccount(_ key: String, email: String = "imported@example.com") async throws -> Account {
        var input = UserInput()
        (input.email, input.name, input.keyToImport) = (email, "Ada", KeyToImport(key))
        let account = try await services.writes.create(input, by: .commandLine)
        try await services.workspaces.setPlan(
            PlanID(rawValue: "pro"), of: account.workspaces[0].workspace.id, by: .commandLine)
        return account
    }
}
