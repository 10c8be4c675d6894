import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// ``ActivityHandlers`` over a store: who sees what (``ActivityService``), filters (``AuditFilter``), pages (``AuditPages``)
/// and files; what a ``RequestOrigin`` says, and ``FailedSignIns``.
@Suite struct ActivityHandlersTests {
    private let fixture: ServerFixture
    private let ada: Account
    private let workspace: WorkspaceID

    init() async throws {
        fixture = try ServerFixture()
        ada = try await fixture.account("ada@example.com").account
        workspace = ada.workspaces[0].workspace.id
    }

    private func cookie(of account: Account) async throws -> HTTPFields {
        let (_, token) = try await fixture.services.sessions.start(
            for: account, from: Samples.address, userAgent: "Firefox/130.0 Linux")
        return [.cookie: "\(SessionCookie.name)=\(token.characters)"]
    }

    private func get(_ path: String, _ headers: HTTPFields) async throws -> (
        status: Int, headers: HTTPFields, body: String
    ) {
        try await fixture.respond(.get, path, headers)
    }

    private var path: String { "/workspaces/\(workspace)/activity" }

    @Test("Owners and Admins see what happens in their workspace; Members and strangers do not")
    func roles() async throws {
        let bob = try await fixture.account("bob@example.com").account
        let headers = try await cookie(of: bob)
        for suffix in ["", "/export", "?who=x", "?since=x"] {
            #expect(try await get(path + suffix, headers).status == 404, "\(suffix)")
        }
        for (role, status) in [(Role.member, 403), (.admin, 200), (.owner, 200)] {
            try await fixture.services.workspaces.putMember(bob.user.id, in: workspace, role: role, by: .commandLine)
            for suffix in ["", "/export?format=jsonl"] {
                #expect(try await get(path + suffix, headers).status == status, "\(role) \(suffix)")
            }
            let home = try await get("/account", headers).body
            #expect(
                try await get("/workspaces/\(workspace)/api-webhooks", headers).body.contains(path) == (status == 200))
            #expect(home.contains("/account/activity"))
        }
        #expect(try await fixture.respond(.get, path).status == 303, "sign in first")
    }

    @Test("What is done in a request has its address, its client and its id, and the key's prefixes")
    func origin() async throws {
        var headers = try await cookie(of: ada)
        headers[.userAgent] = "Mozilla/5.0 (X11; Linux) Firefox/130.0 " + String(repeating: "x", count: 1_000)
        headers[HeaderName.fetchSite] = "same-origin"
        headers[.contentType] = "application/x-www-form-urlencoded"
        let old = try await fixture.services.keys.metadata(of: ada.user.id)
        let done = try await fixture.respond(
            .post, "/workspaces/\(workspace)/api-webhooks/regenerate", headers, body: "")
        #expect(done.status == 303)
        let event = try #require(try await fixture.services.accounts.auditEvents(of: ada.user.id, limit: 1).first)
        let new = try await fixture.services.keys.metadata(of: ada.user.id)
        #expect(event.action == .keyRegenerated && event.workspaceID == workspace)
        #expect(event.change == ValueChange(before: old.shownPrefix, after: new.shownPrefix))
        #expect(event.origin?.requestID == done.headers[HeaderName.requestID])
        #expect(event.origin?.userAgent?.utf8.count == 256 && event.origin?.via == nil)
        let page = try await get(path, headers).body
        #expect(page.contains("You regenerated your key \(old.shownPrefix)…") && page.contains("Firefox on Linux"))
    }

    @Test("A failed sign-in is in the account's activity, with its address, and in no workspace's")
    func failedSignIn() async throws {
        var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded", .userAgent: "curl/8.5"]
        headers[HeaderName.fetchSite] = "same-origin"
        for email in ["ada%40example.com", "nobody%40example.com"] {
            let refused = try await fixture.respond(
                .post, "/sign-in", headers, body: "email=\(email)&password=not+the+password", peer: "192.0.2.77")
            #expect(refused.status == 401)
        }
        await fixture.services.node?.failedSignIns.flush()
        let events = try await fixture.services.directory.auditEvents(of: nil, limit: 100).entries
            .filter { $0.action == .signInFailed }
        #expect(events.map(\.userID) == [ada.user.id] && events.first?.origin?.userAgent == "curl/8.5")
        let session = try await cookie(of: ada)
        let own = try await get("/account/activity?what=session.failed", session).body
        #expect(own.contains("Somebody tried to sign in to your account and failed") && own.contains("192.0.2.77"))
        #expect(try await !get(path, session).body.contains("tried to sign in"))
    }

    @Test("What is done in a portal session says by whose link")
    func portal() async throws {
        let client = try await OperatorClient(fixture)
        let user = try await client.user("42")
        let account = try await fixture.services.accounts.account(UserID(rawValue: user.id))
        var browser = PortalBrowser(fixture)
        let code = try await client.portalCode(account.user.id)
        #expect(try await browser.open(code).status == 303)
        let own = account.workspaces[0].workspace.id
        #expect(try await browser.post("/workspaces/\(own)/api-webhooks/regenerate").status == 303)
        let event = try #require(try await fixture.services.accounts.auditEvents(of: account.user.id, limit: 1).first)
        #expect(event.action == .keyRegenerated && event.actor == .user(account.user.id))
        #expect(event.origin?.via == client.token.id)
        #expect(try await browser.get("/account/activity").status == 403)
    }

    @Test("Filters and pages: newer events shift nothing, and the file holds all that the filter leaves")
    func pages() async throws {
        let headers = try await cookie(of: ada)
        let authority = Authority(.commandLine)
        for number in 0..<130 {
            let plan = PlanID(rawValue: number.isMultiple(of: 2) ? "free" : "pro")
            try await fixture.services.workspaces.setPlan(plan, of: workspace, by: authority)
        }
        var seen: [String] = []
        var next: String? = path + "?what=workspace.plan_changed"
        while let asked = next {
            let page = try await get(asked, headers)
            #expect(page.status == 200)
            seen += page.body.matches(of: /<p class="event">(.*?)<\/p>/).map { String($0.1) }
            // What happens meanwhile is newer.
            try await fixture.services.workspaces.setPlan(PlanID(rawValue: "pro"), of: workspace, by: authority)
            next = page.body.firstMatch(of: /href="([^"]*)" rel="next"/).map {
                String($0.1).replacing("&amp;", with: "&")
            }
        }
        // The account's own plan too.
        #expect(seen.count == 131)
        #expect(seen.allSatisfy { $0.hasPrefix("The operator moved the workspace") })
        let lines = try await get(path + "/export?format=jsonl&what=workspace.plan_changed", headers)
        #expect(lines.headers[.contentDisposition] == "attachment; filename=\"activity.jsonl\"")
        #expect(lines.body.split(separator: "\n").count == 134)
        #expect(
            try await get(path + "/export?format=csv&who=usr_none", headers).body.split(separator: "\r\n").count == 1)
        #expect(try await get(path + "?since=2099-01-01", headers).body.contains("Nothing fits this filter."))
        #expect(try await get(path + "?until=2099-01-01&what=workspace.created", headers).status == 200)
        for bad in [
            "since=x", "until=2026-02-31", "since=2026-01-02&until=2026-01-01", "what=x", "cursor=x", "cursor=1-",
        ] {
            let refused = try await get(path + "?" + bad, headers)
            #expect(refused.status == 400 && refused.body.contains("role=\"alert\""), "\(bad)")
        }
        #expect(try await get(path + "/export?format=xml", headers).status == 400)
    }
}
