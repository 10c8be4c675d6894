import Foundation
import Testing

@testable import Keybearer

/// A ``Timestamp`` as text, and a `Duration` in seconds.
@Suite struct TimestampTests {
    @Test(
        "Timestamps print as RFC 3339 in UTC with milliseconds, as Foundation does",
        arguments: [
            0, 1, 951_782_399_999, 951_868_800_000, 1_767_225_600_250, 4_102_444_799_999, -1, -2_208_988_800_000,
        ])
    func timestamps(milliseconds: Int64) {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        // A fifth of a millisecond more, since Foundation cuts what binary fractions fall short of.
        let date = Date(timeIntervalSince1970: (Double(milliseconds) + 0.2) / 1_000)
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).description == date.formatted(style))
    }

    @Test(
        "HTTP dates are as Foundation writes them",
        arguments: [0, 951_782_399_999, 951_868_800_000, 1_767_225_600_250, 1_795_480_741_000, 4_102_444_799_999, -1])
    func httpDates(milliseconds: Int64) {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        let date = Date(timeIntervalSince1970: (Double(milliseconds) / 1_000).rounded(.down))
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).httpDate == formatter.string(from: date))
    }

    @Test("Seconds are rounded up, never below zero")
    func rounding() {
        #expect(Duration.milliseconds(1).secondsRoundedUp == 1)
        #expect(Duration.seconds(2).secondsRoundedUp == 2)
        #expect(Duration.milliseconds(-5).secondsRoundedUp == 0)
    }
}
