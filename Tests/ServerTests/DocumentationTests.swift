import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The documents name every one of the ``Routes``, and every code of the ``StatusTable``.
@Suite struct DocumentationTests {
    private static func docs() throws -> String {
        let files = try FileManager.default.contentsOfDirectory(
            at: Repository.url("docs"), includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "md" }.map { try String(contentsOf: $0, encoding: .utf8) }
            .joined()
    }

    @Test("Every route is documented")
    func routes() throws {
        let docs = try Self.docs()
        for route in try RouteWalkTests.routes(try ServerFixture()) {
            let isThere = docs.contains("`\(route.method.rawValue) \(route.path)`")
            #expect(isThere, "\(route.method.rawValue) \(route.path)")
        }
    }

    @Test("The metrics are documented: their route, their kinds and their labels", arguments: ServerMetrics.all)
    func metrics(metric: MetricDefinition) throws {
        let page = try Repository.text(of: "docs/metrics.md")
        #expect(page.contains("`GET \(Routes.metrics)`"))
        let labels = metric.labels.map { "`\($0.name)`" }.joined(separator: ", ")
        let row = "| `\(metric.name)` | \(metric.type) | \(labels) | \(metric.help) |"
        #expect(page.contains(row), "\(row)")
    }

    @Test("Every error code is documented with its status", arguments: ErrorCode.allCases)
    func errorCodes(code: ErrorCode) throws {
        let lines = try Self.docs().split(separator: "\n")
        let isThere = lines.contains { $0.contains("`\(code.rawValue)`") && $0.contains("\(code.status.code)") }
        #expect(isThere)
    }
}
