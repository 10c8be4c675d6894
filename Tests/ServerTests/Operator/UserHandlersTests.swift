import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``UserHandlers``: the users of the operator API, by ``UserWrites`` of the ``WriteService``, as ``UserJSON``; and
/// ``WindowHeir``, for those who are made again.
@Suite struct UserHandlersTests {
    @Test("A user is made with a key and a workspace, and without a password")
    func made() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let body = #"{"email":"Ada@Example.com","name":" Ada ","externalId":"42","emailVerified":true}"#
        let made = try await client.send(.post, "/users", body)
        #expect(made.status == 200 && made.headers[.cacheControl] == "no-store")
        #expect(made.data["email"] as? String == "ada@example.com" && made.data["name"] as? String == "Ada")
        #expect(made.data["emailVerified"] as? Bool == true && made.data["hasPassword"] as? Bool == false)
        #expect(made.data["externalId"] as? String == "42" && made.version == 1)
        #expect((made.data["workspaces"] as? [Any])?.count == 1)
        #expect(!made.text.contains("tdc_") || (made.data["key"] as? [String: Any])?["key"] == nil)
        for path in ["/users/ext:42", "/users/\(made.id)"] {
            #expect(try await client.send(.get, path).text == made.text)
        }
        // No password signs it in, the empty one least of all.
        for password in ["", "long enough secret"] {
            let refused = await #expect(throws: KeybearerError.self) {
                try await fixture.services.signIn.withPassword(
                    email: "ada@example.com", password: Password(password), from: .localSocket, userAgent: "")
            }
            #expect(refused?.code == .unauthorized)
        }
        #expect(try await client.send(.post, "/users", body).error == "CONFLICT")
        let other = #"{"email":"eve@example.com","name":"Eve","externalId":"42"}"#
        #expect(try await client.send(.post, "/users", other).error == "CONFLICT")
        #expect(try await client.send(.get, "/users/ext:43").error == "NOT_FOUND")
        #expect(try await client.send(.get, "/users/42").error == "NOT_FOUND")
    }

    @Test("PUT again changes nothing, and revives nothing")
    func replaced() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let first = try await client.user("42", verified: true)
        #expect(try await client.send(.post, "/users/ext:42/disable").data["status"] as? String == "disabled")
        let disabled = try await client.send(.get, "/users/ext:42")
        #expect(disabled.version == 2)
        for _ in 0..<3 {
            #expect(try await client.user("42", verified: true).text == disabled.text)
        }
        let plain = #"{"email":"42@example.com","name":"Ada"}"#
        #expect(try await client.send(.put, "/users/ext:42", plain).text == disabled.text, "still verified")
        #expect(try await client.send(.post, "/users/ext:42/disable").version == 2)
        let events = try await fixture.services.directory.auditEvents(
            of: UserID(rawValue: first.id), limit: 100
        ).entries.map(\.action)
        #expect(events == [.userDisabled, .userCreated])
        // The next PUT would not find it again.
        let cleared = #"{"email":"42@example.com","name":"Ada","externalId":null}"#
        #expect(try await client.send(.put, "/users/ext:42", cleared).problems == ["externalId"])
        #expect(try await client.send(.get, "/users/ext:42").text == disabled.text)
        // By our id it replaces all three: what is not sent of them is cleared.
        let replaced = try await client.send(.put, "/users/\(first.id)", #"{"email":"eve@example.com","name":"Eve"}"#)
        #expect(replaced.data["externalId"] is NSNull && replaced.data["emailVerified"] as? Bool == false)
        #expect(replaced.data["status"] as? String == "disabled" && replaced.version == 3)
        let unknown = UserID.random(from: .system).rawValue
        #expect(try await client.send(.put, "/users/\(unknown)", plain).error == "NOT_FOUND")
        // What is new has the id of the path, so that the next PUT finds it.
        for sent in [#""43""#, "null"] {
            let body = #"{"email":"bob@example.com","name":"Bob","externalId":\#(sent)}"#
            #expect(try await client.send(.put, "/users/ext:bob", body).problems == ["externalId"])
        }
    }

    @Test("An account of somebody who signed up with an address is not given away: by no link, and by no word for it")
    func squatted() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let plain = try await OperatorClient(fixture, [.readUsers, .writeUsers])
        for body in [#"{"externalId":"v"}"#, #"{"emailVerified":true}"#] {
            let email = "victim\(body.count)@example.com"
            let made = try await fixture.services.accounts.create(
                name: "Squatter", email: email, password: Password("long enough secret"),
                by: Authority(.anyone, from: IPAddress(v4: 1)))
            let key = try await fixture.services.keys.reveal(made.user.id, by: .commandLine).characters
            let path = "/users/\(made.user.id)"
            #expect(try await plain.send(.patch, path, #"{"name":"Somebody"}"#).status == 200, "a name gives nothing")
            let refused = try await client.send(.patch, path, body)
            #expect(refused.status == 409 && refused.message.contains("adopt"), "\(body)")
            let whole = String(body.dropLast()) + #","adopt":true}"#
            #expect(try await plain.send(.patch, path, whole).status == 403)
            let taken = try await client.send(.patch, path, whole)
            #expect(taken.status == 200 && taken.data["hasPassword"] as? Bool == false)
            #expect(try await fixture.services.keys.reveal(made.user.id, by: .commandLine).characters != key)
            let again = try await client.send(.patch, path, body)
            #expect(again.status == 200, "nothing is left to be taken")
        }
    }

    @Test(
        "Whom the squatter let in goes first: an Owner beside it, a service account; its invitations end by themselves")
    func squattedWithOthers() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let made = try await fixture.services.accounts.create(
            name: "Squatter", email: "victim@example.com", password: Password("long enough secret"),
            by: Authority(.anyone, from: IPAddress(v4: 1)))
        let (id, workspace) = (made.user.id, made.workspaces[0].workspace.id)
        let friend = try await fixture.account("friend@example.com").account
        let code = try await fixture.services.invitations.invite(
            "late@example.com", as: .owner, to: workspace, by: made.user, authority: .commandLine
        ).code
        let adopt = #"{"email":"victim@example.com","name":"Vic","adopt":true}"#
        func refused() async throws -> Bool {
            let reply = try await client.send(.put, "/users/ext:v", adopt)
            return reply.status == 409 && reply.message.contains("Other people or service accounts")
        }
        let member = "/workspaces/\(workspace)/members/\(friend.user.id)"
        #expect(try await client.send(.put, member, #"{"role":"owner"}"#).status == 204)
        #expect(try await refused())
        #expect(try await client.send(.delete, member).status == 204)
        let service = try await client.send(
            .post, "/workspaces/\(workspace)/service-accounts", #"{"name":"Testing"}"#)
        #expect(try await refused())
        #expect(try await client.send(.delete, "/users/\(service.id)").status == 204)
        #expect(try await client.send(.put, "/users/ext:v", adopt).id == id.rawValue)
        #expect(try await fixture.services.invitations.find(code)?.end == .withdrawn)
    }

    @Test("PATCH: null clears, absent stays, unknown and wrong members change nothing")
    func patched() async throws {
        let client = try await OperatorClient(try ServerFixture())
        let before = try await client.user("42")
        let path = "/users/\(before.id)"
        let wrong: [(String, [String])] = [
            (#"{"nmae":"Eve"}"#, ["nmae"]), (#"{"name":"Eve","status":"disabled"}"#, ["status"]),
            (#"{"name":null}"#, ["name"]), (#"{"name":0}"#, ["name"]), (#"{"name":""}"#, ["name"]),
            (#"{"email":null}"#, ["email"]), (#"{"email":"x"}"#, ["email"]),
            (#"{"emailVerified":1}"#, ["emailVerified"]),
            (#"{"emailVerified":null}"#, ["emailVerified"]), (#"{"emailVerified":"true"}"#, ["emailVerified"]),
            (#"{"externalId":""}"#, ["externalId"]), (#"{"externalId":0}"#, ["externalId"]),
            (#"{"externalId":"a/b","name":1}"#, ["externalId", "name"]), (#"{"adopt":1}"#, ["adopt"]),
            (#"{"operator":true,"hasPassword":false}"#, ["hasPassword", "operator"]),
        ]
        for (body, problems) in wrong {
            let refused = try await client.send(.patch, path, body)
            #expect(refused.status == 422 && refused.problems == problems, "\(body) \(refused.text)")
        }
        for body in ["[]", "x", "null"] { #expect(try await client.send(.patch, path, body).status == 400) }
        #expect(try await client.send(.patch, path, "{}", type: "text/plain").status == 415)
        #expect(try await client.send(.patch, path, "{}").text == before.text)
        #expect(try await client.send(.get, path).text == before.text)
        let renamed = try await client.send(.patch, path, #"{"name":"Eve"}"#)
        #expect(renamed.data["externalId"] as? String == "42" && renamed.version == 2)
        let cleared = try await client.send(.patch, path, #"{"externalId":null}"#)
        #expect(cleared.data["externalId"] is NSNull && cleared.data["name"] as? String == "Eve")
        #expect(try await client.send(.get, "/users/ext:42").status == 404)
        #expect(try await client.send(.patch, path, #"{"emailVerified":true}"#).data["emailVerified"] as? Bool == true)
        let moved = try await client.send(.patch, path, #"{"email":"eve@example.com"}"#)
        #expect(moved.data["emailVerified"] as? Bool == false, "nobody has said so of this one")
    }

    @Test("If-Match refuses a stale version, and If-Match on what is not there creates nothing")
    func versions() async throws {
        let client = try await OperatorClient(try ServerFixture())
        try await client.user("42")
        let body = #"{"email":"42@example.com","name":"Eve"}"#
        for method in [HTTPRequest.Method.put, .patch] {
            for stale in [#""9""#, "9"] {
                let refused = try await client.send(method, "/users/ext:42", body, ifMatch: stale)
                #expect(refused.status == 409 && refused.message.contains("If-Match"))
            }
            for wrong in ["", "x", #""0""#, "*", "W/\"1\"", #""1","2""#, "-1"] {
                #expect(try await client.send(method, "/users/ext:42", body, ifMatch: wrong).status == 400, "\(wrong)")
            }
        }
        #expect(try await client.send(.put, "/users/ext:42", body, ifMatch: #""1""#).version == 2)
        #expect(try await client.send(.patch, "/users/ext:42", #"{"name":"Bob"}"#, ifMatch: "2").version == 3)
        let new = #"{"email":"bob@example.com","name":"Bob"}"#
        #expect(try await client.send(.put, "/users/ext:bob", new, ifMatch: "1").status == 409)
        #expect(try await client.send(.get, "/users/ext:bob").status == 404)
    }

    @Test("If-Match is looked at by every write about a record, and refused where it is not")
    func versionsEverywhere() async throws {
        let client = try await OperatorClient(try ServerFixture())
        let user = try await client.user("42")
        let workspaces = user.data["workspaces"] as? [[String: Any]]
        let workspace = "/workspaces/\(try #require(workspaces?.first?["id"] as? String))"
        let member = "\(workspace)/members/ext:42"
        let calls: [(HTTPRequest.Method, String, String)] = [
            (.post, "/users/ext:42/disable", ""), (.post, "/users/ext:42/enable", ""),
            (.post, "/users/ext:42/key/regenerate", ""), (.put, "/users/ext:42/limit", #"{"hourlyLimit":5}"#),
            (.put, "/users/ext:42/networks", #"{"networks":null}"#), (.post, workspace + "/suspend", ""),
            (.post, workspace + "/resume", ""), (.put, workspace + "/limit", #"{"hourlyLimit":5}"#),
            (.put, workspace + "/plan", #"{"plan":"pro"}"#), (.put, member, #"{"role":"owner"}"#),
            (.delete, member, ""), (.delete, "/users/ext:42", ""), (.delete, workspace, ""),
        ]
        for (method, path, body) in calls {
            let refused = try await client.send(method, path, body, ifMatch: "9")
            #expect(refused.status == 409 && refused.message.contains("If-Match"), "\(method) \(path) \(refused.text)")
        }
        #expect(try await client.send(.get, "/users/ext:42").text == user.text)
        for (method, path, body) in [
            (HTTPRequest.Method.post, "/users/ext:42/end-sessions", ""), (.post, "/users/ext:42/quota/reset", ""),
            (.post, "/users", #"{"email":"x@example.com","name":"X"}"#), (.delete, "/plans/none", ""),
        ] {
            let refused = try await client.send(method, path, body, ifMatch: "1")
            #expect(refused.status == 400 && refused.message.contains("If-Match is not looked at"), "\(path)")
        }
        #expect(try await client.send(.post, "/users/ext:42/disable", ifMatch: "1").version == 2)
        #expect(try await client.send(.delete, "/users/ext:42", ifMatch: "2").status == 204)
    }

    @Test("A method that a path does not have is 405, whatever the token is good for")
    func wrongMethod() async throws {
        let client = try await OperatorClient(try ServerFixture(), [.readUsers])
        for _ in 0..<5 { #expect(try await client.send(.delete, "/users").status == 405) }
    }

    @Test("Whoever is made again begins with the hour that was used, and not with a fresh one")
    func noSecondHour() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        func remaining(_ id: String) async throws -> Int? {
            let key = try await fixture.services.keys.reveal(UserID(rawValue: id), by: .commandLine).characters
            let header = try #require(HTTPField.Name("X-RateLimit-Remaining"))
            return try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"]).headers[header]
                .flatMap { Int($0) }
        }
        var ids: [String] = []
        for _ in 0..<2 {
            let user = try await client.user("42")
            let workspaces = user.data["workspaces"] as? [[String: Any]]
            let workspace = try #require(workspaces?.first?["id"] as? String)
            _ = try await client.send(.put, "/workspaces/\(workspace)/plan", #"{"plan":"pro"}"#)
            ids.append(user.id)
            let left = try #require(try await remaining(user.id))
            // The two of the first one count, and what the server had reserved for it.
            #expect(ids.count == 1 ? left == 999 : left <= 997)
            if ids.count == 1 {
                #expect(try await remaining(user.id) == 998)
                #expect(try await client.send(.delete, "/users/ext:42").status == 204)
            }
        }
        #expect(Set(ids).count == 2)
    }

    @Test("A verified address and a take-over need users:identity")
    func identity() async throws {
        let fixture = try ServerFixture()
        let plain = try await OperatorClient(fixture, [.readUsers, .writeUsers])
        let client = try await OperatorClient(fixture)
        for body in [
            #"{"email":"a@example.com","name":"A","emailVerified":true}"#,
            #"{"email":"a@example.com","name":"A","adopt":true}"#,
        ] {
            let refused = try await plain.send(.put, "/users/ext:a", body)
            #expect(refused.status == 403 && refused.message.contains("users:identity"))
        }
        #expect(try await plain.user("a").data["emailVerified"] as? Bool == false)
        #expect(try await plain.send(.patch, "/users/ext:a", #"{"emailVerified":true}"#).status == 403)
        #expect(try await plain.send(.put, "/users/ext:a", #"{"email":"a@example.com","name":"A"}"#).status == 200)

        // Somebody signed up here first with the address of the product's user.
        let signUp = try await fixture.services.signIn.signUp(
            name: "Mallory", email: "victim@example.com", password: Password("long enough secret"),
            from: .localSocket, userAgent: "")
        let account = signUp.signedIn.account
        let key = try await fixture.services.keys.reveal(account.user.id, by: .commandLine).characters
        let body = #"{"email":"Victim@example.com","name":"Victim"}"#
        let conflict = try await client.send(.put, "/users/ext:v", body)
        #expect(conflict.status == 409 && conflict.message.contains("adopt"))
        let adopt = #"{"email":"victim@example.com","name":"Victim","adopt":true}"#
        #expect(try await plain.send(.put, "/users/ext:v", adopt).status == 403)
        #expect(try await fixture.services.sessions.find(signUp.token) != nil, "nothing has happened yet")
        let adopted = try await client.send(.put, "/users/ext:v", adopt)
        #expect(adopted.id == account.user.id.rawValue && adopted.data["hasPassword"] as? Bool == false)
        #expect(adopted.data["name"] as? String == "Victim" && adopted.data["emailVerified"] as? Bool == false)
        #expect(try await fixture.services.sessions.find(signUp.token) == nil)
        let me = try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"])
        #expect(me.status == 401, "the old key is dead when the answer arrives")
        #expect(try await client.send(.put, "/users/ext:v", adopt).text == adopted.text, "again")
        #expect(try await client.send(.put, "/users/ext:w", adopt).status == 409, "it is another's now")
    }

    @Test("Status, sessions and key each have their own call")
    func calls() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let (account, key) = try await fixture.account("ada@example.com")
        let path = "/users/\(account.user.id)"
        func me(_ key: String) async throws -> Int {
            try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"]).status
        }
        #expect(try await me(key) == 200)
        #expect(try await client.send(.post, path + "/disable").data["status"] as? String == "disabled")
        #expect(try await me(key) == 401)
        #expect(try await client.send(.post, path + "/enable").data["status"] as? String == "active")
        #expect(try await me(key) == 200)
        let session = try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "")
        let ended = try await client.send(.post, path + "/end-sessions")
        #expect(ended.status == 204 && ended.text.isEmpty)
        #expect(try await fixture.services.sessions.find(session.token) == nil)
        let record = try await client.send(.get, path + "/key")
        #expect(record.data["prefix"] as? String == String(key.prefix(8)) && !record.text.contains(key))
        #expect(try await client.send(.post, path + "/key/reveal").data["key"] as? String == key)
        let blind = try await OperatorClient(fixture, [.regenerateKeys])
        let unseen = try await blind.send(.post, path + "/key/regenerate")
        #expect(unseen.status == 200 && unseen.data["key"] == nil && unseen.data["prefix"] != nil)
        #expect(try await me(key) == 401)
        let seen = try await client.send(.post, path + "/key/regenerate", key: "once")
        let new = try #require(seen.data["key"] as? String)
        #expect(try await client.send(.post, path + "/key/regenerate", key: "once").data["key"] as? String == new)
        #expect(try await me(new) == 200)
        for call in ["/disable", "/enable", "/end-sessions", "/key/reveal", "/key/regenerate"] {
            #expect(try await client.send(.post, path + call, #"{"a":1}"#).status == 422, "\(call)")
            #expect(try await client.send(.post, "/users/ext:none" + call).status == 404, "\(call)")
        }
        let events = try await client.send(.get, "/audit?user=\(account.user.id)&limit=100")
        let actions = events.list.compactMap { $0["action"] as? String }
        #expect(
            actions.count { $0 == "key.revealed" } >= 1
                && events.list[0]["actor"] as? String == client.token.id.rawValue)
        #expect(try await client.send(.delete, path).status == 204)
        #expect(try await client.send(.get, path).status == 404)
        #expect(try await me(new) == 401)
    }
}
