import Foundation
import HTTPTypes
import KeybearerSQL
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The tab "Webhooks": the pages of ``WebhookPages`` and ``DeliveryPage``, by ``WebhookPageHandlers`` and
/// ``WebhookSampleHandlers``.
@Suite struct WebhookPagesTests {
    /// A workspace of Ada's with Eve as Member.
    private struct Stage {
        let fixture: ServerFixture
        let workspace: WorkspaceID
        let owner: PersonBrowser
        let member: PersonBrowser
        let path: String

        init() async throws {
            fixture = try ServerFixture()
            let ada = try await fixture.account("ada@example.com").account
            let eve = try await fixture.account("eve@example.com").account
            workspace = ada.workspaces[0].workspace.id
            try await fixture.services.workspaces.setPlan(PlanID(rawValue: "pro"), of: workspace, by: .commandLine)
            try await fixture.services.workspaces.putMember(
                eve.user.id, in: workspace, role: .member, by: .commandLine)
            owner = try await PersonBrowser(fixture, ada)
            member = try await PersonBrowser(fixture, eve)
            path = "/workspaces/\(workspace)/webhooks"
        }

        /// Adds one; returns the path of its page.
        func add() async throws -> (path: String, page: String) {
            let made = try await owner.post(path, ["name": "Orders", "url": "https://192.0.2.1/in", "all": "1"])
            let id = try #require(try await fixture.store.webhookEndpoints(of: workspace).last?.id)
            return ("\(path)/\(id)", made.body)
        }
    }

    @Test("The empty tab offers a form; adding one shows the secret once; a Member sees neither")
    func added() async throws {
        let stage = try await Stage()
        let empty = try await stage.owner.get(stage.path).body
        #expect(empty.contains("Add webhook") && empty.contains("member.added") && !empty.contains("whsec_"))
        let (path, page) = try await stage.add()
        #expect(page.contains("whsec_") && page.contains("not shown again"))
        #expect(try await !stage.owner.get(path).body.contains("whsec_"))
        #expect(try await stage.owner.get(stage.path).body.contains("https://192.0.2.1/in"))
        let seen = try await stage.member.get(stage.path)
        #expect(seen.status == 200 && !seen.body.contains("192.0.2.1") && seen.body.contains("An Owner or an Admin"))
        #expect(try await stage.member.get(path).status == 403)
        let wrong = try await stage.owner.post(stage.path, ["name": "", "url": "ftp://x"])
        #expect(wrong.status == 422 && wrong.body.contains("aria-invalid") && wrong.body.contains("ftp://x"))
    }

    @Test("A locked plan shows the lock and no form, and what is there can be stopped")
    func locked() async throws {
        let stage = try await Stage()
        let (path, _) = try await stage.add()
        try await stage.fixture.services.workspaces.setPlan(
            PlanID(rawValue: "free"), of: stage.workspace, by: .commandLine)
        let list = try await stage.owner.get(stage.path).body
        #expect(list.contains("is not part of the") && !list.contains("Add webhook</button></div>\n</form>"))
        let page = try await stage.owner.get(path).body
        #expect(page.contains("nothing is sent") && page.contains(path + "/disable") && !page.contains(path + "/test"))
        #expect(try await stage.owner.post(path + "/disable", [:]).status == 303)
        #expect(try await stage.owner.post(path + "/enable", [:]).status == 403)
    }

    @Test("A message is shown with its attempts, and is sent again; a sample is verified")
    func deliveries() async throws {
        let stage = try await Stage()
        let (path, _) = try await stage.add()
        let tested = try await stage.owner.post(path + "/test", [:])
        #expect(tested.status == 303 && tested.headers[.location] == path + "?tested=1#deliveries")
        #expect(try await stage.owner.get(path + "?tested=1").body.contains("on its way"))
        let store = stage.fixture.store
        let now = Clocks.system.wall()
        #expect(try await store.spreadMessages(limit: 10, now: now) > 0)
        let endpoint = try #require(try await store.webhookEndpoints(of: stage.workspace).first)
        let claimed = try await store.claimDeliveries(
            [(endpointID: endpoint.id, count: 10)], claim: [1], now: Clocks.system.wall())
        let test = try #require(claimed.first { $0.event == OwnEvent.test.name })
        let reply = WebhookReply(status: 500, body: Array("<b>no</b>".utf8), retryAfter: nil, address: nil)
        try await store.record(
            [
                AttemptRecord(
                    delivery: test, at: now, duration: .milliseconds(5), headers: ["webhook-id": "evt_x"], reply: reply,
                    wasHealthy: true, retryAfter: .seconds(60))
            ], now: now)
        let list = try await stage.owner.get(path + "?event=webhook.test&state=waiting").body
        #expect(list.contains("1 attempt") && list.contains(test.messageID.rawValue))
        #expect(try await stage.owner.get(path + "?state=delivered").body.contains("Nothing fits this filter."))
        let one = path + "/deliveries/\(test.messageID)"
        let page = try await stage.owner.get(one).body
        #expect(page.contains("Status 500") && page.contains("&lt;b&gt;no&lt;/b&gt;") && page.contains("evt_x"))
        #expect(try await stage.owner.post(one + "/resend", [:]).headers[.location] == one + "?resent=1")
        let secret = WebhookSecret.random(from: .system)
        let signed = WebhookSignature.headers(
            id: test.messageID, at: now, body: Array("a\nb".utf8), secrets: [secret])
        let header = { (name: String) in signed.first { $0.name == name }?.value ?? "" }
        var sample = [
            "secret": secret.text, "id": header("webhook-id"), "timestamp": header("webhook-timestamp"),
            "signature": header("webhook-signature"), "payload": "a\r\nb",
        ]
        let right = try await stage.owner.post(path + "/verify", sample)
        #expect(right.body.contains("The signature is right") && !right.body.contains(secret.text))
        sample["payload"] = "b"
        #expect(try await stage.owner.post(path + "/verify", sample).body.contains("No signature was made"))
        #expect(try await stage.owner.post(path + "/replay", ["since": "2026-01-01", "until": "x"]).status == 422)
        let replay = try await stage.owner.post(path + "/replay", ["since": "2026-01-01", "until": "2026-01-02"])
        #expect(replay.status == 303 && replay.headers[.location] == path + "?replayed=0")
        for (query, words) in [("0", "Nothing was missed"), ("1", "1 message is"), ("12", "12 messages are")] {
            #expect(try await stage.owner.get(path + "?replayed=\(query)").body.contains(words))
        }
    }

    @Test("Whoever reloads a page that shows a secret adds nothing and replaces nothing")
    func reloaded() async throws {
        let stage = try await Stage()
        let field = #/name="idempotencyKey" value="([^"]+)"/#
        let key = try #require(try await stage.owner.get(stage.path).body.firstMatch(of: field)?.1)
        let form = ["name": "Orders", "url": "https://192.0.2.1/in", "all": "1", "idempotencyKey": String(key)]
        let added = try await stage.owner.post(stage.path, form)
        #expect(added.status == 200 && added.body.contains("whsec_"))
        let again = try await stage.owner.post(stage.path, form)
        #expect(again.status == 409 && again.body.contains("was added before") && !again.body.contains("whsec_"))
        // A page from the browser's memory, with something else in its form.
        let other = try await stage.owner.post(stage.path, form.merging(["name": "Other"]) { $1 })
        #expect(other.status == 422 && other.body.contains("Idempotency-Key") && other.body.contains("Other"))
        let endpoint = try #require(try await stage.fixture.store.webhookEndpoints(of: stage.workspace).first)
        #expect(try await stage.fixture.store.webhookEndpoints(of: stage.workspace).count == 1)
        let path = "\(stage.path)/\(endpoint.id)"
        let rotation = ["hours": "24", "version": String(endpoint.version)]
        let rotated = try await stage.owner.post(path + "/rotate-secret", rotation)
        #expect(rotated.status == 200 && rotated.body.contains("whsec_"))
        let reloaded = try await stage.owner.post(path + "/rotate-secret", rotation)
        #expect(reloaded.status == 409 && !reloaded.body.contains("whsec_"))
        #expect(try await stage.fixture.store.webhookEndpoint(endpoint.id)?.endpoint.version == endpoint.version + 1)
        #expect(rotated.body.contains(#"name="version" value="\#(endpoint.version + 1)""#))
    }

    @Test("The log says where a webhook leads and whether it is on, and nothing of its path")
    func audited() async throws {
        let stage = try await Stage()
        let (path, _) = try await stage.add()
        let form = ["name": "Orders", "url": "https://192.0.2.2/secret-path", "all": "1"]
        #expect(try await stage.owner.post(path, form).status == 303)
        #expect(try await stage.owner.post(path + "/disable", [:]).status == 303)
        let events = try await stage.fixture.store.auditEvents(userID: nil, limit: 10)
            .filter { $0.action == .webhookChanged }
        #expect(
            events.map(\.change) == [
                ValueChange(before: "https://192.0.2.2, enabled", after: "https://192.0.2.2, disabled"),
                ValueChange(before: "https://192.0.2.1, enabled", after: "https://192.0.2.2, enabled"),
            ])
    }
}
