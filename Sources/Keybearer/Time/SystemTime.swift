#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

#if canImport(Darwin)
/// Counts suspension: the clock of `ContinuousClock`.
private let steadyClock = CLOCK_MONOTONIC_RAW
#else
/// Counts suspension: the clock of `ContinuousClock`.
private let steadyClock = CLOCK_BOOTTIME
#endif

extension SteadyTime {
    /// The system's clock that counts suspension.
    package static func systemNow() -> SteadyTime {
        var time = timespec()
        clock_gettime(steadyClock, &time)
        return SteadyTime(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }
}

extension Timestamp {
    /// The system's real-time clock, in milliseconds.
    static func systemNow() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(millisecondsSinceEpoch: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
