import Foundation
import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``NetworkHandlers`` and the ``NetworksPanel``: a person limits the key, sees what that cuts off, and takes it back.
@Suite struct NetworkHandlersTests {
    private func stage() async throws -> (ServerFixture, Account, String, PersonBrowser, String) {
        let fixture = try ServerFixture()
        let (account, key) = try await fixture.account("ada@example.com")
        let browser = try await PersonBrowser(fixture, account)
        return (fixture, account, key, browser, "/workspaces/\(account.workspaces[0].workspace.id)/api-webhooks")
    }

    private func me(_ fixture: ServerFixture, _ key: String, from peer: String) async throws -> Int {
        try await fixture.respond(.get, "/api/v1/me", [.authorization: "Bearer \(key)"], peer: peer).status
    }

    @Test("A list is saved, holds, is shown in one form, and an empty one is everywhere again")
    func saved() async throws {
        let (fixture, account, key, browser, path) = try await stage()
        #expect(try await browser.get(path).body.contains("The key works from every address."))
        let typed = " 203.0.113.0/24,\r\n::ffff:10.0.0.0/104\r\n\r\n203.0.113.0/24 "
        let saved = try await browser.post(path + "/networks", ["networks": typed, "version": "1"])
        #expect(saved.status == 303 && saved.headers[.location]?.hasSuffix("?networks=changed") == true)
        #expect(try await me(fixture, key, from: "203.0.113.9") == 200)
        #expect(try await me(fixture, key, from: "10.1.2.3") == 200)
        #expect(try await me(fixture, key, from: "192.0.2.9") == 403)
        let page = try await browser.get(path + "?networks=changed").body
        #expect(page.contains("<li><code>203.0.113.0/24</code></li>") && page.contains("203.0.113.0/24\n10.0.0.0/8<"))
        #expect(page.contains("Allowed networks changed."))
        // From a page that was loaded before.
        let stale = try await browser.post(path + "/networks", ["networks": "", "version": "1"])
        #expect(stale.status == 409 && stale.body.contains("networks-error"))
        let events = try await fixture.store.auditEvents(userID: account.user.id, limit: 1)
        #expect(events[0].action == .networksChanged && events[0].actor == .user(account.user.id))
        let cleared = try await browser.post(path + "/networks", ["networks": " \n", "version": "2"])
        #expect(cleared.status == 303 && cleared.headers[.location]?.hasSuffix("?everywhere=1") == true)
        #expect(try await me(fixture, key, from: "192.0.2.9") == 200)
    }

    @Test("A list that would cut off the last source is saved only when that is confirmed")
    func cutOff() async throws {
        let (fixture, account, key, browser, path) = try await stage()
        #expect(try await me(fixture, key, from: "198.51.100.20") == 200)
        var form = ["networks": "203.0.113.0/24", "version": "1"]
        let asked = try await browser.post(path + "/networks", form)
        #expect(asked.status == 200 && asked.body.contains("Not saved yet."))
        #expect(asked.body.contains("<li><code>198.51.100.20</code></li>"))
        #expect(asked.body.contains(">203.0.113.0/24</textarea>"))
        #expect(try await me(fixture, key, from: "192.0.2.9") == 200)
        form["confirmed"] = "1"
        #expect(try await browser.post(path + "/networks", form).status == 303)
        #expect(try await me(fixture, key, from: "198.51.100.20") == 403)
        #expect(
            try await fixture.services.accounts.account(account.user.id).user.allowedNetworks?.texts == [
                "203.0.113.0/24"
            ])
        // One that contains it asks nothing.
        form = ["networks": "203.0.113.0/24 192.0.2.0/24", "version": "2"]
        #expect(try await me(fixture, key, from: "203.0.113.7") == 200)
        #expect(try await browser.post(path + "/networks", form).status == 303)
    }

    @Test("What is no network comes back as it was typed, with the reason; nothing is changed")
    func refused() async throws {
        let (fixture, account, _, browser, path) = try await stage()
        for (typed, status, reason) in [
            ("10.0.0.1/8", 422, "host bits are set; write 10.0.0.0/8"), ("x<script>", 422, "neither a network"),
            ((1...21).map { "10.0.0.\($0)" }.joined(separator: " "), 409, "at most 20 allowed networks"),
        ] {
            let reply = try await browser.post(path + "/networks", ["networks": typed, "version": "1"])
            #expect(reply.status == status && reply.body.contains(reason), "\(typed)")
            #expect(!reply.body.contains("<script>") && reply.body.contains("aria-invalid"))
        }
        #expect(try await fixture.services.accounts.account(account.user.id).user.allowedNetworks == nil)
    }
}
