import Foundation
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// A report as ``UsageCSV``.
@Suite struct UsageCSVTests {
    @Test("The lines' sum is the total")
    func lines() throws {
        let now = try #require(Timestamp(rfc3339: "2026-10-25T03:10:00Z"))
        let zone = try #require(ReportZone("Europe/Berlin"))
        let times = UsageReport.times(of: .hours, in: zone, at: now)
        let report = UsageReport(
            .hours, in: zone, times: times, sums: (0..<24).map { [.admitted: $0, .rateLimited: 2 * $0] }, now: now)
        let lines = UsageCSV.text(of: report).components(separatedBy: "\r\n")
        #expect(lines.count == 26 && lines.last == "")
        #expect(
            lines[0] == "start,end,time_zone,is_partial,admitted,refused,feature_locked,not_a_member,rate_limited,"
                + "address_not_allowed")
        #expect(lines[24] == "2026-10-25T04:00:00+01:00,2026-10-25T05:00:00+01:00,Europe/Berlin,true,23,46,0,0,46,0")
        let cells = lines[1...24].map { $0.components(separatedBy: ",") }
        #expect(Set(cells.map { $0[0] }).count == 24, "the hour that comes twice has two offsets")
        #expect(cells.compactMap { Int($0[4]) }.reduce(0, +) == report.admitted)
        #expect(cells.compactMap { Int($0[5]) }.reduce(0, +) == report.refused)
    }
}
