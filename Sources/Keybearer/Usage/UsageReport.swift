/// What an account's requests came to, over a span of time: bars without gaps, and their total.
///
/// Pure: made of a range, a zone, the time, and a sum for each bar.
public struct UsageReport: Sendable, Equatable {
    /// How far back a report goes, and how long its bars are.
    public enum Range: String, Sendable, CaseIterable {
        /// 24 hours, the present one included.
        case hours = "24h"
        /// 30 days, today included.
        case days = "30d"
        /// 12 months, the present one included.
        case months = "12m"

        /// How many bars it has.
        public var barCount: Int {
            switch self {
            case .hours: 24
            case .days: 30
            case .months: 12
            }
        }
    }

    /// One hour, day or month.
    public struct Bar: Sendable, Equatable {
        /// When it began.
        public let start: Timestamp
        /// When the next one begins.
        public let end: Timestamp
        /// Whether it is not over yet.
        public let isPartial: Bool
        /// What requests came to; an outcome that none had may be missing.
        public let counts: [UsageOutcome: Int]

        /// How many had an outcome.
        public func count(_ outcome: UsageOutcome) -> Int { counts[outcome, default: 0] }

        /// How many were admitted.
        public var admitted: Int { count(.admitted) }
        /// How many were refused, whatever the reason.
        public var refused: Int { UsageOutcome.refusals.map(count).reduce(0, +) }
    }

    public let range: Range
    /// The zone in which bars begin.
    public let zone: ReportZone
    /// From the oldest to the present one.
    public let bars: [Bar]

    /// When each bar of a range begins, and when the last one ends.
    public static func times(of range: Range, in zone: ReportZone, at now: Timestamp) -> [Timestamp] {
        let count = range.barCount
        switch range {
        case .days: return (1 - count...1).map { zone.startOfDay(now, further: $0) }
        case .months: return (1 - count...1).map { zone.startOfMonth(now, further: $0) }
        case .hours:
            let start = zone.startOfHour(now)
            // An hour later is in the next one: none is longer, and one is shorter where clocks are moved within it.
            var times = [zone.startOfHour(start.advanced(by: .seconds(3_600))), start]
            while times.count <= count {
                times.append(zone.startOfHour(times[times.count - 1].advanced(by: .milliseconds(-1))))
            }
            return times.reversed()
        }
    }

    /// Puts a report together.
    ///
    /// - Parameters:
    ///   - times: of ``times(of:in:at:)``.
    ///   - sums: of each bar.
    public init(
        _ range: Range, in zone: ReportZone, times: [Timestamp], sums: [[UsageOutcome: Int]], now: Timestamp
    ) {
        self.range = range
        self.zone = zone
        bars = zip(zip(times, times.dropFirst()), sums).map { span, counts in
            Bar(start: span.0, end: span.1, isPartial: span.1 > now, counts: counts)
        }
    }

    /// How many had an outcome, in all bars together.
    public func total(_ outcome: UsageOutcome) -> Int { bars.map { $0.count(outcome) }.reduce(0, +) }

    /// How many were admitted, in all bars together.
    public var admitted: Int { total(.admitted) }
    /// How many were refused, in all bars together.
    public var refused: Int { bars.map(\.refused).reduce(0, +) }
}
