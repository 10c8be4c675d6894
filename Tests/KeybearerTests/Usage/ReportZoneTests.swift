import TestSupport
import Testing

@testable import Keybearer

/// A ``ReportZone``: names, and where hours, days and months begin.
@Suite struct ReportZoneTests {
    private static func time(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

    @Test(
        "Names of the database are known, former ones too",
        arguments: ["UTC", "Etc/UTC", "Europe/Berlin", "Asia/Katmandu", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
    func known(_ name: String) { #expect(ReportZone(name) != nil) }

    @Test(
        "What is no name of a zone is refused",
        arguments: [
            "", "Europe/Atlantis", "EST", "GMT+0530", "+01:00", "../../etc/passwd", "/etc/passwd", "europe/berlin",
            "Europe/Berlin ", "Europe/Ber\u{0}lin", "Europe/\(String(repeating: "x", count: 70))", "Ünited/Kingdom",
        ])
    func unknown(_ name: String) { #expect(ReportZone(name) == nil) }

    @Test("The list of names has nothing that is not known, and no name twice")
    func names() {
        #expect(ReportZone.names.count > 300)
        #expect(Set(ReportZone.names).count == ReportZone.names.count)
        #expect(ReportZone.names.allSatisfy { ReportZone($0) != nil })
        #expect(ReportZone.names.contains("Asia/Kathmandu"))
    }

    @Test(
        "A time is shown as the zone's clocks show it",
        arguments: [
            ("Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:00+01:00"),
            ("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"),
            ("Asia/Kathmandu", "2026-02-28T18:15:00Z", "2026-03-01T00:00:00+05:45"),
            ("America/St_Johns", "2026-01-01T03:29:00Z", "2025-12-31T23:59:00-03:30"),
            ("UTC", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
        ])
    func local(_ name: String, _ time: String, _ shown: String) throws {
        let zone = try #require(ReportZone(name))
        let moment = try Self.time(time)
        #expect(zone.local(at: moment).description == shown)
    }

    @Test(
        "Hours, days and months begin where clocks in the zone say so",
        arguments: [
            (
                "Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z",
                "2026-02-28T23:00:00Z"
            ),
            (
                "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-24T22:00:00Z",
                "2026-09-30T22:00:00Z"
            ),
            (
                "Asia/Kathmandu", "2026-05-05T12:00:00Z", "2026-05-05T11:15:00Z", "2026-05-04T18:15:00Z",
                "2026-04-30T18:15:00Z"
            ),
            (
                "America/St_Johns", "2026-03-08T12:00:00Z", "2026-03-08T11:30:00Z", "2026-03-08T03:30:00Z",
                "2026-03-01T03:30:00Z"
            ),
            // Half an hour is left out: 02:00 is 02:30.
            (
                "Australia/Lord_Howe", "2026-10-03T15:40:00Z", "2026-10-03T15:30:00Z", "2026-10-03T13:30:00Z",
                "2026-09-30T13:30:00Z"
            ),
            // Half an hour comes twice: 02:00 is 01:30.
            (
                "Australia/Lord_Howe", "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z", "2026-04-04T13:00:00Z",
                "2026-03-31T13:00:00Z"
            ),
            // Midnight is left out: 00:00 is 01:00.
            (
                "Asia/Beirut", "2026-03-29T05:00:00Z", "2026-03-29T05:00:00Z", "2026-03-28T22:00:00Z",
                "2026-02-28T22:00:00Z"
            ),
            ("UTC", "1969-12-31T23:59:59Z", "1969-12-31T23:00:00Z", "1969-12-31T00:00:00Z", "1969-12-01T00:00:00Z"),
        ])
    func starts(_ name: String, _ time: String, _ hour: String, _ day: String, _ month: String) throws {
        let zone = try #require(ReportZone(name))
        let moment = try Self.time(time)
        let starts = try [hour, day, month].map { try Self.time($0) }
        #expect(zone.startOfHour(moment) == starts[0])
        #expect(zone.startOfDay(moment) == starts[1])
        #expect(zone.startOfMonth(moment) == starts[2])
    }
}
