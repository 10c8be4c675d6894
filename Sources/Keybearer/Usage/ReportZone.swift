import Foundation

/// A time zone of the IANA database, in which a report's hours, days and months begin.
public struct ReportZone: Sendable, Equatable {
    /// A time as clocks in the zone show it.
    public struct Local: Sendable, Equatable {
        /// Of the Gregorian calendar.
        public let year, month, day: Int
        /// From 0 to 23.
        public let hour: Int
        /// From 0 to 59.
        public let minute: Int
        /// How far the zone is ahead of UTC then, in minutes; negative west of Greenwich.
        public let offsetMinutes: Int
    }

    /// Its name, such as `Europe/Berlin`.
    public let name: String
    private let zone: TimeZone

    /// Coordinated Universal Time.
    public static let utc = ReportZone(name: "UTC", zone: .gmt)

    /// The names to choose from, in order. More are known: former names as well.
    public static let names: [String] =
        ["UTC"] + TimeZone.knownTimeZoneIdentifiers.filter { isWellFormed($0) && $0.contains("/") }.sorted()

    /// The zone of a name; nil where this system knows none. Abbreviations such as `EST` and offsets are no names: they
    /// have no rules.
    public init?(_ name: String) {
        if name == "UTC" || name == "Etc/UTC" {
            self = .utc
            return
        }
        guard Self.isWellFormed(name), name.contains("/"), let zone = TimeZone(identifier: name) else { return nil }
        self.init(name: name, zone: zone)
    }

    private init(name: String, zone: TimeZone) {
        self.name = name
        self.zone = zone
    }

    /// What a name may consist of: it comes from clients, and leads the system to a file of its own.
    private static func isWellFormed(_ name: String) -> Bool {
        name.utf8.count <= 64 && name.first?.isLetter == true
            && name.utf8.allSatisfy { Base62.contains($0) || [UInt8(ascii: "/"), 0x2B, 0x2D, 0x5F].contains($0) }
    }

    /// The time that clocks in the zone show.
    public func local(at time: Timestamp) -> Local {
        let offset = offset(at: time)
        let (days, rest) = Self.daysAndRest(time.millisecondsSinceEpoch + offset)
        let (year, month, day) = Timestamp.civilDate(daysSinceEpoch: days)
        return Local(
            year: Int(year), month: Int(month), day: Int(day), hour: Int(rest / 3_600_000),
            minute: Int(rest / 60_000 % 60), offsetMinutes: Int(offset / 60_000))
    }

    /// When the hour began that a time is in.
    func startOfHour(_ time: Timestamp) -> Timestamp {
        let offset = offset(at: time)
        let (_, rest) = Self.daysAndRest(time.millisecondsSinceEpoch + offset)
        let start = Timestamp(millisecondsSinceEpoch: time.millisecondsSinceEpoch - rest % 3_600_000)
        // Where clocks were moved by half an hour within it, it began then.
        return firstQuarter(from: start, until: time) { self.offset(at: $0) == offset }
    }

    /// When the day began that a time is in, and the days around it.
    ///
    /// - Parameter days: how many days further: 1 is the next day.
    func startOfDay(_ time: Timestamp, further days: Int = 0) -> Timestamp {
        let (day, _) = Self.daysAndRest(time.millisecondsSinceEpoch + offset(at: time))
        return start(ofDay: day + Int64(days))
    }

    /// When the month began that a time is in, and the months around it.
    ///
    /// - Parameter months: how many months further: 1 is the next month.
    func startOfMonth(_ time: Timestamp, further months: Int = 0) -> Timestamp {
        let local = local(at: time)
        let month = local.year * 12 + local.month - 1 + months
        return start(ofDay: Self.daysSinceEpoch(year: Int64(month / 12), month: Int64(month % 12 + 1)))
    }

    /// The first moment of a day: midnight, or what follows where clocks are moved forward at midnight.
    private func start(ofDay day: Int64) -> Timestamp {
        let midnight = day * 86_400_000
        func quarter(_ hours: Int64) -> Timestamp {
            UsageQuarter.start(of: Timestamp(millisecondsSinceEpoch: midnight + hours * 3_600_000))
        }
        // No zone is further from UTC.
        return firstQuarter(from: quarter(-26), until: quarter(26)) { time in
            time.millisecondsSinceEpoch + offset(at: time) >= midnight
        }
    }

    /// The first quarter of an hour from which something holds. It holds at the end.
    private func firstQuarter(
        from start: Timestamp, until end: Timestamp, _ holds: (Timestamp) -> Bool
    ) -> Timestamp {
        func quarter(_ number: Int64) -> Timestamp {
            start.advanced(by: .milliseconds(number * UsageQuarter.milliseconds))
        }
        var low: Int64 = 0
        var high =
            (start.duration(to: end).wholeMilliseconds + UsageQuarter.milliseconds - 1) / UsageQuarter.milliseconds
        while low < high {
            let middle = (low + high) / 2
            if holds(quarter(middle)) { high = middle } else { low = middle + 1 }
        }
        return quarter(low)
    }

    /// In milliseconds.
    private func offset(at time: Timestamp) -> Int64 {
        let date = Date(timeIntervalSince1970: Double(time.millisecondsSinceEpoch) / 1_000)
        return Int64(zone.secondsFromGMT(for: date)) * 1_000
    }

    private static func daysAndRest(_ milliseconds: Int64) -> (days: Int64, rest: Int64) {
        let rest = (milliseconds % 86_400_000 + 86_400_000) % 86_400_000
        return ((milliseconds - rest) / 86_400_000, rest)
    }

    /// The day number of the first day of a month: the inverse of ``Timestamp/civilDate(daysSinceEpoch:)``.
    private static func daysSinceEpoch(year: Int64, month: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

extension ReportZone.Local {
    /// RFC 3339 to the minute, with the offset: `2026-03-29T02:00:00+01:00`.
    public var description: String {
        "\(date)T\(time):00\(offsetMinutes == 0 ? "Z" : offset)"
    }

    /// `2026-03-29`
    public var date: String { "\(yearMonth)-\(Self.twoDigits(day))" }

    /// `2026-03`
    public var yearMonth: String { "\(year)-\(Self.twoDigits(month))" }

    /// `02:00`
    public var time: String { "\(Self.twoDigits(hour)):\(Self.twoDigits(minute))" }

    /// `+01:00`
    public var offset: String {
        let minutes = abs(offsetMinutes)
        return "\(offsetMinutes < 0 ? "-" : "+")\(Self.twoDigits(minutes / 60)):\(Self.twoDigits(minutes % 60))"
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
