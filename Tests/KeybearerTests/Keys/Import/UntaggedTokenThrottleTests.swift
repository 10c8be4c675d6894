import TestSupport
import Testing

@testable import Keybearer

/// The ``UntaggedTokenThrottle``: who waits, for how long, and in how much memory.
@Suite struct UntaggedTokenThrottleTests {
    private let clock = TestClock()
    private var now: SteadyTime { clock.clocks.steady() }

    @Test("A hundred failures are free, then each further one doubles the wait up to a minute")
    func waits() {
        let throttle = UntaggedTokenThrottle()
        let address = IPAddress(v4: 0xC000_0201)
        for _ in 0..<UntaggedTokenThrottle.freeFailures {
            #expect(throttle.wait(of: address, at: now) == nil)
            throttle.recordFailure(of: address, at: now)
        }
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] as [Int64] {
            #expect(throttle.wait(of: address, at: now) == .seconds(wait))
            #expect(throttle.wait(of: IPAddress(v4: 0xC000_0202), at: now) == nil)
            clock.advance(by: .seconds(wait))
            #expect(throttle.wait(of: address, at: now) == nil)
            throttle.recordFailure(of: address, at: now)
        }
        clock.advance(by: .seconds(600))
        throttle.recordFailure(of: address, at: now)
        #expect(throttle.wait(of: address, at: now) == nil, "forgotten")
    }

    @Test("IPv6 counts by /64, a local socket never, and memory is bounded")
    func networks() {
        let throttle = UntaggedTokenThrottle(capacity: 100)
        for host in 0..<100 {
            throttle.recordFailure(of: IPAddress(high: 7, low: UInt64(host)), at: now)
            throttle.recordFailure(of: .localSocket, at: now)
            throttle.recordFailure(of: IPAddress(high: 0, low: 1), at: now)
        }
        #expect(throttle.wait(of: IPAddress(high: 7, low: 5_000), at: now) == .seconds(1))
        #expect(throttle.wait(of: IPAddress(high: 8, low: 5), at: now) == nil)
        #expect(throttle.wait(of: .localSocket, at: now) == nil)
        for network in 0..<10_000 { throttle.recordFailure(of: IPAddress(v4: UInt32(network)), at: now) }
        #expect(throttle.count <= 100)
        #expect(throttle.wait(of: IPAddress(high: 7, low: 1), at: now) != nil, "a flood of others frees nobody")
    }
}
