import Testing

@testable import KeybearerServer

/// The ``ErrorPage`` for a request that failed, and for a ``KeyRequestOutcome`` that is not known.
@Suite struct ErrorPageTests {
    @Test(
        "Every status has words of its own, with a way back",
        arguments: [
            (400, "That request made no sense"), (401, "Sign in first"), (403, "Not allowed"), (404, "Page not found"),
            (405, "Not possible here"), (409, "Changed meanwhile"), (413, "Too large"), (415, "Wrong format"),
            (418, "That did not work"), (422, "Not accepted"), (429, "Too many requests"),
            (500, "Something went wrong"), (503, "Not available for the moment"),
        ])
    func words(status: Int, title: String) throws {
        let page = try RenderedPage(ErrorPage(status: status))
        #expect(page.problems == [])
        #expect(page.title == "\(title) · Keybearer")
        #expect(page.text.hasPrefix("Error \(status) \(title) "))
        #expect(page.text.hasSuffix("Go to the start page"))
        #expect(page.elements("a").last?["href"] == "/")
        #expect(page.forms.isEmpty && !page.text.contains("Request id"))
    }

    @Test("A message takes the place of the status's sentence; the request id is for the operator")
    func message() throws {
        let page = try RenderedPage(ErrorPage(status: 409, message: "The key was replaced.", requestID: "req_1"))
        #expect(page.problems == [])
        #expect(page.text == "Error 409 Changed meanwhile The key was replaced. Request id req_1 Go to the start page")
    }

    @Test("A regenerate with an unknown outcome can be sent again as it was")
    func again() throws {
        let again = RegenerateAgain(
            path: "/workspaces/ws_1/api-webhooks/regenerate", version: "3", idempotencyKey: "once-1")
        let page = try RenderedPage(
            ErrorPage(status: 503, outcome: KeyRequestOutcome(text: "It is not known.", again: again)))
        #expect(page.problems == [])
        #expect(page.text.contains("It is not known. Regenerate: send again"))
        let form = try #require(page.form(to: again.path))
        #expect(form.method == "post")
        #expect(form.fields == ["version": "3", "idempotencyKey": "once-1"])
        let reveal = try RenderedPage(
            ErrorPage(status: 503, outcome: KeyRequestOutcome(text: "Unchanged.", again: nil)))
        #expect(reveal.text.contains("Unchanged.") && reveal.forms.isEmpty)
    }

    @Test("Messages and what a form sent are written as text")
    func hostile() throws {
        let text = RenderedPage.hostile
        let again = RegenerateAgain(path: text, version: text, idempotencyKey: text)
        let page = try RenderedPage(
            ErrorPage(
                status: 409, message: text, requestID: text, outcome: KeyRequestOutcome(text: text, again: again)))
        #expect(page.problems == [])
        #expect(!page.html.contains(text))
        #expect(page.form(to: text)?.fields == ["version": text, "idempotencyKey": text])
    }
}
