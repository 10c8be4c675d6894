/// A reading of a clock that only runs forward and that counts the time a process or a machine was suspended.
///
/// Leases are measured with it. A wall clock can be set back, and a clock that stops during suspension would let a
/// process that was stopped for a minute believe that its two-second lease still holds.
public struct SteadyTime: Sendable, Hashable, Comparable {
    /// Nanoseconds since an origin that is fixed for the life of the process.
    public var nanoseconds: Int64

    /// Makes a reading; only differences between readings of one process mean anything.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Before every reading that a clock can give.
    public static let distantPast = SteadyTime(nanoseconds: .min)
    /// After every reading that a clock can give.
    public static let distantFuture = SteadyTime(nanoseconds: .max)

    public static func < (left: SteadyTime, right: SteadyTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// This reading moved by a span.
    public func advanced(by span: Duration) -> SteadyTime {
        SteadyTime(nanoseconds: nanoseconds &+ span.wholeNanoseconds)
    }

    /// The span from this reading to a later one; negative when `other` is earlier.
    public func duration(to other: SteadyTime) -> Duration {
        .nanoseconds(other.nanoseconds - nanoseconds)
    }
}
