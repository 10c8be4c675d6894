import Keybearer

/// A point in time as a page shows it: for machines in `datetime`, for people in UTC.
struct PageTime: Sendable, Equatable {
    /// RFC 3339 in UTC with milliseconds, for the `datetime` attribute.
    let iso: String
    /// Readable and sortable, to the second: `2026-01-31 09:05:07 UTC`.
    let text: String
    /// The time of day alone, rounded up to the minute, so that whoever waits until then has waited enough: `09:06 UTC`.
    let clock: String

    /// All forms of a timestamp.
    init(_ timestamp: Timestamp) {
        iso = timestamp.description
        text = "\(iso.prefix(10)) \(iso.dropFirst(11).prefix(8)) UTC"
        let wholeMinute = Timestamp(millisecondsSinceEpoch: timestamp.millisecondsSinceEpoch + 59_999).description
        clock = "\(wholeMinute.dropFirst(11).prefix(5)) UTC"
    }
}

/// Spans of time in words.
enum PageDuration {
    /// A span rounded up to its largest unit, such as `45 seconds`, `1 minute` or `3 hours`; at least `1 second`.
    ///
    /// It never names less time than there is, so a person who waits that long has waited enough.
    static func words(_ span: Duration) -> String {
        let seconds = max(1, span.secondsRoundedUp)
        if seconds < 60 { return count(seconds, "second") }
        if seconds <= 119 * 60 { return count((seconds + 59) / 60, "minute") }
        return count((seconds + 3_599) / 3_600, "hour")
    }

    private static func count(_ number: Int64, _ unit: String) -> String {
        "\(number) \(unit)\(number == 1 ? "" : "s")"
    }
}
