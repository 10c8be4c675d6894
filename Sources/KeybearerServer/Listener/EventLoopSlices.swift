import CScheduling
import NIOCore

/// Short slices of processor time for the event loops.
///
/// A loop works for some microseconds and waits. Where it is woken while another thread has its core, such as one that
/// commits to the store, it would wait for the rest of that thread's slice: up to 1.4 ms on two cores. Since 6.12 Linux
/// lets a thread that asked for a shorter slice go first; in the long run it gets no more time than before.
enum EventLoopSlices {
    /// The shortest that Linux grants, in nanoseconds.
    static let gate: UInt64 = 100_000
    /// In nanoseconds. Longer than the gate's, which so goes first, and shorter than what threads have that do not ask.
    static let server: UInt64 = 300_000

    /// Asks on each loop's own thread. Where this is not possible, everything works as without.
    static func shorten(_ group: any EventLoopGroup, to slice: UInt64) {
        for loop in group.makeIterator() {
            loop.execute { keybearer_request_slice(slice) }
        }
    }
}
