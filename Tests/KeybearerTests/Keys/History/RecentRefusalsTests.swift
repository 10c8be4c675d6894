import TestSupport
import Testing

@testable import Keybearer

/// ``RecentRefusals``: the last ones of a few, and one in a second of a flood.
@Suite struct RecentRefusalsTests {
    private func refusal(_ number: Int, at milliseconds: Int64) -> KeyRefusal {
        KeyRefusal(
            at: Samples.start.advanced(by: .milliseconds(milliseconds)), reason: .rateLimited, address: Samples.address,
            requestID: "req_\(number)")
    }

    @Test("Twenty in a moment are all kept, and the last one always")
    func burst() {
        var refusals = RecentRefusals()
        for number in 0..<20 { refusals.record(refusal(number, at: Int64(number))) }
        #expect(refusals.take().map(\.requestID) == (0..<20).map { "req_\($0)" })
        #expect(refusals.take().isEmpty)
        for number in 20..<5_000 { refusals.record(refusal(number, at: 30)) }
        #expect(refusals.take().map(\.requestID) == ["req_4999"])
    }

    @Test("Of a flood, no more is written than about one in a second")
    func flood() {
        var refusals = RecentRefusals()
        var (written, number) = (0, 0)
        for second in 0..<100 {
            for step in 0..<100 {
                refusals.record(refusal(number, at: Int64(second * 1_000 + step * 10)))
                number += 1
            }
            let taken = refusals.take()
            #expect(taken.last?.requestID == "req_\(number - 1)")
            written += taken.count
        }
        #expect((100...130).contains(written), "\(written)")
    }

    @Test("A clock that is set back ends nothing")
    func back() {
        var refusals = RecentRefusals()
        for number in 0..<50 { refusals.record(refusal(number, at: 1_000_000 - Int64(number) * 10_000)) }
        let taken = refusals.take()
        #expect(taken.count <= KeyHistory.mostRefusals && taken.last?.requestID == "req_49")
    }
}
