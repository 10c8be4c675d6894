import Foundation
import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The key's page with its ``HistoryPanel``, ``PinOffer`` and ``TrialPanel``: sources, refusals, attempts with an old key, one
/// click that pins, and "Try it" (``TrialHandlers``); the same as ``KeyHistoryJSON``.
@Suite struct KeyHistoryPageTests {
    private struct Stage {
        let fixture: ServerFixture
        let account: Account
        let key: String
        let browser: PersonBrowser
        var path: String { "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks" }

        init(isEntitled: Bool = true) async throws {
            fixture = try ServerFixture { edge, _ in
                edge.trustedProxies = [AddressRange("10.9.0.0/16")].compactMap { $0 }
            }
            (account, key) = try await fixture.account("ada@example.com", isEntitled: isEntitled)
            browser = try await PersonBrowser(fixture, account)
        }

        func call(
            _ peer: String, agent: String? = nil, key other: String? = nil, _ more: HTTPFields = [:]
        ) async throws -> (status: Int, headers: HTTPFields, body: String) {
            var headers = more
            headers[.authorization] = "Bearer \(other ?? key)"
            headers[.userAgent] = agent
            return try await fixture.respond(.get, "/api/v1/me", headers, peer: peer)
        }

        func page() async throws -> String {
            await fixture.services.node?.usage.flush()
            let reply = try await browser.get(path)
            #expect(reply.status == 200 && reply.body.utf8.count < 60 * 1_024, "\(reply.body.utf8.count) bytes")
            return reply.body
        }
    }

    @Test("Sources with what the client says, escaped; the last use says it too")
    func sources() async throws {
        let stage = try await Stage()
        #expect(try await stage.page().contains("No request has used this key yet."))
        let hostile = #"</td><script>alert("1")</script>"#
        _ = try await stage.call("198.51.100.4", agent: hostile)
        _ = try await stage.call("203.0.113.5", agent: "curl/8.5.0")
        let page = try await stage.page()
        #expect(
            page.contains(
                #"<span class="address">198.51.100.4</span></th><td class="client">&lt;/td&gt;&lt;script&gt;"#))
        #expect(!page.contains("<script>alert"))
        #expect(page.contains(#"<dd class="client">curl/8.5.0</dd>"#))
        let client = try await OperatorClient(stage.fixture)
        let history = try await client.send(.get, "/users/\(stage.account.user.id)/key/history").data
        let sources = try #require(history["sources"] as? [[String: Any]])
        #expect(sources.map { $0["address"] as? String } == ["203.0.113.5", "198.51.100.4"])
        #expect(sources[0]["userAgent"] as? String == "curl/8.5.0")
        let export = try await client.send(.get, "/users/\(stage.account.user.id)/export").data
        #expect((export["keyHistory"] as? [String: Any])?["sources"] as? [[String: String]] != nil)
    }

    @Test("The gate passes on what the client says of itself")
    func gate() async throws {
        let stage = try await Stage()
        try await stage.fixture.listening { client in
            let gate = WireClient(port: client.gatePort)
            for (address, agent) in [("203.0.113.9", "Widget/1.0 (x)"), ("203.0.113.8", "")] {
                let headers = [
                    ("Authorization", "Bearer \(stage.key)"), ("X-Forwarded-Proto", "https"),
                    ("X-Forwarded-For", address), ("user-AGENT", agent),
                ]
                // Cold, then from memory.
                for _ in 0..<2 {
                    let reply = try await gate.send(WireRequest(path: "/gate", headers: headers), over: .http1)
                    #expect(reply.status == 200)
                }
            }
        }
        await stage.fixture.services.node?.usage.flush()
        let sources = try await stage.fixture.services.keys.history(of: stage.account).sources
        #expect(
            Dictionary(uniqueKeysWithValues: sources.map { ($0.address.description, $0.userAgent) })
                == ["203.0.113.9": "Widget/1.0 (x)", "203.0.113.8": ""])
    }

    @Test("Refusals with why, from where and the request's id, and what to do about each reason")
    func refusals() async throws {
        let stage = try await Stage()
        let page = try await stage.page()
        #expect(page.contains("No request with this key was refused."))
        let requestID = try #require(HTTPField.Name("X-Request-Id"))
        let foreign = try await stage.call("203.0.113.5", [HeaderName.workspaceID: "ws_none"])
        try await stage.fixture.services.keys.setAllowedNetworks(
            AllowedNetworks(parsing: ["203.0.113.0/24"]), of: stage.account.user.id, by: .commandLine)
        let elsewhere = try await stage.call("192.0.2.5")
        let refused = try await stage.page()
        for (reply, reason, advice) in [
            (foreign, "Another workspace", "Check the id in X-Workspace-Id."),
            (elsewhere, "Address", "add it to the allowed networks"),
        ] {
            let id = try #require(reply.headers[requestID])
            #expect(refused.contains("<code>\(id)</code>") && refused.contains("<td>\(reason)</td>"))
            #expect(refused.contains(advice))
        }
        for _ in 0..<30 { _ = try await stage.call("192.0.2.5") }
        await stage.fixture.services.node?.usage.flush()
        #expect(try await stage.fixture.services.keys.history(of: stage.account).refusals.count == 20)
    }

    @Test("After a regenerate: how often the old key was tried, when last and from where; its sources stay")
    func oldKey() async throws {
        let stage = try await Stage()
        _ = try await stage.call("203.0.113.5")
        await stage.fixture.services.node?.usage.flush()
        let old = stage.key
        _ = try await stage.browser.post(stage.path + "/regenerate", ["version": "1", "idempotencyKey": "one"])
        for peer in ["198.51.100.4", "198.51.100.4", "198.51.100.5"] {
            #expect(try await stage.call(peer, key: old).status == 401)
        }
        let page = try await stage.page()
        #expect(page.contains("A key that ended is still tried."))
        #expect(
            page.contains("3 requests with the key that ended")
                && page.contains("from <span class=\"address\">198.51.100.5</span>"))
        #expect(page.contains("No request has used this key yet.") && page.contains("The key before this one"))
    }

    @Test("One click allows the sources seen so far, and warns where that is one address or a proxy")
    func pin() async throws {
        let stage = try await Stage()
        #expect(try await !stage.page().contains("Allow these alone"))
        let nothing = try await stage.browser.post(stage.path + "/networks", ["pin": "", "version": "1"])
        #expect(nothing.status == 409 && nothing.body.contains("No request with this key was seen yet."))
        _ = try await stage.call("203.0.113.5")
        #expect(try await stage.page().contains("All requests so far came from one address."))
        _ = try await stage.call("2001:db8:1:2:3::4")
        let two = try await stage.page()
        #expect(two.contains("Allow these alone") && !two.contains("All requests so far"))
        let proto = try #require(HTTPField.Name("X-Forwarded-Proto"))
        _ = try await stage.call("10.9.1.1", [proto: "https"])
        #expect(try await stage.page().contains("10.9.1.1 is a proxy of this service itself"))
        let offer = try #require(try await stage.page().firstMatch(of: /name="pin" value="([^"]+)"/)).output.1
        // Somebody uses the key from elsewhere behind the page: what the page did not show is not saved.
        _ = try await stage.call("198.51.100.66")
        let pinned = try await stage.browser.post(stage.path + "/networks", ["pin": String(offer), "version": "1"])
        #expect(pinned.status == 303)
        let saved = try await stage.fixture.services.accounts.account(stage.account.user.id).user.allowedNetworks
        #expect(Set(saved?.texts ?? []) == ["203.0.113.5/32", "2001:db8:1:2::/64", "10.9.1.1/32"])
        #expect(try await stage.call("198.51.100.66").status == 403)
    }

    @Test("Try it: one real request, counted and audited, with status, headers and body; no key in the page")
    func trial() async throws {
        let stage = try await Stage()
        let reply = try await stage.browser.post(stage.path + "/try")
        #expect(reply.status == 200 && !reply.body.contains(stage.key))
        #expect(
            reply.body.contains("200 OK") && reply.body.contains("X-RateLimit-Remaining") && reply.body.contains("999"))
        #expect(reply.body.contains(stage.account.user.id.rawValue))
        await stage.fixture.services.node?.usage.flush()
        let report = try await stage.fixture.services.usage.report(of: stage.account.user.id, range: .hours, zone: .utc)
        #expect(report.admitted == 1)
        let events = try await stage.fixture.store.auditEvents(userID: stage.account.user.id, limit: 1)
        #expect(events.map(\.action) == [.keyTried])
        // As anybody would be answered from there.
        try await stage.fixture.services.keys.setAllowedNetworks(
            AllowedNetworks(parsing: ["203.0.113.0/24"]), of: stage.account.user.id, by: .commandLine)
        let refused = try await stage.browser.post(stage.path + "/try")
        #expect(refused.status == 200 && refused.body.contains("403 Forbidden"))
        #expect(refused.body.contains("ADDRESS_NOT_ALLOWED"))
        let locked = try await Stage(isEntitled: false)
        #expect(try await locked.browser.post(locked.path + "/try").status == 403)
    }
}
