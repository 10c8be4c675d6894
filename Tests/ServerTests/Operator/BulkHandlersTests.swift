import Foundation
import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``BulkHandlers``: one action on every account of a filter, by ``BulkWrites``.
@Suite struct BulkHandlersTests {
    private static let actions = ["regenerate", "disable", "end-sessions"]

    /// Users on the plan Pro.
    private static func users(_ count: Int, _ client: OperatorClient) async throws -> [String] {
        let made = try await client.batch(
            (1...count).map {
                ("POST", "/users", #"{"email":"u\#($0)@example.com","name":"Ada","externalId":"\#($0)"}"#)
            })
        let ids = made.results.map { ($0.body["data"] as? [String: Any])?["id"] as? String ?? "" }
        let workspaces = made.results.compactMap {
            (($0.body["data"] as? [String: Any])?["workspaces"] as? [[String: Any]])?.first?["id"] as? String
        }
        _ = try await client.batch(workspaces.map { ("PUT", "/workspaces/\($0)/plan", #"{"plan":"pro"}"#) })
        return ids
    }

    private static let pro = #"{"filter":{"plan":"pro"},"dryRun":false}"#

    @Test("A request without a filter or without dryRun does nothing, and each member is looked at")
    func members() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        _ = try await Self.users(2, client)
        let wrong: [(String, [String])] = [
            ("{}", ["dryRun", "filter"]), (#"{"dryRun":false}"#, ["filter"]),
            (#"{"filter":{"plan":"pro"}}"#, ["dryRun"]), (#"{"filter":{},"dryRun":false}"#, ["filter"]),
            (#"{"filter":{},"dryRun":true}"#, ["filter"]), (#"{"filter":null,"dryRun":true}"#, ["filter"]),
            (#"{"filter":[],"dryRun":true}"#, ["filter"]), (#"{"filter":"pro","dryRun":true}"#, ["filter"]),
            (#"{"filter":{"plan":null},"dryRun":true}"#, ["filter.plan"]),
            (#"{"filter":{"plan":0},"dryRun":true}"#, ["filter.plan"]),
            (#"{"filter":{"plans":"pro"},"dryRun":true}"#, ["filter.plans"]),
            (#"{"filter":{"plan":"pro","kind":"x"},"dryRun":true}"#, ["filter.kind"]),
            (#"{"filter":{"createdBefore":"2026"},"dryRun":true}"#, ["filter.createdBefore"]),
            (#"{"filter":{"createdBefore":0},"dryRun":true}"#, ["filter.createdBefore"]),
            (#"{"filter":{"sealedUnder":"x"},"dryRun":true}"#, ["filter.sealedUnder"]),
            (#"{"filter":{"workspace":"ext:none"},"dryRun":true}"#, ["filter.workspace"]),
            (#"{"filter":{"workspace":"x"},"dryRun":true}"#, ["filter.workspace"]),
            (#"{"filter":{"plan":"pro"},"dryRun":null}"#, ["dryRun"]),
            (#"{"filter":{"plan":"pro"},"dryRun":0}"#, ["dryRun"]),
            (#"{"filter":{"plan":"pro"},"dryRun":true,"cursor":null}"#, ["cursor"]),
            (#"{"filter":{"plan":"pro"},"dryRun":true,"x":1}"#, ["x"]),
        ]
        let before = try await fixture.services.directory.auditEvents(of: nil, limit: 1_000).entries.count
        for action in Self.actions {
            for (body, problems) in wrong {
                let refused = try await client.send(.post, "/bulk/\(action)", body)
                #expect(refused.status == 422 && refused.problems == problems, "\(body) \(refused.text)")
            }
            #expect(try await client.send(.post, "/bulk/\(action)", Self.pro, type: "text/plain").status == 415)
            let cursor = #"{"filter":{"plan":"pro"},"dryRun":false,"cursor":"x"}"#
            #expect(try await client.send(.post, "/bulk/\(action)", cursor).status == 400)
            for filter in ["pro", "none"] {
                for isDry in [true, false] {
                    let body = #"{"filter":{"plan":"\#(filter)"},"dryRun":\#(isDry)}"#
                    #expect(try await client.send(.post, "/bulk/\(action)", body, key: "a b").status == 400)
                }
            }
            let dry = try await client.send(.post, "/bulk/\(action)", #"{"filter":{"plan":"pro"},"dryRun":true}"#)
            #expect(dry.data["count"] as? Int == 2 && dry.data["dryRun"] as? Bool == true)
        }
        #expect(try await client.send(.post, "/bulk/delete", Self.pro).status == 404)
        let after = try await fixture.services.directory.auditEvents(of: nil, limit: 1_000).entries.count
        #expect(after == before, "nothing has happened")
    }

    @Test("Keys are regenerated once for an Idempotency-Key, no answer holds one, and each account is audited")
    func regenerate() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let ids = try await Self.users(3, client)
        let outsider = try await client.user("outsider")
        let old = try await client.send(.post, "/users/ext:1/key/reveal").data["key"] as? String ?? ""
        let done = try await client.send(.post, "/bulk/regenerate", Self.pro, key: "leak")
        #expect(done.status == 200 && done.data["count"] as? Int == 3 && !done.text.contains("tdc_"))
        #expect(done.data["hasMore"] as? Bool == false && done.data["nextCursor"] is NSNull)
        #expect(try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(old)"]).status == 401)
        let new = try await client.send(.post, "/users/ext:1/key/reveal").data["key"] as? String
        #expect(new != old)
        let again = try await client.send(.post, "/bulk/regenerate", Self.pro, key: "leak")
        #expect(again.data["count"] as? Int == 0 && again.data["repeated"] as? Int == 3)
        #expect(try await client.send(.post, "/users/ext:1/key/reveal").data["key"] as? String == new)
        // The same key with another filter is another request.
        let other = #"{"filter":{"plan":"pro","createdBefore":"2100-01-01T00:00:00Z"},"dryRun":false}"#
        #expect(try await client.send(.post, "/bulk/regenerate", other, key: "leak").status == 422)
        let sealed = try #require(try await fixture.store.masterKeys().first { $0.seals }).id
        let keyed = #"{"filter":{"sealedUnder":"\#(sealed)"},"dryRun":true}"#
        #expect(try await client.send(.post, "/bulk/regenerate", keyed).data["count"] as? Int == 4)
        for id in ids {
            let events = try await client.send(.get, "/audit?user=\(id)").list
            let made = events.filter { $0["action"] as? String == "key.regenerated" }
            #expect(made.count == 1 && made[0]["actor"] as? String == client.token.id.rawValue)
        }
        let untouched = try await client.send(.get, "/audit?user=\(outsider.id)").list
        #expect(!untouched.contains { $0["action"] as? String == "key.regenerated" })
    }

    @Test("Accounts are disabled, and sessions end, of those of the filter alone")
    func others() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        let ids = try await Self.users(3, client)
        var tokens: [SessionToken] = []
        for id in ids {
            let account = try await fixture.services.accounts.account(UserID(rawValue: id))
            tokens.append(
                try await fixture.services.sessions.start(for: account, from: .localSocket, userAgent: "").token)
        }
        let workspace = ((try await client.send(.get, "/users/ext:1").data["workspaces"]) as? [[String: Any]])?[0]["id"]
        let one = #"{"filter":{"workspace":"\#(workspace as? String ?? "")"},"dryRun":false}"#
        #expect(try await client.send(.post, "/bulk/end-sessions", one).data["count"] as? Int == 1)
        var live: [Bool] = []
        for token in tokens { live.append(try await fixture.services.sessions.find(token) != nil) }
        #expect(live == [false, true, true])
        #expect(try await client.send(.post, "/users/ext:2/disable").status == 200)
        let done = try await client.send(.post, "/bulk/disable", Self.pro)
        #expect(done.data["count"] as? Int == 2, "one was disabled already")
        for id in ids {
            #expect(try await client.send(.get, "/users/\(id)").data["status"] as? String == "disabled")
        }
        #expect(try await client.send(.post, "/bulk/disable", Self.pro).data["count"] as? Int == 0)
        #expect(try await client.send(.post, "/bulk/regenerate", Self.pro).data["count"] as? Int == 3)
    }

    @Test("What one request leaves, the next one does from the cursor on")
    func parts() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        _ = try await Self.users(7, client)
        let caller = OperatorCaller(client.token, from: .localSocket)
        var filter = BulkFilter()
        filter.planID = PlanID(rawValue: "pro")
        var (cursor, counts): (String?, [Int]) = (nil, [])
        repeat {
            let outcome = try await fixture.services.writes.perform(
                .regenerate, on: filter, cursor: cursor, idempotencyKey: "one", most: 3, by: caller)
            counts.append(outcome.count)
            cursor = outcome.nextCursor
        } while cursor != nil
        #expect(counts == [3, 3, 1])
        let again = try await client.send(.post, "/bulk/regenerate", Self.pro, key: "one")
        #expect(again.data["repeated"] as? Int == 7, "by the same key")
    }

    @Test("A token that is revoked between two transactions ends the request, which says how many were done")
    func revoked() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        _ = try await Self.users(250, client)
        let counter = Counter()
        fixture.store.holdWrites { action in
            if action == .userDisabled { counter.increment() }
            if action == .userDisabled, counter.value == 2 {
                try? await fixture.services.operatorTokens.revoke(client.token.id, by: .commandLine)
            }
        }
        let reply = try await client.send(.post, "/bulk/disable", Self.pro)
        fixture.store.holdWrites(nil)
        var filter = UserFilter()
        filter.status = .disabled
        let disabled = try await fixture.services.directory.users(matching: filter, limit: 1_000).entries.count
        #expect(reply.status == 401 && reply.message.contains("done to \(disabled) accounts"), "\(reply.text)")
        #expect((1...100).contains(disabled))
    }
}
