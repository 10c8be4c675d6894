package import Keybearer
import Synchronization

/// Two clocks that stand still until a test moves them.
package final class TestClock: Sendable {
    private let nanoseconds: Lock<Int64>
    private let start: Timestamp

    /// Starts one second after the origin of the steady clock, at `start` on the wall.
    package init(start: Timestamp = Samples.start) {
        self.start = start
        nanoseconds = Lock(1_000_000_000)
    }

    /// Moves both clocks.
    package func advance(by span: Duration) {
        nanoseconds.withLock { $0 += span.wholeNanoseconds }
    }

    /// The clocks, to pass in.
    package var clocks: Clocks {
        Clocks(
            steady: { [self] in SteadyTime(nanoseconds: nanoseconds.withLock { $0 }) },
            wall: { [self] in start.advanced(by: .nanoseconds(nanoseconds.withLock { $0 } - 1_000_000_000)) })
    }
}
