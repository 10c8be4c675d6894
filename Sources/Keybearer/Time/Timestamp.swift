/// A point in wall-clock time: whole milliseconds since 1970-01-01T00:00:00Z.
///
/// Wall time is for people (generated, last used) and for the rolling hour in the store. Nothing that
/// revokes a key reads it; that is ``SteadyTime``'s job.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Milliseconds since the Unix epoch; negative before 1970.
    public var millisecondsSinceEpoch: Int64

    /// Makes a timestamp from milliseconds since the Unix epoch.
    public init(millisecondsSinceEpoch: Int64) {
        self.millisecondsSinceEpoch = millisecondsSinceEpoch
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.millisecondsSinceEpoch < right.millisecondsSinceEpoch
    }

    /// This point moved by a span; parts of a millisecond are dropped.
    public func advanced(by span: Duration) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: millisecondsSinceEpoch + span.wholeMilliseconds)
    }

    /// The span from this point to a later one; negative when `other` is earlier.
    public func duration(to other: Timestamp) -> Duration {
        .milliseconds(other.millisecondsSinceEpoch - millisecondsSinceEpoch)
    }

    /// The form of HTTP's `Date` (RFC 9110 §5.6.7), for example `Sat, 31 Jan 2026 09:05:07 GMT`.
    public var httpDate: String {
        let (days, rest) = daysAndRest
        let (year, month, day) = Self.civilDate(daysSinceEpoch: days)
        return ASCIIText.make(capacity: 29) { text in
            text.text(Self.weekdays[Int(((days + 4) % 7 + 7) % 7)])
            text.text(", ")
            text.number(day, digits: 2)
            text.text(" ")
            text.text(Self.months[Int(month) - 1])
            text.text(" ")
            text.number(year, digits: 4)
            text.text(" ")
            Self.writeTimeOfDay(rest, to: &text)
            text.text(" GMT")
        }
    }

    private static let weekdays: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `09:05:07` of the milliseconds of a day.
    private static func writeTimeOfDay(_ milliseconds: Int64, to text: inout ASCIIText) {
        text.number(milliseconds / 3_600_000, digits: 2)
        text.text(":")
        text.number(milliseconds / 60_000 % 60, digits: 2)
        text.text(":")
        text.number(milliseconds / 1_000 % 60, digits: 2)
    }

    /// Whole days since the epoch and the milliseconds of the day.
    private var daysAndRest: (days: Int64, rest: Int64) {
        let dayLength: Int64 = 86_400_000
        let rest = (millisecondsSinceEpoch % dayLength + dayLength) % dayLength
        return ((millisecondsSinceEpoch - rest) / dayLength, rest)
    }

    /// RFC 3339 in UTC with milliseconds, for example `2026-01-31T09:05:07.250Z`.
    public var description: String {
        let (days, rest) = daysAndRest
        let (year, month, day) = Self.civilDate(daysSinceEpoch: days)
        return ASCIIText.make(capacity: 24) { text in
            text.number(year, digits: 4)
            text.text("-")
            text.number(month, digits: 2)
            text.text("-")
            text.number(day, digits: 2)
            text.text("T")
            Self.writeTimeOfDay(rest, to: &text)
            text.text(".")
            text.number(rest % 1_000, digits: 3)
            text.text("Z")
        }
    }

    /// The proleptic Gregorian date of a day number, by 400-year eras that start on 1 March.
    static func civilDate(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = daysSinceEpoch + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Duration {
    /// The span in whole milliseconds; what is smaller is dropped.
    package var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }

    /// The span in whole nanoseconds; what is smaller is dropped.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    /// The span in whole seconds, rounded up, never negative: the form that HTTP headers take.
    package var secondsRoundedUp: Int64 {
        let milliseconds = wholeMilliseconds
        return milliseconds <= 0 ? 0 : (milliseconds + 999) / 1_000
    }
}
