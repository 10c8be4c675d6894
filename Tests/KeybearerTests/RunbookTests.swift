import Foundation
import TestSupport
import Testing

/// The runbook has an entry for every alert, and for every line that is logged at warning or above.
@Suite struct RunbookTests {
    private static func headings() throws -> Set<String> {
        let text = try Repository.text(of: "docs/runbook.md")
        return Set(text.split(separator: "\n").filter { $0.hasPrefix("### ") }.map { String($0.dropFirst(4)) })
    }

    @Test func everyAlertHasAnEntry() throws {
        let rules = try Repository.text(of: "examples/monitoring/alerts.yml")
        let alerts = rules.matches(of: /- alert: (\w+)/).map { String($0.1) }
        #expect(alerts.count >= 10)
        let headings = try Self.headings()
        for alert in alerts { #expect(headings.contains(alert), "\(alert)") }
        for heading in headings where heading.hasPrefix("Keybearer") { #expect(alerts.contains(heading), "\(heading)") }
        // And each has a test of its rule.
        let tested = try Repository.text(of: "examples/monitoring/alerts-test.yml")
        for alert in alerts { #expect(tested.matches(of: try Regex("alertname: \(alert)\\b")).count > 1, "\(alert)") }
    }

    @Test func everyLineAtWarningOrAboveHasAnEntry() throws {
        let files = try #require(
            FileManager.default.enumerator(at: Repository.url("Sources"), includingPropertiesForKeys: nil))
        var lines: Set<String> = []
        // What is put together elsewhere, by the expression that logs it.
        var others: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            for found in text.matches(of: /[lL]ogger\.(?:warning|error|critical)\(\s*(?:"((?:[^"\\]|\\.)*)"|(\w+))/) {
                if let line = found.1, !line.contains("\\(") {
                    lines.insert(String(line))
                } else {
                    others.insert(String(found.1 ?? found.2 ?? ""))
                }
            }
            for found in text.matches(of: /\.log\(level: level, "([^"]*)"/) { lines.insert(String(found.1)) }
            for found in text.matches(of: /\bwrite\("([^"]* at the gate failed\.)"/) { lines.insert(String(found.1)) }
        }
        // The gate's lines are found above; what a lost database says is told by its store.
        #expect(others == ["message", "\\(lost.message)"])
        #expect(lines.count >= 14)
        let headings = try Self.headings()
        for line in lines { #expect(headings.contains(line), "\(line)") }
        for heading in headings where !heading.hasPrefix("Keybearer") {
            #expect(lines.contains(heading) || heading == "The database was replaced", "\(heading)")
        }
    }
}
