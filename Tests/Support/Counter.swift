import Synchronization

/// A number that any thread may raise.
package final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    /// Starts at zero.
    package init() {}

    /// What it has come to.
    package var value: Int { count.load(ordering: .relaxed) }

    /// Raises it by one.
    package func increment() { count.wrappingAdd(1, ordering: .relaxed) }
}
