import Keybearer
import TestSupport
import Testing

@testable import KeybearerServer

/// The ``QuotaMeter`` of the rate limit.
@Suite struct QuotaMeterTests {
    @Test(
        "Thousands have a comma",
        arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (20_050, "20,050"), (1_000_000, "1,000,000")])
    func grouped(number: Int, text: String) {
        #expect(QuotaMeter.grouped(number) == text)
    }

    @Test("What is left is held between 0 and the limit")
    func bounds() {
        #expect(QuotaMeter(limit: 10, remaining: 11, resetsAt: nil).remaining == 10)
        #expect(QuotaMeter(limit: 10, remaining: -1, resetsAt: Samples.start).remaining == 0)
        #expect(QuotaMeter(limit: -1, remaining: 5, resetsAt: nil).limit == 0)
        #expect(QuotaMeter(limit: 1_000, remaining: 988, resetsAt: Samples.start).low == 100)
    }
}
