import Foundation
import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// Users and workspaces that are deleted, and ``PersonalDataJSON`` before that.
@Suite struct UserDeletionTests {
    private struct Stage {
        let fixture: ServerFixture
        let client: OperatorClient
        let team: String

        /// An Owner, a member, and their workspace.
        init() async throws {
            fixture = try ServerFixture()
            client = try await OperatorClient(fixture)
            try await client.user("owner")
            try await client.user("member")
            let made = try await client.send(
                .post, "/workspaces", #"{"name":"Team","owner":"ext:owner","externalId":"team","plan":"pro"}"#)
            team = made.id
            try await client.send(.put, "/workspaces/ext:team/members/ext:member", #"{"role":"member"}"#)
        }

        func key(_ user: String) async throws -> String {
            try await client.send(.post, "/users/\(user)/key/reveal").data["key"] as? String ?? ""
        }

        func status(_ key: String, _ path: String = "/api/v1/me") async throws -> Int {
            try await fixture.respond(.get, path, [.authorization: "Bearer \(key)"]).status
        }
    }

    @Test(
        "To make somebody an Owner, or to delete others' workspaces, needs workspaces:write; an export needs audit:read"
    )
    func scopes() async throws {
        let stage = try await Stage()
        let plain = try await OperatorClient(stage.fixture, [.readUsers, .writeUsers])
        for body in [#"{"transferTo":"ext:member"}"#, #"{"deleteWorkspaces":true}"#] {
            let refused = try await plain.send(.delete, "/users/ext:owner", body)
            #expect(refused.status == 403 && refused.message.contains("workspaces:write"))
        }
        let export = try await plain.send(.get, "/users/ext:owner/export")
        #expect(export.status == 403 && export.message.contains("audit:read"))
        let both = try await OperatorClient(stage.fixture, [.readUsers, .readAudit])
        #expect(try await both.send(.get, "/users/ext:owner/export").status == 200)
    }

    @Test(
        "An Owner who is disabled is none: the last one who can act neither leaves nor is deleted without a successor")
    func lastActiveOwner() async throws {
        let stage = try await Stage()
        let client = stage.client
        try await client.send(.put, "/workspaces/ext:team/members/ext:member", #"{"role":"owner"}"#)
        try await client.send(.post, "/users/ext:member/disable")
        // Where nobody is left who can act, the operator still adds and removes members.
        try await client.user("guest")
        try await client.send(.post, "/users/ext:owner/disable")
        let guest = "/workspaces/ext:team/members/ext:guest"
        #expect(try await client.send(.put, guest, #"{"role":"member"}"#).status == 204)
        #expect(try await client.send(.delete, guest).status == 204)
        try await client.send(.post, "/users/ext:owner/enable")
        #expect(try await client.send(.delete, "/workspaces/ext:team/members/ext:owner").status == 409)
        #expect(try await client.send(.delete, "/users/ext:owner").status == 409)
        try await client.send(.post, "/users/ext:member/enable")
        #expect(try await client.send(.delete, "/workspaces/ext:team/members/ext:owner").status == 204)
    }

    @Test("The last Owner of others is deleted when the request says who follows, or that the workspaces go too")
    func lastOwner() async throws {
        let stage = try await Stage()
        let client = stage.client
        let key = try await stage.key("ext:owner")
        for body in ["", "{}", #"{"deleteWorkspaces":false}"#] {
            let refused = try await client.send(.delete, "/users/ext:owner", body)
            #expect(refused.error == "CONFLICT" && refused.message.contains("\(stage.team) ('Team')"), "\(body)")
        }
        let wrong: [(String, [String])] = [
            (#"{"transferTo":null}"#, ["transferTo"]), (#"{"transferTo":0}"#, ["transferTo"]),
            (#"{"transferTo":"member"}"#, ["transferTo"]), (#"{"transferTo":"ext:none"}"#, ["transferTo"]),
            (#"{"transferTo":"ext:owner"}"#, ["transferTo"]), (#"{"deleteWorkspaces":null}"#, ["deleteWorkspaces"]),
            (#"{"deleteWorkspaces":1}"#, ["deleteWorkspaces"]), (#"{"transfer":"ext:member"}"#, ["transfer"]),
            (#"{"transferTo":"ext:member","deleteWorkspaces":true}"#, ["deleteWorkspaces"]),
        ]
        for (body, problems) in wrong {
            let refused = try await client.send(.delete, "/users/ext:owner", body)
            #expect(refused.status == 422 && refused.problems == problems, "\(body) \(refused.text)")
        }
        #expect(try await client.send(.delete, "/users/ext:owner", "[]").status == 400)
        #expect(try await client.send(.delete, "/users/ext:owner", "{}", type: "text/plain").status == 415)
        #expect(try await stage.status(key) == 200, "nothing has happened")
        let body = #"{"transferTo":"ext:member"}"#
        #expect(try await client.send(.delete, "/users/ext:owner", body, key: "one").status == 204)
        #expect(try await client.send(.delete, "/users/ext:owner", body, key: "one").status == 204, "done before")
        #expect(try await stage.status(key) == 401)
        let members = try await client.send(.get, "/workspaces/ext:team/members").list
        #expect(members.map { $0["role"] as? String } == ["owner"])
        // Next, the workspace goes as well; the other member's own stays.
        try await client.user("guest")
        try await client.send(.put, "/workspaces/ext:team/members/ext:guest", #"{"role":"admin"}"#)
        let guest = try await stage.key("ext:guest")
        #expect(try await stage.status(guest, "/api/v1/workspaces/\(stage.team)") == 200)
        let gone = try await client.send(.delete, "/users/ext:member", #"{"deleteWorkspaces":true}"#)
        #expect(gone.status == 204)
        #expect(try await stage.status(guest, "/api/v1/workspaces/\(stage.team)") != 200)
        #expect(try await client.send(.get, "/workspaces/ext:team").status == 404)
        #expect((try await client.send(.get, "/users/ext:guest").data["workspaces"] as? [Any])?.count == 1)
    }

    @Test("What tells who it was is erased when the answer arrives, alone and in a batch; the address starts clean")
    func erased() async throws {
        let stage = try await Stage()
        let client = stage.client
        var ids: [String] = []
        for user in ["member", "other"] {
            let id = try await client.user(user).id
            ids.append(id)
            let account = try await stage.fixture.services.accounts.account(UserID(rawValue: id))
            _ = try await stage.fixture.services.sessions.start(
                for: account, from: IPAddress(v4: 0xC633_6401), userAgent: "Browser")
            _ = try await stage.key("ext:\(user)")
            let events = try await client.send(.get, "/audit?user=\(id)").list
            #expect(events.contains { $0["address"] is String })
        }
        #expect(try await client.send(.delete, "/users/ext:member").status == 204)
        #expect(try await client.batch([("DELETE", "/users/ext:other", nil)]).results.map(\.status) == [204])
        for id in ids {
            let events = try await client.send(.get, "/audit?user=\(id)&limit=100").list
            #expect(events.count >= 4 && events.allSatisfy { $0["address"] is NSNull && $0["user"] as? String == id })
            #expect(events[0]["action"] as? String == "user.deleted")
        }
        let again = try await client.user("member")
        #expect(again.status == 200 && !ids.contains(again.id) && again.version == 1)
        let old = try await stage.fixture.store.engine.read { connection in
            try connection.rows(SQL("SELECT count(*) AS count FROM erasures"))[0].requiredNumber("count")
        }
        #expect(old == 0)
    }

    @Test("A deleted workspace lets no key pass when the answer arrives")
    func workspace() async throws {
        let stage = try await Stage()
        let client = stage.client
        let key = try await stage.key("ext:member")
        let path = "/api/v1/workspaces/\(stage.team)"
        #expect(try await stage.status(key, path) == 200)
        let link = try await client.send(.post, "/portal-links", #"{"user":"ext:member","workspace":"ext:team"}"#)
        #expect(link.status == 200)
        for (body, version, status) in [(#"{"a":1}"#, nil, 422), ("", "9", 409), ("", "x", 400)] {
            let refused = try await client.send(.delete, "/workspaces/ext:team", body, ifMatch: version)
            #expect(refused.status == status, "\(body)")
        }
        #expect(try await client.send(.delete, "/workspaces/ext:none").status == 404)
        #expect(try await stage.status(key, path) == 200)
        #expect(try await client.send(.delete, "/workspaces/ext:team", key: "one", ifMatch: "1").status == 204)
        #expect(try await client.send(.delete, "/workspaces/ext:team", key: "one", ifMatch: "1").status == 204)
        #expect(try await stage.status(key, path) == 404)
        #expect(try await client.send(.get, "/workspaces/ext:team").status == 404)
        #expect(try await client.send(.get, "/users/ext:owner").status == 200)
        let code = try #require((link.data["url"] as? String)?.split(separator: "=").last)
        let digest = try #require(PortalCode(parsing: code)).digest
        let found = try await stage.fixture.store.portalLink(codeDigest: digest, now: Clocks.system.wall())
        #expect(found?.link.isUsable(at: Clocks.system.wall()) == false, "its link has ended")
        let event = try await client.send(.get, "/audit").list.first
        #expect(event?["action"] as? String == "workspace.deleted" && event?["workspace"] as? String == stage.team)
        // The same id can be given again.
        let again = #"{"name":"Team","owner":"ext:owner","externalId":"team"}"#
        #expect(try await client.send(.post, "/workspaces", again).status == 200)
    }

    @Test("An export is one document of all that is kept, and no secret is in it")
    func export() async throws {
        let stage = try await Stage()
        let client = stage.client
        let key = try await stage.key("ext:member")
        let id = try await client.send(.get, "/users/ext:member").id
        let account = try await stage.fixture.services.accounts.account(UserID(rawValue: id))
        let session = try await stage.fixture.services.sessions.start(
            for: account, from: IPAddress(v4: 0xC633_6401), userAgent: "Browser")
        let link = try await client.send(.post, "/portal-links", #"{"user":"ext:member","expiresIn":300}"#)
        let found = try await client.send(.get, "/users/ext:member/export")
        #expect(found.status == 200 && found.headers[.cacheControl] == "no-store")
        let user = found.data["user"] as? [String: Any] ?? [:]
        #expect(user["id"] as? String == id && user["externalId"] as? String == "member")
        #expect((user["workspaces"] as? [Any])?.count == 2 && user["key"] != nil)
        let sessions = found.data["sessions"] as? [[String: Any]] ?? []
        #expect(sessions.count == 1 && sessions[0]["address"] as? String == "198.51.100.1")
        let links = found.data["portalLinks"] as? [[String: Any]] ?? []
        #expect(links.map { $0["id"] as? String } == [link.id] && links[0]["usedAt"] is NSNull)
        let audit = found.data["audit"] as? [[String: Any]] ?? []
        #expect(audit.contains { $0["action"] as? String == "key.revealed" })
        #expect(audit.allSatisfy { $0["user"] as? String == id || $0["actor"] as? String == id })
        #expect(found.data["auditIsCut"] as? Bool == false)
        let code = (link.data["url"] as? String)?.split(separator: "=").last.map(String.init) ?? ""
        for secret in [key, session.token.characters, code] { #expect(!found.text.contains(secret)) }
        #expect(try await client.send(.get, "/users/ext:none/export").status == 404)
    }
}
