import Keybearer
import TestSupport
import Testing

@testable import KeybearerServer

/// The ``ActivityPage`` as it is written.
@Suite struct ActivityPageTests {
    private let reader = UserID(rawValue: "usr_reader")

    private func model(
        _ events: [NamedAuditEvent] = [], isOwn: Bool = false, query: [String: String] = [:], problem: String? = nil,
        next: AuditPlace? = nil, isFirst: Bool = true, person: String = "Ada"
    ) -> ActivityPage {
        ActivityPage(
            shell: .sample, path: isOwn ? "/account/activity" : "/workspaces/ws_1/activity", isOwn: isOwn,
            filter: ActivityFilterFields(
                people: isOwn ? [] : [("usr_ada", person)], actions: AuditEvent.Action.inWorkspaces, chosen: query),
            problem: problem, rows: events.map { ActivityRow($0, for: reader, isOwn: isOwn) },
            query: ActivityQuery(query).text, next: next, isFirst: isFirst)
    }

    @Test("Each event is a sentence with its time, its address and the browser")
    func filled() throws {
        let origin = RequestOrigin(userAgent: "Mozilla/5.0 (X11; Linux) Firefox/130.0", requestID: "r")
        let page = try RenderedPage(
            model([.sample(.keyRevealed, user: "usr_ada", origin: origin)], next: AuditPlace(at: 5, sequence: 6)))
        #expect(page.problems == [])
        #expect(page.title == "Activity · Keybearer")
        #expect(page.text.contains("Ada showed their key 2026-01-01 00:00:00 UTC, from 192.0.2.7, Firefox on Linux"))
        #expect(page.has("a", ["href": "/workspaces/ws_1/activity?cursor=5-6", "rel": "next"]))
        #expect(page.has("a", ["href": "/workspaces/ws_1/activity/export?format=csv"]))
        #expect(page.has("a", ["href": "/workspaces/ws_1/activity/export?format=jsonl"]))
        #expect(!page.text.contains("Newest") && !page.text.contains("Show all"))
    }

    @Test("The filter keeps what was chosen, and so do the links")
    func filtered() throws {
        let query = ["who": "usr_ada", "what": "key.revealed", "since": "2026-01-01", "until": ""]
        let page = try RenderedPage(
            model([.sample(.keyRevealed)], query: query, next: AuditPlace(at: 5, sequence: 6), isFirst: false))
        #expect(page.problems == [])
        for value in ["usr_ada", "key.revealed"] {
            #expect(page.elements("option").contains { $0["value"] == value && $0["selected"] != nil })
        }
        #expect(page.element(id: "since")?["value"] == "2026-01-01")
        let filter = "who=usr_ada&amp;what=key.revealed&amp;since=2026-01-01"
        #expect(page.html.contains("/workspaces/ws_1/activity?\(filter)&amp;cursor=5-6"))
        #expect(page.html.contains("/workspaces/ws_1/activity/export?\(filter)&amp;format=csv"))
        #expect(page.text.contains("Newest") && page.text.contains("Show all"))
    }

    @Test("An empty list, and a filter that fits nothing or is wrong, say so")
    func empty() throws {
        #expect(try RenderedPage(model()).text.contains("Nothing has happened here yet."))
        let filtered = try RenderedPage(model(query: ["what": "key.revoked"]))
        #expect(filtered.problems == [] && filtered.text.contains("Nothing fits this filter."))
        let wrong = try RenderedPage(model(query: ["since": "x"], problem: "The first day must be a date."))
        #expect(wrong.problems == [] && wrong.title.hasPrefix("Error: "))
        #expect(wrong.has("p", ["role": "alert"]) && wrong.text.contains("The first day must be a date."))
    }

    @Test("On one's own page, nobody else's address is shown; that of a failed sign-in is")
    func own() throws {
        let other = try RenderedPage(model([.sample(.userDisabled, user: "usr_reader")], isOwn: true))
        #expect(other.problems == [] && !other.text.contains("192.0.2.7"))
        #expect(!other.html.contains("id=\"who\""))
        for named in [
            NamedAuditEvent.sample(.keyRevealed, by: .user(reader), user: "usr_reader"),
            .sample(.signInFailed, by: .system, user: "usr_reader"),
        ] { #expect(try RenderedPage(model([named], isOwn: true)).text.contains("192.0.2.7")) }
    }

    @Test("Names are written as text")
    func hostile() throws {
        let text = RenderedPage.hostile
        let page = try RenderedPage(
            model(
                [.sample(.memberAdded, user: "usr_bob", actorName: text, userName: text, workspaceName: text)],
                query: ["who": text, "since": text], problem: text, person: text))
        #expect(page.problems == [])
        #expect(!page.html.contains("<script>alert"))
    }
}
