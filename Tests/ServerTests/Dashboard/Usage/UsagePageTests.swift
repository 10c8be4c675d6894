import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``UsagePage`` with its ``UsageChart`` and ``QuotaWarning``, of fixed reports.
@Suite struct UsagePageTests {
    private static func report(
        _ range: UsageReport.Range = .days, _ name: String = "Europe/Berlin",
        _ counts: (Int) -> [UsageOutcome: Int] = { [.admitted: 1_000 + $0, .rateLimited: $0] }
    ) throws -> UsageReport {
        let now = try #require(Timestamp(rfc3339: "2026-04-02T12:00:00Z"))
        let zone = try #require(ReportZone(name))
        let times = UsageReport.times(of: range, in: zone, at: now)
        return UsageReport(range, in: zone, times: times, sums: (0..<range.barCount).map(counts), now: now)
    }

    private static func render(_ content: UsagePage.Content, _ notice: Notice? = nil) throws -> RenderedPage {
        let page = try RenderedPage(
            UsagePage(shell: .sample, workspaceID: "ws_1", notice: notice, content: content))
        #expect(page.problems == [])
        #expect(page.html.utf8.count < 60 * 1_024, "\(page.html.utf8.count)")
        return page
    }

    @Test("Total, zone, bars and the present one are shown; the choices keep each other")
    func filled() throws {
        let page = try Self.render(.open(UsagePanel(Self.report())))
        #expect(page.text.contains("Admitted 30,435 Refused 435"))
        #expect(page.text.contains("Each begins by the clocks of Europe/Berlin."))
        #expect(page.text.contains("2026-04-02 not over yet 1,029 0 0 29"))
        #expect(page.text.contains("Total 30,435 0 0 435"))
        #expect(page.elements("rect").filter { $0["class"] == "chart-admitted" }.count == 30)
        #expect(page.elements("rect").filter { $0["class"] == "chart-rate-limited" }.count == 29)
        let path = "/workspaces/ws_1/api-webhooks/usage"
        #expect(page.has("a", ["href": path + "?range=24h&timeZone=Europe/Berlin"]))
        #expect(page.has("a", ["href": path + ".csv?range=30d&timeZone=Europe/Berlin"]))
        let form = try #require(page.form(to: path))
        #expect(form.method == "get" && form.fields == ["range": "30d"])
        #expect(page.elements("option").filter { $0["selected"] != nil }.count == 1)
        #expect(page.elements("option").count == ReportZone.names.count)
    }

    @Test("The day of 23 hours is one bar, and an hour that comes twice is two", arguments: UsageReport.Range.allCases)
    func ranges(_ range: UsageReport.Range) throws {
        let page = try Self.render(.open(UsagePanel(Self.report(range))))
        #expect(page.elements("tr").count == range.barCount + 3)
        let labels = try UsagePanel(Self.report(range)).rows.map(\.label)
        #expect(Set(labels).count == range.barCount)
        if range == .days { #expect(labels.filter { $0 == "2026-03-29" }.count == 1) }
    }

    @Test("Without requests there is a sentence in place of the picture; the table has zeros")
    func empty() throws {
        let page = try Self.render(.open(UsagePanel(Self.report(.hours, "Asia/Kathmandu") { _ in [:] })))
        #expect(page.text.contains("No request was made with a key of this account in this time."))
        #expect(page.elements("svg").allSatisfy { $0["class"] != "chart-picture" })
        #expect(page.text.contains("2026-04-02 17:00 +05:45 not over yet 0 0 0 0"))
    }

    @Test("Who is near the limit, or has used it up, is warned")
    func warning() throws {
        func text(_ level: QuotaLevel, remaining: Int) throws -> String {
            let status = RateLimitStatus(
                limit: 1_000, remaining: remaining, resetsAfter: .seconds(90), reckonedAt: Samples.start)
            return try Self.render(.open(UsagePanel(Self.report(), warning: QuotaWarning(level, status)))).text
        }
        #expect(try !text(.normal, remaining: 300).contains("requests of the last 60 minutes"))
        #expect(
            try text(.near, remaining: 150).contains("850 of 1,000 requests of the last 60 minutes are used. More at"))
        #expect(try text(.reached, remaining: 0).contains("The rate limit is used up: 1,000 of 1,000"))
    }

    @Test("A former name of a zone is chosen as it was asked for")
    func formerName() throws {
        let panel = UsagePanel(try Self.report(.months, "Asia/Katmandu"))
        #expect(panel.zones.filter(\.isCurrent).map(\.name) == ["Asia/Katmandu"])
    }

    @Test("A locked page and one without the database have no counts")
    func others() throws {
        let locked = try Self.render(.locked("Free"))
        #expect(locked.text.contains("API & Webhooks is not part of the Free plan"))
        #expect(locked.has("a", ["href": "/workspaces/ws_1/api-webhooks"]) && locked.elements("table").isEmpty)
        let failed = try Self.render(.unavailable("Not now."), Notice(.failure, RenderedPage.hostile))
        #expect(failed.text.contains("Not now.") && failed.elements("table").isEmpty)
    }

    @Test("The parts of a bar lie on each other, and the highest bar fits")
    func parts() throws {
        let report = try Self.report(.months) { place in
            [.admitted: 7 * place, .featureLocked: place, .notAMember: 3, .rateLimited: place % 2]
        }
        for stack in UsageChart(report).stacks {
            var bottom = UsageChart.height
            for part in stack.parts {
                #expect(part.top + part.height == bottom && part.height >= 0)
                bottom = part.top
            }
            #expect(bottom >= 0)
        }
    }

    @Test("The scale is round and not below the highest bar")
    func scale() {
        #expect(
            [0, 1, 2, 3, 6, 7, 10, 11, 99, 101, 999, 1_000_001].map(UsageChart.scale) == [
                2, 2, 2, 4, 6, 10, 10, 20, 100, 200, 1_000, 2_000_000,
            ])
    }
}
