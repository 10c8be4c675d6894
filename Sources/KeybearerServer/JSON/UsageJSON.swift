package import Keybearer

/// What an account's requests came to.
package struct UsageJSON: JSONNoun {
    let range: String
    let timeZone: String
    let from: Timestamp
    /// When the last bucket ends.
    let until: Timestamp
    let total: UsageTotalJSON
    /// Without gaps, the oldest first.
    let buckets: [UsageBucketJSON]

    package init(_ report: UsageReport) {
        (range, timeZone) = (report.range.rawValue, report.zone.name)
        let empty = Timestamp(millisecondsSinceEpoch: 0)
        (from, until) = (report.bars.first?.start ?? empty, report.bars.last?.end ?? empty)
        total = UsageTotalJSON { report.total($0) }
        buckets = report.bars.map { UsageBucketJSON($0, in: report.zone) }
    }

    package static let noun = "Usage"
    package static let sample = UsageJSON(
        UsageReport(
            .months, in: .utc,
            times: [
                Timestamp(millisecondsSinceEpoch: 1_772_323_200_000),
                Timestamp(millisecondsSinceEpoch: 1_775_001_600_000),
            ],
            sums: [[.admitted: 981, .rateLimited: 12]], now: Timestamp(millisecondsSinceEpoch: 1_774_000_000_000)))
}

/// One hour, day or month.
package struct UsageBucketJSON: JSONNoun {
    let start: Timestamp
    let end: Timestamp
    /// The same as `start`, as clocks in the zone show it.
    let localStart: String
    /// Whether it is not over yet.
    let isPartial: Bool
    let admitted: Int
    /// Whatever the reason.
    let refused: Int
    let featureLocked: Int
    let notAMember: Int
    let rateLimited: Int
    let addressNotAllowed: Int

    init(_ bar: UsageReport.Bar, in zone: ReportZone) {
        (start, end, isPartial) = (bar.start, bar.end, bar.isPartial)
        localStart = zone.local(at: bar.start).description
        (admitted, refused) = (bar.admitted, bar.refused)
        (featureLocked, notAMember) = (bar.count(.featureLocked), bar.count(.notAMember))
        (rateLimited, addressNotAllowed) = (bar.count(.rateLimited), bar.count(.addressNotAllowed))
    }

    package static let noun = "UsageBucket"
    package static let sample = UsageJSON.sample.buckets[0]
}

/// All buckets together.
package struct UsageTotalJSON: JSONNoun {
    let admitted: Int
    /// Whatever the reason.
    let refused: Int
    let featureLocked: Int
    let notAMember: Int
    let rateLimited: Int
    let addressNotAllowed: Int

    init(_ count: (UsageOutcome) -> Int) {
        admitted = count(.admitted)
        refused = UsageOutcome.refusals.map(count).reduce(0, +)
        (featureLocked, notAMember) = (count(.featureLocked), count(.notAMember))
        (rateLimited, addressNotAllowed) = (count(.rateLimited), count(.addressNotAllowed))
    }

    package static let noun = "UsageTotal"
    package static let sample = UsageTotalJSON { _ in 0 }
}
