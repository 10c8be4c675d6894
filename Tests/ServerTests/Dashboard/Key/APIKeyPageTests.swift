import Foundation
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``APIKeyPage`` with its ``KeyPanel``, as ``KeyPages`` put it together (``KeyPageRoutes``): a ``RevealedKey`` is in one field
/// alone.
@Suite struct APIKeyPageTests {
    private static let path = "/workspaces/ws_1/api-webhooks"
    private let key: SecretKey

    init() throws {
        let vault = KeyVault(ring: try .generate(from: RandomSource.seeded(1)))
        key = try vault.issue(prefix: .standard, random: RandomSource.seeded(7))
    }

    private func render(_ panel: KeyPanel, notice: Notice? = nil) throws -> RenderedPage {
        try RenderedPage(APIKeyPage(shell: .sample, workspaceID: "ws_1", notice: notice, content: .open(panel)))
    }

    private func panel(
        lastUse: LastUseRow? = nil, quota: QuotaMeter? = nil, revealed: Bool = false, curlExample: String = "curl",
        history: HistoryPanel? = nil
    ) -> KeyPanel {
        KeyPanel(
            prefix: "tdc_6WYM", version: 3, generatedAt: Samples.start, lastUse: lastUse, quota: quota,
            revealedKey: revealed ? RevealedKey(key) : nil, idempotencyKey: "once-1",
            examples: [Example("curl", "cURL", curlExample), Example("node", "Node.js", "fetch")], history: history)
    }

    @Test("A key is hidden until it is asked for; the page has its record, and the forms that show and replace it")
    func hidden() throws {
        let page = try render(panel())
        #expect(page.problems == [])
        #expect(page.title == "API & Webhooks · Keybearer")
        #expect(page.text.contains("Prefix tdc_6WYM Generated 2026-01-01 00:00:00 UTC Last used Never used"))
        #expect(page.elements("time").compactMap { $0["datetime"] } == ["\(Samples.start)"])
        let reveal = try #require(page.form(to: Self.path + "/reveal"))
        #expect(reveal.method == "post" && reveal.fields.isEmpty)
        #expect(page.html.contains(">••••••••••••••••••••••••••••••••••••••••••</textarea>"))
        let regenerate = try #require(page.form(to: Self.path + "/regenerate"))
        #expect(regenerate.method == "post")
        #expect(regenerate.fields == ["version": "3", "idempotencyKey": "once-1"])
        #expect(regenerate.types == ["version": "hidden", "idempotencyKey": "hidden"])
        // What only a script can do is hidden; what the link opens without one is a page.
        #expect(page.has("button", ["data-key-copy": "", "hidden": ""]))
        for example in ["curl-example", "node-example"] {
            #expect(page.has("button", ["data-copy": example, "hidden": ""]))
        }
        #expect(page.has("a", ["href": Self.path + "/regenerate"]))
    }

    @Test("A used key says when and from where; without scripts in UTC")
    func used() throws {
        let page = try render(panel(lastUse: LastUseRow(at: Samples.start, address: "192.0.2.7")))
        #expect(page.problems == [])
        #expect(page.text.contains("Last used 2026-01-01 00:00:00 UTC from 192.0.2.7"))
    }

    @Test("What is left of the rate limit, and when there is more, without scripts in UTC")
    func quota() throws {
        let whole = try render(panel(quota: QuotaMeter(limit: 1_000, remaining: 1_000, resetsAt: nil)))
        #expect(whole.problems == [])
        #expect(whole.text.contains("Never used 1,000 of 1,000 left 1,000 of 1,000 Authenticate requests"))
        #expect(whole.elements("span").allSatisfy { $0["data-until"] == nil })

        let at = Samples.start.advanced(by: .seconds(14 * 3_600 + 61))
        let some = try render(panel(quota: QuotaMeter(limit: 1_000, remaining: 988, resetsAt: at)))
        #expect(some.problems == [])
        #expect(some.text.contains("988 of 1,000 left · more at 14:02 UTC"))
        #expect(some.has("time", ["datetime": "\(at)", "data-clock": ""]))
        #expect(some.has("span", ["data-until": "\(at)"]))
        let meter = try #require(some.elements("meter").first)
        #expect(meter["min"] == "0" && meter["max"] == "1000")
        #expect(meter["low"] == "100" && meter["value"] == "988" && meter["aria-labelledby"] == "quota-text")
        #expect(some.text.contains("A key makes at most 1,000 requests an hour."))

        let none = try render(panel(quota: QuotaMeter(limit: 1_000, remaining: 0, resetsAt: at)))
        #expect(none.text.contains("0 of 1,000 left · more at 14:02 UTC"))
    }

    @Test("Where the quota could not be read the page has no meter and no sentence about it")
    func withoutQuota() throws {
        let page = try render(panel())
        #expect(page.elements("meter").isEmpty)
        #expect(!page.text.contains(" left") && !page.text.contains("Mind the limit."))
    }

    @Test("A revealed key stands in its field alone, and no description of the page has it")
    func revealed() throws {
        let model = panel(revealed: true)
        let page = try render(model)
        #expect(page.problems == [])
        #expect(page.html.contains(">\(key.characters)</textarea>"))
        #expect(page.html.components(separatedBy: key.characters).count == 2)
        #expect(page.form(to: Self.path + "/reveal") == nil)
        #expect(page.form(to: Self.path)?.method == "get")
        #expect(page.has("button", ["aria-label": "Hide key", "aria-pressed": "true"]))
        var dumped = ""
        dump(model, to: &dumped)
        for text in [dumped, "\(model)", String(reflecting: model)] { #expect(!text.contains(key.characters)) }
    }

    @Test("Where the record could not be read the page says why, and how to go on")
    func unavailable() throws {
        let page = try RenderedPage(
            APIKeyPage(shell: .sample, workspaceID: "ws_1", content: .unavailable("The database is away.")))
        #expect(page.problems == [])
        #expect(page.text.contains("Your Secret Key The database is away. Try again"))
        #expect(page.has("p", ["role": "alert"]))
        #expect(page.elements("textarea").isEmpty)
    }

    @Test(
        "What happened before is said",
        arguments: [
            (APIKeyPage.regenerated, "Key regenerated. The old key no longer works.", "regenerated"),
            (APIKeyPage.planChanged(to: "Pro"), "This workspace is now on the Pro plan.", "plan"),
        ])
    func notices(notice: Notice, sentence: String, query: String) throws {
        let page = try render(panel(), notice: notice)
        #expect(page.problems == [])
        #expect(page.text.contains(sentence))
        #expect(page.has("p", ["data-notice": query, "role": "status"]))
    }

    @Test("Names, addresses and examples are written as text")
    func hostile() throws {
        let text = RenderedPage.hostile
        let use = LastUseRow(at: Samples.start, address: text)
        let page = try render(panel(lastUse: use, curlExample: text), notice: APIKeyPage.planChanged(to: text))
        #expect(page.problems == [])
        #expect(!page.html.contains(text))
        #expect(page.text.contains("from \(text)") && page.text.contains("on the \(text) plan"))
    }
}
