import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``ServiceAccountHandlers`` and what the routes of users do with service accounts, by ``ServiceAccountWrites``.
@Suite struct ServiceAccountHandlersTests {
    /// A workspace of Ada's, and a program of the operator.
    private struct Stage {
        let fixture: ServerFixture
        let client: OperatorClient
        let ada: Account
        let path: String

        init() async throws {
            fixture = try ServerFixture()
            client = try await OperatorClient(fixture)
            ada = try await fixture.account("ada@example.com").account
            path = "/workspaces/\(ada.workspaces[0].workspace.id)"
        }
    }

    @Test("One is made with a name and an external id, listed in its workspace and among users, and found by both")
    func made() async throws {
        let stage = try await Stage()
        let client = stage.client
        #expect(try await client.send(.get, stage.path + "/service-accounts").list.isEmpty)
        let made = try await client.send(
            .post, stage.path + "/service-accounts", #"{"name":" CI ","externalId":"ci"}"#, key: "once")
        #expect(made.status == 200 && made.id.hasPrefix("usr_") && made.data["name"] as? String == "CI")
        #expect(made.data["kind"] as? String == "service" && made.data["email"] is NSNull)
        #expect(made.data["hasPassword"] as? Bool == false && made.data["emailVerified"] as? Bool == false)
        let again = try await client.send(
            .post, stage.path + "/service-accounts", #"{"name":" CI ","externalId":"ci"}"#, key: "once")
        #expect(again.id == made.id)
        #expect(try await client.send(.get, "/users/ext:ci").text == made.text)
        #expect(try await client.send(.get, stage.path + "/service-accounts").list.count == 1)
        #expect(try await client.send(.get, "/users?kind=service").list.map { $0["id"] as? String } == [made.id])
        let people = try await client.send(.get, "/users?kind=person").list
        #expect(people.map { $0["id"] as? String } == [stage.ada.user.id.rawValue])
        #expect(try await client.send(.get, "/users").list.count == 2)
        #expect(try await client.send(.get, "/users?kind=robot").status == 400)
        #expect(try await client.send(.get, "/users?kind=person&externalId=ci").list.isEmpty)
        #expect(try await client.send(.get, "/users?email=\(made.id)").list.isEmpty)
        let members = try await client.send(.get, stage.path + "/members").list
        #expect(Set(members.compactMap { $0["kind"] as? String }) == ["person", "service"] && members.count == 2)
        let counted = try await client.send(.get, "/workspaces?user=\(stage.ada.user.id)").list.first
        #expect(counted?["members"] as? Int == 1, "no seat")
    }

    @Test("What is wrong is said: name, members, workspace, a taken external id, the tenth and one more")
    func refused() async throws {
        let stage = try await Stage()
        let client = stage.client
        let wrong: [(String, [String])] = [
            (#"{}"#, ["name"]), (#"{"name":""}"#, ["name"]), (#"{"name":null}"#, ["name"]),
            (#"{"name":"CI","email":"ci@example.com"}"#, ["email"]),
            (#"{"name":"CI","externalId":"a/b"}"#, ["externalId"]),
        ]
        for (body, problems) in wrong {
            let reply = try await client.send(.post, stage.path + "/service-accounts", body)
            #expect(reply.status == 422 && reply.problems == problems, "\(body) \(reply.text)")
        }
        for path in ["/workspaces/ws_none", "/workspaces/ext:none"] {
            #expect(try await client.send(.get, path + "/service-accounts").status == 404)
            #expect(try await client.send(.post, path + "/service-accounts", #"{"name":"CI"}"#).status == 404)
        }
        try await client.user("taken")
        let taken = try await client.send(
            .post, stage.path + "/service-accounts", #"{"name":"CI","externalId":"taken"}"#)
        #expect(taken.status == 409)
        let batch = try await client.batch(
            (1...11).map { ("POST", stage.path + "/service-accounts", #"{"name":"Number \#($0)"}"#) })
        #expect(batch.results.map(\.status) == [Int](repeating: 200, count: 10) + [409])
        #expect((batch.results[10].body["message"] as? String)?.contains("at most 10 service accounts") == true)
        let reader = try await OperatorClient(stage.fixture, [.readUsers])
        #expect(try await reader.send(.get, stage.path + "/service-accounts").list.count == 10)
        let forbidden = try await reader.send(.post, stage.path + "/service-accounts", #"{"name":"CI"}"#)
        #expect(forbidden.status == 403 && forbidden.message.contains("users:write"))
    }

    @Test("It is no person: no address, no session, no portal link, no other role or workspace, and no successor")
    func noPerson() async throws {
        let stage = try await Stage()
        let client = stage.client
        let id = try await client.send(.post, stage.path + "/service-accounts", #"{"name":"CI"}"#).id
        for body in [#"{"email":"ci@example.com"}"#, #"{"emailVerified":true}"#, #"{"adopt":true}"#] {
            let reply = try await client.send(.patch, "/users/\(id)", body)
            #expect(reply.status == 422 && reply.problems.count == 1, "\(reply.text)")
        }
        let put = try await client.send(.put, "/users/\(id)", #"{"email":"ci@example.com","name":"CI"}"#)
        #expect(put.status == 422 && put.problems == ["email"])
        let other = try await client.user("other")
        let elsewhere = try #require(
            (other.data["workspaces"] as? [[String: Any]])?.first?["id"] as? String)
        let refused: [(HTTPRequest.Method, String, String)] = [
            (.post, "/users/\(id)/end-sessions", ""), (.post, "/users/\(id)/second-factor/reset", ""),
            (.post, "/portal-links", #"{"user":"\#(id)"}"#),
            (.put, stage.path + "/members/\(id)", #"{"role":"owner"}"#),
            (.put, stage.path + "/members/\(id)", #"{"role":"admin"}"#),
            (.put, "/workspaces/\(elsewhere)/members/\(id)", #"{"role":"member"}"#),
            (.delete, stage.path + "/members/\(id)", ""),
            (.post, "/workspaces", #"{"name":"Team","owner":"\#(id)"}"#),
        ]
        for (method, path, body) in refused {
            let reply = try await client.send(method, path, body)
            #expect(reply.status == 409 && reply.message.contains("service account"), "\(path) \(reply.text)")
        }
        let successor = try await client.send(
            .delete, "/users/\(stage.ada.user.id)", #"{"transferTo":"\#(id)"}"#)
        #expect(successor.status == 422 && successor.problems == ["transferTo"])
        // What would leave it without a person asks first.
        #expect(try await client.send(.delete, "/users/\(stage.ada.user.id)").status == 409)
        let renamed = try await client.send(.patch, "/users/\(id)", #"{"name":"Machine","externalId":"m"}"#)
        #expect(renamed.data["name"] as? String == "Machine" && renamed.data["externalId"] as? String == "m")
        #expect(renamed.data["kind"] as? String == "service")
    }

    @Test("It goes with its workspace, and with the last Owner who says so; its key is refused when the answer arrives")
    func ends() async throws {
        let stage = try await Stage()
        let (client, fixture) = (stage.client, stage.fixture)
        func key(_ path: String) async throws -> (id: String, key: String) {
            let id = try await client.send(.post, path + "/service-accounts", #"{"name":"CI"}"#).id
            let revealed = try await client.send(.post, "/users/\(id)/key/reveal")
            return (id, try #require(revealed.data["key"] as? String))
        }
        func status(_ key: String) async throws -> Int {
            try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"]).status
        }
        let owner = stage.ada.user.id
        let body = #"{"name":"Testing","owner":"\#(owner)","plan":"pro"}"#
        let second = "/workspaces/\(try await client.send(.post, "/workspaces", body).id)"
        let (first, other) = (try await key(stage.path), try await key(second))
        #expect(try await status(first.key) == 200)
        #expect(try await status(other.key) == 200)
        #expect(try await client.send(.delete, second).status == 204)
        #expect(try await status(other.key) == 401)
        #expect(try await client.send(.get, "/users/\(other.id)").status == 404)
        #expect(try await status(first.key) == 200)
        let gone = try await client.send(.delete, "/users/\(owner)", #"{"deleteWorkspaces":true}"#)
        #expect(gone.status == 204)
        #expect(try await status(first.key) == 401)
        #expect(try await client.send(.get, "/users?kind=service").list.isEmpty)
    }
}
