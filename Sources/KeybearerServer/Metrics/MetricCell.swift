import CoreMetrics
import Synchronization

/// A number that only grows. Written on the request path: one atomic addition.
final class CounterCell: CounterHandler, Sendable {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) { count.wrappingAdd(max(0, amount), ordering: .relaxed) }

    /// A counter that went back would look like a new process.
    func reset() {}
}

/// A number that goes up and down.
final class GaugeCell: MeterHandler, Sendable {
    /// The bits of the value; those of a NaN until there is one.
    private let bits = Atomic<UInt64>(Double.nan.bitPattern)

    /// nil until it was set.
    var value: Double? {
        let value = Double(bitPattern: bits.load(ordering: .relaxed))
        return value.isNaN ? nil : value
    }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }

    private func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let value = Double(bitPattern: current)
            let (exchanged, original) = bits.compareExchange(
                expected: current, desired: ((value.isNaN ? 0 : value) + amount).bitPattern, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }
}

/// Durations, counted by how long they are. Written on the request path: two atomic additions.
final class HistogramCell: TimerHandler, Sendable {
    private final class Bucket: Sendable {
        let count = Atomic<Int64>(0)
    }

    /// The upper bounds of the buckets in nanoseconds; a last bucket has none.
    private let bounds: [Int64]
    private let buckets: [Bucket]
    private let nanoseconds = Atomic<Int64>(0)

    /// - Parameter bounds: in seconds, ascending.
    init(bounds: [Double]) {
        self.bounds = bounds.map { Int64(($0 * 1e9).rounded()) }
        buckets = (0...bounds.count).map { _ in Bucket() }
    }

    func recordNanoseconds(_ duration: Int64) {
        let duration = max(0, duration)
        // Binary: the bounds span seven orders of magnitude.
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < duration { low = middle + 1 } else { high = middle }
        }
        buckets[low].count.wrappingAdd(1, ordering: .relaxed)
        nanoseconds.wrappingAdd(duration, ordering: .relaxed)
    }

    /// How many are at most as long as each bound, and at last all; and the sum of all in seconds.
    var value: (cumulative: [Int64], sum: Double) {
        var total: Int64 = 0
        let cumulative = buckets.map { bucket in
            total += bucket.count.load(ordering: .relaxed)
            return total
        }
        return (cumulative, Double(nanoseconds.load(ordering: .relaxed)) / 1e9)
    }
}
