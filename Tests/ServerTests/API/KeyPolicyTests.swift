import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Whose key it is.
enum KeyKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case personal, service

    var testDescription: String { rawValue }
}

/// Every policy about keys, asserted for personal keys and for those of service accounts by the same tests: a policy that
/// is new belongs here.
@Suite struct KeyPolicyTests {
    /// A key of a kind, in one workspace on the plan with the feature.
    private struct Stage {
        let fixture: ServerFixture
        let operators: OperatorClient
        let account: Account
        let workspace: WorkspaceID
        let key: String

        init(_ kind: KeyKind) async throws {
            fixture = try ServerFixture()
            operators = try await OperatorClient(fixture)
            let person = try await fixture.account("ada@example.com")
            workspace = person.account.workspaces[0].workspace.id
            switch kind {
            case .personal: (account, key) = person
            case .service:
                account = try await fixture.services.writes.createServiceAccount(
                    name: "Testing", in: .id(workspace), by: .commandLine)
                key = try await fixture.services.keys.reveal(account.user.id, by: .commandLine).characters
            }
        }

        var path: String { "/users/\(account.user.id)" }

        /// A request with a key, from an address; the stage's own unless another is given.
        func get(
            _ path: String = "/api/v1/me", with key: String? = nil, in workspace: WorkspaceID? = nil,
            from peer: String = "127.0.0.1"
        ) async throws -> (status: Int, body: [String: Any]) {
            var headers: HTTPFields = [.authorization: "Bearer \(key ?? self.key)"]
            headers[HeaderName.workspaceID] = workspace?.rawValue
            let reply = try await fixture.respond(.get, path, headers, peer: peer)
            return (reply.status, try object(reply.body))
        }

        func status(_ key: String? = nil) async throws -> Int { try await get(with: key).status }

        func move(to plan: String) async throws {
            try await operators.send(.put, "/workspaces/\(workspace)/plan", #"{"plan":"\#(plan)"}"#)
        }
    }

    @Test("The plan gates it, in the named workspace and without one", arguments: KeyKind.allCases)
    func plan(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        #expect(try await stage.status() == 200)
        try await stage.move(to: "free")
        for workspace in [nil, stage.workspace] {
            let refused = try await stage.get(in: workspace)
            #expect(refused.status == 403 && refused.body["error"] as? String == "FEATURE_LOCKED")
        }
        // A leaked key can be replaced while it is locked.
        #expect(try await stage.operators.send(.post, stage.path + "/key/regenerate").status == 200)
        try await stage.move(to: "pro")
        #expect(try await stage.status() == 401)
        #expect(try await stage.operators.send(.post, "/workspaces/\(stage.workspace)/suspend").status == 200)
        let key = try await stage.fixture.services.keys.reveal(stage.account.user.id, by: .commandLine).characters
        #expect(try await stage.status(key) == 403)
        try await stage.operators.send(.post, "/workspaces/\(stage.workspace)/resume")
        #expect(try await stage.status(key) == 200)
    }

    @Test("It has an hour of its own, which outlives the key; the operator can change it", arguments: KeyKind.allCases)
    func quota(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        let limit = try await stage.operators.send(.put, stage.path + "/limit", #"{"hourlyLimit":3}"#)
        #expect(limit.status == 200)
        for remaining in [2, 1, 0] {
            let response = try await stage.get()
            let data = try #require(response.body["data"] as? [String: Any])
            let rateLimit = try #require(data["rateLimit"] as? [String: Any])
            #expect(response.status == 200 && rateLimit["remaining"] as? Int == remaining)
            #expect(rateLimit["limit"] as? Int == 3)
        }
        #expect(try await stage.status() == 429)
        let made = try await stage.operators.send(.post, stage.path + "/key/regenerate")
        let key = try #require(made.data["key"] as? String)
        #expect(try await stage.status(key) == 429)
        // Everybody else's hour is another.
        let other = try await stage.fixture.account("other@example.com").key
        #expect(try await stage.status(other) == 200)
        #expect(try await stage.operators.send(.post, stage.path + "/quota/reset").status == 204)
        #expect(try await stage.status(key) == 200)
    }

    @Test("What ends it ends it when the answer arrives", arguments: KeyKind.allCases)
    func revocation(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        #expect(try await stage.status() == 200)
        #expect(try await stage.operators.send(.post, stage.path + "/disable").status == 200)
        #expect(try await stage.status() == 401)
        #expect(try await stage.operators.send(.post, stage.path + "/enable").status == 200)
        #expect(try await stage.status() == 200)
        let second = try await stage.operators.send(.post, stage.path + "/key/regenerate").data["key"] as? String
        #expect(try await stage.status() == 401)
        #expect(try await stage.status(second) == 200)
        let revoked = try await stage.fixture.respond(
            .post, "/api/v1/key/revoke", [.authorization: "Bearer \(second ?? "")"])
        #expect(revoked.status == 204)
        #expect(try await stage.status(second) == 401)
        let third = try await stage.fixture.services.keys.reveal(stage.account.user.id, by: .commandLine).characters
        #expect(try await stage.status(third) == 200)
        let lookup = try await stage.operators.send(.post, "/keys/lookup", #"{"token":"\#(stage.key)"}"#)
        #expect(lookup.data["status"] as? String == "ended")
        #expect((lookup.data["user"] as? [String: Any])?["kind"] as? String == stage.account.user.kind.rawValue)
        #expect(try await stage.operators.send(.delete, stage.path).status == 204)
        #expect(try await stage.status(third) == 401)
    }

    @Test("It can be limited to networks, which outlive the key", arguments: KeyKind.allCases)
    func networks(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        let limited = try await stage.operators.send(
            .put, stage.path + "/networks", #"{"networks":["203.0.113.0/24"]}"#)
        #expect(limited.data["allowedNetworks"] as? [String] == ["203.0.113.0/24"])
        #expect(try await stage.get(from: "203.0.113.9").status == 200)
        let refused = try await stage.get(from: "192.0.2.9")
        #expect(refused.status == 403 && refused.body["error"] as? String == "ADDRESS_NOT_ALLOWED")
        let made = try await stage.operators.send(.post, stage.path + "/key/regenerate").data["key"] as? String
        #expect(try await stage.get(with: made, from: "192.0.2.9").status == 403)
        #expect(try await stage.get(with: made, from: "203.0.113.9").status == 200)
        try await stage.operators.send(.put, stage.path + "/networks", #"{"networks":null}"#)
        #expect(try await stage.get(with: made, from: "192.0.2.9").status == 200)
    }

    @Test("Where it was used from, and what was refused, is kept and exported", arguments: KeyKind.allCases)
    func history(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        #expect(try await stage.get(from: "192.0.2.9").status == 200)
        try await stage.move(to: "free")
        #expect(try await stage.get(from: "198.51.100.7").status == 403)
        await stage.fixture.services.node?.usage.flush()
        let history = try await stage.fixture.services.keys.history(of: stage.account)
        #expect(history.sources.map(\.address.description) == ["192.0.2.9"])
        #expect(history.refusals.map(\.address.description) == ["198.51.100.7"])
        let exported = try await stage.operators.send(.get, stage.path + "/export")
        #expect(exported.text.contains("192.0.2.9") && exported.text.contains("198.51.100.7"))
    }

    @Test("Its last use is recorded, and belongs to the key", arguments: KeyKind.allCases)
    func lastUse(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        let (keys, id) = (stage.fixture.services.keys, stage.account.user.id)
        #expect(try await keys.metadata(of: id).lastUse == nil)
        #expect(try await stage.get(from: "192.0.2.9").status == 200)
        #expect(try await keys.metadata(of: id).lastUse?.address == IPAddress("192.0.2.9"))
        let me = try #require(try await stage.get(from: "192.0.2.9").body["data"] as? [String: Any])
        #expect((me["key"] as? [String: Any])?["lastUsedIp"] as? String == "192.0.2.9")
        try await stage.operators.send(.post, stage.path + "/key/regenerate")
        #expect(try await keys.metadata(of: id).lastUse == nil)
    }

    @Test("Its requests are counted, by reason", arguments: KeyKind.allCases)
    func usage(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        let node = try #require(stage.fixture.services.node)
        for _ in 0..<2 { #expect(try await stage.status() == 200) }
        let foreign = WorkspaceID(rawValue: "ws_none")
        #expect(try await stage.get(in: foreign).status == 404)
        try await stage.move(to: "free")
        #expect(try await stage.status() == 403)
        await node.usage.flush()
        let counted = try await stage.operators.send(.get, stage.path + "/usage")
        #expect(
            counted.data["total"] as? [String: Int] == [
                "admitted": 2, "refused": 2, "featureLocked": 1, "notAMember": 1, "rateLimited": 0,
                "addressNotAllowed": 0,
            ])
        try await stage.move(to: "pro")
        #expect(try await stage.get("/api/v1/usage").status == 200)
    }

    @Test("What is kept of it is exported, and says of which kind it is", arguments: KeyKind.allCases)
    func export(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        let exported = try await stage.operators.send(.get, stage.path + "/export")
        let user = try #require(exported.data["user"] as? [String: Any])
        #expect(user["id"] as? String == stage.account.user.id.rawValue)
        #expect(user["kind"] as? String == (kind == .service ? "service" : "person"))
        #expect(kind == .service ? user["email"] is NSNull : user["email"] as? String == "ada@example.com")
        #expect((exported.data["audit"] as? [Any])?.isEmpty == false)
        #expect(!exported.text.contains(stage.key))
    }

    @Test("Whoever asks whose key it is learns the kind", arguments: KeyKind.allCases)
    func identity(_ kind: KeyKind) async throws {
        let stage = try await Stage(kind)
        let word = kind == .service ? "service" : "person"
        let me = try #require(try await stage.get().body["data"] as? [String: Any])
        #expect(me["kind"] as? String == word)
        #expect(kind == .service ? me["email"] is NSNull : me["email"] as? String == "ada@example.com")
        #expect((me["workspaces"] as? [[String: Any]])?.map { $0["id"] as? String } == [stage.workspace.rawValue])
        let asked = try await stage.operators.send(
            .post, "/introspect", "token=\(stage.key)", type: "application/x-www-form-urlencoded")
        #expect(asked.envelope["active"] as? Bool == true && asked.envelope["kind"] as? String == word)
        #expect(asked.envelope["username"] as? String == (kind == .service ? "-" : "ada@example.com"))
        // Every header is there, and none is empty.
        let headers = String(decoding: GateIdentity.make(stage.account), as: UTF8.self)
        let lines = headers.split(separator: "\r\n").map { $0.split(separator: ": ", maxSplits: 1) }
        #expect(lines.count == 7 && lines.allSatisfy { $0.count == 2 && !$0[1].isEmpty })
        #expect(headers.contains("X-Keybearer-Email: \(kind == .service ? "-" : "ada@example.com")\r\n"))
        #expect(headers.contains("X-Keybearer-Email-Verified: \(kind == .service ? "false" : "true")\r\n"))
    }
}
