import Testing

@testable import Keybearer

@Suite("Dates of HTTP")
struct HTTPDateTests {
    @Test(
        "Every one that is written is read",
        arguments: [0, 1_769_850_307_000, 951_782_400_000, 4_102_444_799_000] as [Int64])
    func roundTrip(milliseconds: Int64) {
        let time = Timestamp(millisecondsSinceEpoch: milliseconds)
        #expect(Timestamp(httpDate: time.httpDate) == time)
    }

    @Test(
        "Everything else is refused",
        arguments: [
            "", "Sat, 31 Jan 2026 09:05:07", "Sun, 31 Jan 2026 09:05:07 GMT", "Sat, 31 Jan 2026 09:05:07 UTC",
            "sat, 31 jan 2026 09:05:07 gmt", "Sat, 31 Feb 2026 09:05:07 GMT", "Sat, 31 Jan 2026 25:05:07 GMT",
            "Saturday, 31-Jan-26 09:05:07 GMT", "Sat Jan 31 09:05:07 2026", "Sat,  1 Jan 2026 09:05:07 GMT",
        ])
    func refused(text: String) {
        #expect(Timestamp(httpDate: text) == nil)
    }
}
