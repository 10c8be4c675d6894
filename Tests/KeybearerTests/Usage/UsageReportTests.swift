import TestSupport
import Testing

@testable import Keybearer

/// A ``UsageReport`` of a ``UsageOutcome`` per bar: no bar is missing, and the bars' sum is the total, in every zone.
@Suite struct UsageReportTests {
    private static func time(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

    private static func times(
        _ range: UsageReport.Range, _ name: String, _ now: String
    ) throws -> (zone: ReportZone, times: [Timestamp]) {
        let zone = try #require(ReportZone(name))
        return (zone, UsageReport.times(of: range, in: zone, at: try time(now)))
    }

    private static func hours(_ times: [Timestamp]) -> [Double] {
        zip(times, times.dropFirst()).map { Double($0.duration(to: $1).wholeMilliseconds) / 3_600_000 }
    }

    @Test(
        "The day on which clocks are moved has 23 or 25 hours",
        arguments: [
            ("Europe/Berlin", "2026-04-02T12:00:00Z", "2026-03-29", 23.0),
            ("Europe/Berlin", "2026-10-26T12:00:00Z", "2026-10-25", 25.0),
            ("America/St_Johns", "2026-03-10T12:00:00Z", "2026-03-08", 23.0),
            ("America/St_Johns", "2026-11-02T12:00:00Z", "2026-11-01", 25.0),
            ("Australia/Lord_Howe", "2026-10-10T12:00:00Z", "2026-10-04", 23.5),
        ])
    func days(_ name: String, _ now: String, _ day: String, _ length: Double) throws {
        let (zone, times) = try Self.times(.days, name, now)
        #expect(times.count == 31)
        let lengths = Self.hours(times)
        for (time, hours) in zip(times, lengths) {
            let local = zone.local(at: time)
            #expect(local.time == "00:00")
            #expect(hours == (local.date == day ? length : 24), "\(local.date)")
        }
        #expect(times.contains { zone.local(at: $0).date == day })
    }

    @Test(
        "Where clocks are moved, an hour is left out or comes twice, and none is missing",
        arguments: [
            ("Europe/Berlin", "2026-03-29T10:20:00Z", ["01:00+01:00", "03:00+02:00"]),
            ("Europe/Berlin", "2026-10-25T10:20:00Z", ["02:00+02:00", "02:00+01:00", "03:00+01:00"]),
            ("Asia/Kathmandu", "2026-10-25T10:20:00Z", ["15:00+05:45", "16:00+05:45"]),
            ("America/St_Johns", "2026-11-01T10:20:00Z", ["01:00-02:30", "01:00-03:30", "02:00-03:30"]),
            ("Australia/Lord_Howe", "2026-10-03T20:00:00Z", ["01:00+10:30", "02:30+11:00", "03:00+11:00"]),
        ])
    func hours(_ name: String, _ now: String, _ wanted: [String]) throws {
        let (zone, times) = try Self.times(.hours, name, now)
        #expect(times.count == 25)
        #expect(times == times.sorted() && Set(times).count == 25)
        let shown = times.map { zone.local(at: $0) }.map { $0.time + $0.offset }
        #expect(shown.joined(separator: " ").contains(wanted.joined(separator: " ")), "\(shown)")
        #expect(Self.hours(times).allSatisfy { $0 == 1 || name == "Australia/Lord_Howe" && $0 == 0.5 })
    }

    @Test("Months have the length that the zone gives them")
    func months() throws {
        let (zone, times) = try Self.times(.months, "Europe/Berlin", "2026-11-29T23:59:59Z")
        #expect(times.map { zone.local(at: $0).yearMonth }.first == "2025-12")
        #expect(times.map { zone.local(at: $0).date }.last == "2026-12-01")
        #expect(Self.hours(times).map { $0 / 24 }[3] == 31 - 1.0 / 24)
        #expect(Self.hours(times).map { $0 / 24 }[10] == 31 + 1.0 / 24)
    }

    @Test("Two viewers in one zone see the same bars, whenever they look within an hour")
    func stable() throws {
        let early = try Self.times(.days, "Asia/Kathmandu", "2026-05-05T18:15:00Z").times
        let late = try Self.times(.days, "Asia/Kathmandu", "2026-05-06T18:14:59.999Z").times
        #expect(early == late)
    }

    @Test("Only the last bar is partial; a bar without requests is there with zero")
    func partial() throws {
        let now = try Self.time("2026-05-05T12:00:00Z")
        for range in UsageReport.Range.allCases {
            let times = UsageReport.times(of: range, in: .utc, at: now)
            let report = UsageReport(
                range, in: .utc, times: times, sums: times.dropFirst().map { _ in [:] }, now: now)
            #expect(report.bars.count == range.barCount)
            #expect(report.bars.map(\.isPartial) == Array(repeating: false, count: range.barCount - 1) + [true])
            #expect(report.bars.allSatisfy { $0.admitted == 0 && $0.refused == 0 })
            #expect(report.bars.last.map { $0.start <= now && now < $0.end } == true)
        }
    }

    @Test("What is counted in a quarter of an hour is in one bar, and the bars' sum is the total", arguments: 0..<60)
    func sums(_ seed: UInt64) throws {
        let random = RandomSource.seeded(seed)
        let zone = try #require(ReportZone(ReportZone.names[random.below(ReportZone.names.count)]))
        // 2020 to 2029, among them every change of summer time.
        let now = Timestamp(millisecondsSinceEpoch: 1_577_836_800_000 + Int64(random.below(300_000_000)) * 1_000)
        for range in UsageReport.Range.allCases {
            let times = UsageReport.times(of: range, in: zone, at: now)
            #expect(times.count == range.barCount + 1 && times == times.sorted() && Set(times).count == times.count)
            #expect(times.allSatisfy { UsageQuarter.start(of: $0) == $0 }, "\(zone.name) \(times)")
            let (first, end) = (times[0], times[times.count - 1])
            #expect(times[times.count - 2] <= now && now < end)
            var sums = Array(repeating: [UsageOutcome: Int](), count: range.barCount)
            var counted: [UsageOutcome: Int] = [:]
            for _ in 0..<300 {
                let span = Int(first.duration(to: end).wholeMilliseconds / UsageQuarter.milliseconds)
                let quarter = first.advanced(
                    by: .milliseconds(Int64(random.below(span)) * UsageQuarter.milliseconds))
                let outcome = UsageOutcome.allCases[random.below(4)]
                let number = 1 + random.below(1_000)
                counted[outcome, default: 0] += number
                // As the database adds them.
                let bars = sums.indices.filter { times[$0] <= quarter && quarter < times[$0 + 1] }
                #expect(bars.count == 1)
                for bar in bars { sums[bar][outcome, default: 0] += number }
            }
            let report = UsageReport(range, in: zone, times: times, sums: sums, now: now)
            for outcome in UsageOutcome.allCases { #expect(report.total(outcome) == counted[outcome, default: 0]) }
            #expect(report.admitted + report.refused == counted.values.reduce(0, +))
            #expect(report.bars.map { $0.admitted + $0.refused }.reduce(0, +) == report.admitted + report.refused)
        }
    }
}
