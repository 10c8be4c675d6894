import TestSupport
import Testing

@testable import Keybearer

@Suite("The health of an endpoint")
struct EndpointHealthTests {
    /// So many hours behind the beginning.
    private static func after(_ count: Double) -> Timestamp {
        Samples.start.advanced(by: .milliseconds(Int64(count * 3_600_000)))
    }

    @Test(
        "Failures alone send notices after half an hour, at a half and nine tenths of five days, and when it is disabled"
    )
    func fails() {
        var health = EndpointHealth()
        #expect(health.failed(at: Self.after(0)) == [])
        #expect(health.failed(at: Self.after(0.49)) == [])
        #expect(health.failed(at: Self.after(0.5)) == [.notify(.failing)])
        #expect(health.failed(at: Self.after(59)) == [])
        #expect(health.failed(at: Self.after(60)) == [.notify(.half)])
        #expect(health.failed(at: Self.after(107)) == [])
        #expect(health.failed(at: Self.after(108)) == [.notify(.almost)])
        #expect(health.failed(at: Self.after(119.9)) == [])
        #expect(health.failed(at: Self.after(120)) == [.disable])
    }

    @Test("One success ends a failure, and sends a notice where the failure did")
    func recovers() {
        var health = EndpointHealth()
        #expect(health.succeeded() == [])
        _ = health.failed(at: Self.after(0))
        #expect(health.succeeded() == [] && health == EndpointHealth())
        _ = health.failed(at: Self.after(1))
        #expect(health.failed(at: Self.after(2)) == [.notify(.failing)])
        #expect(health.succeeded() == [.notifyOfRecovery] && health == EndpointHealth())
        // The next failure is counted from its own beginning.
        #expect(health.failed(at: Self.after(200)) == [])
    }

    @Test("One that says it is gone is disabled immediately")
    func gone() {
        var health = EndpointHealth()
        #expect(health.failed(at: Self.after(0), isGone: true) == [.disable])
    }

    @Test("Of levels that were passed between two attempts the highest alone sends a notice")
    func skipped() {
        var health = EndpointHealth()
        _ = health.failed(at: Self.after(0))
        #expect(health.failed(at: Self.after(110)) == [.notify(.almost)])
    }

    @Test("Five failures in a row pause it; then one message at a time is tried, and the pauses grow to five minutes")
    func pauses() {
        var health = EndpointHealth()
        var now = Self.after(0)
        for _ in 0..<4 { _ = health.failed(at: now) }
        #expect(health.concurrency(at: now, most: 8) == 8)
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] as [Int64] {
            _ = health.failed(at: now)
            let end = now.advanced(by: .seconds(seconds))
            #expect(health.pausedUntil == end)
            #expect(health.concurrency(at: end.advanced(by: .milliseconds(-1)), most: 8) == 0)
            #expect(health.concurrency(at: end, most: 8) == 1)
            now = end
        }
        _ = health.succeeded()
        #expect(health.concurrency(at: now, most: 8) == 8)
    }

    @Test("Whatever happens, no notice is sent twice, and none out of order", arguments: 0..<50)
    func anything(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var health = EndpointHealth()
        var now = Self.after(0)
        var last = EndpointHealth.Notice.none
        for _ in 0..<500 {
            now = now.advanced(by: .seconds(Int64.random(in: -60...40_000, using: &random)))
            let isSuccess = Int.random(in: 0..<20, using: &random) == 0
            let actions = isSuccess ? health.succeeded() : health.failed(at: now)
            #expect(actions.count <= 1)
            switch actions.first {
            case .notify(let level):
                #expect(level > last && !isSuccess)
                last = level
            case .notifyOfRecovery:
                #expect(last != .none && isSuccess)
                last = .none
            case .disable:
                health.enabled()
                last = .none
            case .none: if isSuccess { #expect(last == .none) }
            }
        }
    }

    @Test("A burst that fails together begins one pause, the shortest")
    func burst() {
        var health = EndpointHealth()
        let start = Timestamp(millisecondsSinceEpoch: 1_000_000)
        for index in 0..<64 { _ = health.failed(at: start.advanced(by: .milliseconds(Int64(index))), began: start) }
        #expect(health.failures == EndpointHealth.failuresUntilPause)
        #expect(health.pausedUntil == start.advanced(by: .milliseconds(5_004)))
        // A probe that fails makes it longer.
        let probe = start.advanced(by: .seconds(6))
        _ = health.failed(at: probe, began: probe)
        #expect(health.pausedUntil == probe.advanced(by: .seconds(10)))
    }
}
