import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``KeyLookupHandlers``: whose a key is, as ``KeyOwnerJSON``.
@Suite struct KeyLookupHandlersTests {
    @Test("A live key, then one that was regenerated, then one whose account is gone")
    func owners() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let id = account.user.id.rawValue
        func lookUp(_ key: String) async throws -> OperatorClient.Reply {
            let reply = try await client.send(.post, "/keys/lookup", #"{"token":"\#(key)"}"#)
            #expect(!reply.text.contains(key), "the key is in no answer")
            return reply
        }
        let live = try await lookUp(key)
        #expect(live.data["status"] as? String == "live" && live.data["endedAt"] is NSNull)
        #expect(live.data["userId"] as? String == id && (live.data["user"] as? [String: Any])?["id"] as? String == id)
        let new = try await fixture.services.keys.regenerate(
            account.user.id, idempotencyKey: nil, by: .commandLine
        ).secret.characters
        let ended = try await lookUp(key)
        #expect(ended.data["status"] as? String == "ended" && ended.data["endedAt"] is String)
        #expect((ended.data["user"] as? [String: Any])?["id"] as? String == id)
        try await client.send(.delete, "/users/\(id)")
        for key in [key, new] {
            let gone = try await lookUp(key)
            #expect(gone.data["status"] as? String == "ended" && gone.data["userId"] as? String == id)
            #expect(gone.data["user"] == nil)
        }
    }

    @Test("A look-up counts no request and leaves Last used as it is")
    func leavesNoTrace() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        func remaining() async throws -> String? {
            let reply = try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"])
            return reply.headers[HTTPField.Name("X-RateLimit-Remaining") ?? .age]
        }
        let body = #"{"token":"\#(key)"}"#
        let before = try await fixture.services.directory.auditEvents(of: nil, limit: 100).entries.count
        for _ in 0..<20 { #expect(try await client.send(.post, "/keys/lookup", body).status == 200) }
        #expect(try await fixture.services.keys.metadata(of: account.user.id).lastUse == nil)
        #expect(try await remaining() == "999")
        let use = try await fixture.services.keys.metadata(of: account.user.id).lastUse
        for _ in 0..<20 { #expect(try await client.send(.post, "/keys/lookup", body).status == 200) }
        #expect(try await fixture.services.keys.metadata(of: account.user.id).lastUse == use)
        #expect(try await remaining() == "998")
        let after = try await fixture.services.directory.auditEvents(of: nil, limit: 100).entries.count
        #expect(after == before)
    }

    @Test("What was never a key here is 404; a member that is wrong is 422")
    func unknown() async throws {
        let client = try await OperatorClient(try ServerFixture())
        let foreign = try KeyVault(ring: try .generate(from: .system)).issue(prefix: .standard, random: .system)
        for text in ["", "x", foreign.characters, client.secret, String(repeating: "a", count: 10_000)] {
            let reply = try await client.send(.post, "/keys/lookup", #"{"token":"\#(text)"}"#)
            #expect(reply.error == "NOT_FOUND" && (text.isEmpty || !reply.message.contains(text)))
        }
        for body in ["{}", #"{"token":null}"#, #"{"token":1}"#, #"{"token":["x"]}"#] {
            #expect(try await client.send(.post, "/keys/lookup", body).problems == ["token"], "\(body)")
        }
        #expect(try await client.send(.post, "/keys/lookup", #"{"token":"x","a":1}"#).problems == ["a"])
        #expect(try await client.send(.get, "/keys/lookup?token=x").status == 405)
    }
}
