import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The lists of the ``DirectoryService``: limits, cursors, filters, and ``AuditEventJSON``.
@Suite struct OperatorListTests {
    @Test("A cursor goes through the whole list, and belongs to one")
    func cursors() async throws {
        let client = try await OperatorClient(try ServerFixture())
        for number in 0..<5 { try await client.user("u\(number)") }
        for (path, size) in [("/users", 5), ("/workspaces", 5), ("/audit", 6)] {
            var (ids, cursor, parts): ([String], String?, Int) = ([], nil, 0)
            repeat {
                let page = try await client.send(.get, path + "?limit=2" + (cursor.map { "&cursor=\($0)" } ?? ""))
                #expect(page.status == 200 && page.meta["limit"] as? Int == 2)
                ids += page.list.compactMap { $0["id"] as? String }
                cursor = page.meta["nextCursor"] as? String
                #expect(page.meta["hasMore"] as? Bool == (cursor != nil))
                parts += 1
            } while cursor != nil
            #expect(Set(ids).count == size && ids.count == size && parts == 3, "\(path)")
            #expect(try await client.send(.get, path).list.count == size)
            for bad in ["", "x", "0", "-1", "1e3", "%20", "MSAy%21", String(repeating: "a", count: 300), "AAAA", "="]
            where !(bad == "" && path != "/audit") {
                let refused = try await client.send(.get, path + "?cursor=\(bad)")
                #expect(refused.status == 400, "\(path) \(bad) \(refused.text.prefix(100))")
            }
        }
    }

    @Test("Filters of users; one that is misspelt never answers everything")
    func filters() async throws {
        let client = try await OperatorClient(try ServerFixture())
        for number in 0..<3 { try await client.user("u\(number)") }
        try await client.send(.post, "/users/ext:u1/disable")
        func found(_ query: String) async throws -> [String] {
            let page = try await client.send(.get, "/users?" + query)
            #expect(page.status == 200 && page.meta["limit"] as? Int == 100, "\(query) \(page.text)")
            return page.list.compactMap { $0["externalId"] as? String }
        }
        let user = try await client.send(.get, "/users/ext:u2")
        let workspace = (user.data["workspaces"] as? [[String: Any]])?.first?["id"] as? String ?? ""
        let created = try #require(user.data["createdAt"] as? String)
        let cases: [(String, [String])] = [
            ("email=U2%40example.com", ["u2"]), ("email=none%40example.com", []), ("email=x", []),
            ("externalId=u0", ["u0"]), ("externalId=U0", []), ("externalId=u1&status=active", []),
            ("externalId=u1&status=disabled", ["u1"]), ("externalId=u1&email=u2%40example.com", []),
            ("status=active", ["u0", "u2"]), ("workspace=\(workspace)", ["u2"]), ("workspace=ext:none", []),
            ("plan=free", ["u0", "u1", "u2"]), ("plan=pro", []), ("workspace=\(workspace)&plan=pro", []),
        ]
        for (query, ids) in cases { #expect(try await found(query).sorted() == ids, "\(query)") }
        // Times as answers write them.
        #expect(try await found("createdAfter=\(created)").contains("u2"))
        #expect(try await found("createdAfter=2099-01-01T00:00:00Z") == [])
        #expect(try await found("updatedAfter=2000-01-01T00:00:00Z").count == 3)
        #expect(try await found("externalId=u2&createdAfter=2099-01-01T00:00:00Z") == [])
        for bad in [
            "emial=x", "status=Active", "status=", "limit=0", "limit=1001", "limit=-1", "limit=x", "limit=01",
            "limit=1.0", "workspace=x", "externalId=a%2Fb", "externalId=", "createdAfter=yesterday", "createdAfter=",
            "createdAfter=1700000000", "updatedAfter=2026-13-01T00:00:00Z", "createdAfter=99999999999-01-01T00:00:00Z",
            "page=2", "createdAfter=2026-01-01",
        ] {
            let refused = try await client.send(.get, "/users?" + bad)
            #expect(refused.status == 400, "\(bad) \(refused.text.prefix(200))")
        }
    }

    @Test("updatedAfter also lists what is up to 60 seconds older")
    func overlap() async throws {
        let clock = TestClock()
        let fixture = try ServerFixture(clocks: clock.clocks)
        let client = try await OperatorClient(fixture)
        try await client.user("42")
        let start = clock.clocks.wall()
        for (seconds, isListed) in [(0, true), (60, true), (61, false)] as [(Int64, Bool)] {
            var filter = UserFilter()
            filter.updatedAfter = start.advanced(by: .seconds(seconds))
            let page = try await fixture.services.directory.users(matching: filter, limit: 10)
            #expect(page.entries.isEmpty == !isListed, "\(seconds)")
            var workspaces = WorkspaceFilter()
            workspaces.updatedAfter = filter.updatedAfter
            let found = try await fixture.services.directory.workspaces(matching: workspaces, limit: 10)
            #expect(found.entries.isEmpty == !isListed, "\(seconds)")
        }
    }

    @Test("Filters of workspaces, together")
    func workspaces() async throws {
        let client = try await OperatorClient(try ServerFixture())
        try await client.user("u")
        try await client.send(.put, "/workspaces/ext:w", #"{"name":"Team","owner":"ext:u","plan":"pro"}"#)
        func found(_ query: String) async throws -> Int {
            let page = try await client.send(.get, "/workspaces?" + query)
            #expect(page.list.allSatisfy { $0["members"] as? Int == 1 }, "\(query)")
            return page.status == 200 ? page.list.count : -page.status
        }
        let cases = [
            ("", 2), ("externalId=w", 1), ("externalId=none", 0), ("externalId=w&status=suspended", 0),
            ("externalId=w&plan=free", 0), ("externalId=w&plan=pro&user=ext:u&status=active", 1), ("plan=pro", 1),
            ("user=ext:u", 2), ("user=ext:none", 0), ("status=suspended", 0), ("status=x", -400), ("user=x", -400),
            ("externalId=a%2Fb", -400), ("nmae=x", -400),
        ]
        for (query, count) in cases { #expect(try await found(query) == count, "\(query)") }
    }

    @Test("Who follows the audit log by position misses nothing, and always has a cursor to go on with")
    func followedAudit() async throws {
        let fixture = try ServerFixture()
        let client = try await OperatorClient(fixture)
        func page(_ query: String) async throws -> (ids: [String], next: String, hasMore: Bool?) {
            let page = try await client.send(.get, "/audit?order=oldest&" + query)
            #expect(page.status == 200, "\(query) \(page.text)")
            let next = try #require(page.meta["nextCursor"] as? String)
            return (page.list.compactMap { $0["id"] as? String }, next, page.meta["hasMore"] as? Bool)
        }
        // Nothing has a position yet: the token's own event neither.
        let before = try await page("")
        #expect(before.ids.isEmpty && before.hasMore == false)
        let user = try await client.user("42")
        #expect(try await client.send(.get, "/audit").list.allSatisfy { $0["position"] is NSNull })
        let sealer = fixture.services.audit.sealer
        while try await client.send(.get, "/audit").list.contains(where: { $0["position"] is NSNull }) {
            try await sealer.sealAll()
        }
        let newestFirst = try await client.send(.get, "/audit").list
        #expect(newestFirst.map { $0["position"] as? Int } == [2, 1])
        let first = try await page("limit=1&cursor=\(before.next)")
        #expect(first.hasMore == true)
        let second = try await page("limit=1&cursor=\(first.next)")
        #expect(first.ids + second.ids == newestFirst.reversed().compactMap { $0["id"] as? String })
        #expect(second.hasMore == false)
        let end = try await page("cursor=\(second.next)")
        #expect(end.ids.isEmpty && end.next == second.next && end.hasMore == false)
        try await client.send(.post, "/users/ext:42/disable")
        while try await page("cursor=\(end.next)").ids.isEmpty { try await sealer.sealAll() }
        #expect(try await page("user=\(user.id)").ids.count == 2)
        for bad in ["cursor=1", "cursor=p", "cursor=p-1", "cursor=px", "order=old", "order="] {
            let query = bad.hasPrefix("order") ? bad : "order=oldest&" + bad
            #expect(try await client.send(.get, "/audit?" + query).status == 400, "\(bad)")
        }
        #expect(try await client.send(.get, "/audit?cursor=\(end.next)").status == 400, "it is of the other order")
    }

    @Test("The audit log: newest first, of one account, also where that is gone")
    func audit() async throws {
        let client = try await OperatorClient(try ServerFixture())
        let user = try await client.user("42")
        try await client.user("43")
        try await client.send(.delete, "/users/ext:42")
        let events = try await client.send(.get, "/audit?user=\(user.id)")
        #expect(events.list.compactMap { $0["action"] as? String } == ["user.deleted", "user.created"])
        for event in events.list {
            #expect(event["actor"] as? String == client.token.id.rawValue && event["user"] as? String == user.id)
            #expect(event["address"] is NSNull && (event["id"] as? String)?.hasPrefix("evt_") == true, "erased")
        }
        let other = try await client.send(.get, "/audit?user=ext:43").list
        #expect(other.map { $0["address"] as? String } == ["127.0.0.1"])
        #expect(try await client.send(.get, "/audit?user=ext:42").status == 404)
        #expect(try await client.send(.get, "/audit?user=42").status == 400)
        #expect(try await client.send(.get, "/audit").list.count == 4)
    }
}
