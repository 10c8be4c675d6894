import Testing

@testable import KeybearerServer

/// The ``RegeneratePage``: the question before a regenerate.
@Suite struct RegeneratePageTests {
    private func render(prefix: String = "tdc_6WYM", idempotencyKey: String = "once-1") throws -> RenderedPage {
        let page = try RenderedPage(
            RegeneratePage(
                shell: .sample, workspaceID: "ws_1", prefix: prefix, version: 3, idempotencyKey: idempotencyKey))
        #expect(page.problems == [])
        return page
    }

    @Test("It names the key by its prefix, says what breaks, and sends version and idempotency key")
    func question() throws {
        let page = try render()
        #expect(page.title == "Regenerate API key? · Keybearer")
        #expect(page.text.contains("The current key, tdc_6WYM…, stops working immediately."))
        #expect(page.text.contains("Every integration that uses it breaks until it has the new key."))
        let form = try #require(page.form(to: "/workspaces/ws_1/api-webhooks/regenerate"))
        #expect(form.method == "post")
        #expect(form.fields == ["version": "3", "idempotencyKey": "once-1"])
        #expect(form.types == ["version": "hidden", "idempotencyKey": "hidden"])
        #expect(form.buttons == "Yes, regenerate Cancel")
        let cancel = page.elements("a").first { $0["class"] == "button" }
        #expect(cancel?["href"] == "/workspaces/ws_1/api-webhooks")
    }

    @Test("What is in the form is written as text")
    func hostile() throws {
        let page = try render(prefix: RenderedPage.hostile, idempotencyKey: RenderedPage.hostile)
        #expect(!page.html.contains(RenderedPage.hostile))
        #expect(
            page.form(to: "/workspaces/ws_1/api-webhooks/regenerate")?.fields["idempotencyKey"]
                == RenderedPage.hostile)
    }
}
