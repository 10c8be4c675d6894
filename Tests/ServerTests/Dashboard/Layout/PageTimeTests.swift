import Keybearer
import TestSupport
import Testing

@testable import KeybearerServer

/// A ``PageTime`` for machines and for people.
@Suite struct PageTimeTests {
    @Test("A time is written for machines, and for people in UTC")
    func forms() {
        let time = PageTime(Samples.start.advanced(by: .milliseconds(61_500)))
        #expect(time.iso == "2026-01-01T00:01:01.500Z")
        #expect(time.text == "2026-01-01 00:01:01 UTC")
    }

    @Test(
        "A clock shows the minute in which the time has certainly come",
        arguments: [
            (Duration.zero, "00:00 UTC"), (.milliseconds(1), "00:01 UTC"), (.seconds(60), "00:01 UTC"),
            (.seconds(61), "00:02 UTC"), (.seconds(14 * 3_600 + 91), "14:02 UTC"),
            (.milliseconds(86_399_001), "00:00 UTC"),
        ])
    func clock(after: Duration, text: String) {
        #expect(PageTime(Samples.start.advanced(by: after)).clock == text)
    }

    @Test(
        "A span is never named shorter than it is",
        arguments: [
            (Duration.zero, "1 second"), (.milliseconds(1_001), "2 seconds"), (.seconds(59), "59 seconds"),
            (.seconds(60), "1 minute"), (.seconds(61), "2 minutes"), (.seconds(119 * 60), "119 minutes"),
            (.seconds(119 * 60 + 1), "2 hours"), (.seconds(7_201), "3 hours"),
        ])
    func words(span: Duration, text: String) {
        #expect(PageDuration.words(span) == text)
    }
}
