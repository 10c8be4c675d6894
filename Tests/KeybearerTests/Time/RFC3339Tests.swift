import Testing

@testable import Keybearer

/// The times that programs send, by ``RFC3339``.
@Suite struct RFC3339Tests {
    @Test(
        "Times with and without parts of a second, in any zone, are read",
        arguments: [
            ("2026-01-31T09:05:07Z", "2026-01-31T09:05:07.000Z"),
            ("2026-01-31t09:05:07.25z", "2026-01-31T09:05:07.250Z"),
            ("2026-01-31T09:05:07.2509999Z", "2026-01-31T09:05:07.250Z"),
            ("2026-01-31T00:30:00+01:00", "2026-01-30T23:30:00.000Z"),
            ("2026-02-28T23:30:00-00:45", "2026-03-01T00:15:00.000Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ])
    func read(text: String, same: String) throws {
        #expect(try #require(Timestamp(rfc3339: text)).description == same)
    }

    @Test(
        "What is no time is refused",
        arguments: [
            "", "2026-01-31", "2026-01-31 09:05:07Z", "2026-01-31T09:05:07", "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-31T24:00:00Z",
            "2026-01-31T09:60:00Z", "2026-01-31T09:05:61Z", "2026-01-31T09:05:07.Z", "2026-01-31T09:05:07+24:00",
            "2026-01-31T09:05:07+01", "٢٠٢٦-01-31T09:05:07Z", " 2026-01-31T09:05:07Z",
            "2026-01-31T09:05:07.\(String(repeating: "1", count: 60))Z",
        ])
    func refused(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }
}
