extension Timestamp {
    /// Reads a time of RFC 3339, such as `2026-01-31T09:05:07.250Z` or `2026-01-31T10:05:07+01:00`; what is finer than a
    /// millisecond is dropped. A leap second is the second behind it.
    ///
    /// Nil for a day that is in no calendar, and for everything else.
    package init?(rfc3339 text: String) {
        let pattern = /(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))/
            .asciiOnlyDigits()
        guard text.utf8.count <= 64, let parts = text.wholeMatch(of: pattern)?.output else { return nil }
        func number(_ text: Substring?) -> Int64 { text.flatMap { Int64($0) } ?? 0 }
        let (year, month, day) = (number(parts.1), number(parts.2), number(parts.3))
        let (hourOfDay, minuteOfHour, second) = (number(parts.4), number(parts.5), number(parts.6))
        let (offsetHours, offsetMinutes) = (number(parts.9), number(parts.10))
        let days = Self.daysSinceEpoch(year: year, month: month, day: day)
        guard (1...12).contains(month), Self.civilDate(daysSinceEpoch: days) == (year, month, day), hourOfDay <= 23,
            minuteOfHour <= 59, second <= 60, offsetHours <= 23, offsetMinutes <= 59
        else { return nil }
        let offset = (offsetHours * 60 + offsetMinutes) * (parts.8 == "-" ? -1 : 1)
        let milliseconds = number(((parts.7 ?? "") + "000").prefix(3))
        let wholeMinutes = days * 1_440 + hourOfDay * 60 + minuteOfHour - offset
        self.init(millisecondsSinceEpoch: wholeMinutes * 60_000 + second * 1_000 + milliseconds)
    }

    /// The day of a date in the Gregorian calendar. Years are counted from March, so that a leap day ends one.
    private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
