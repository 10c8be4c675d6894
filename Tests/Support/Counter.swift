import Synchronization

/// A number that any thread may raise.
public final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    /// Starts at zero.
    public init() {}

    /// What it has come to.
    public var value: Int { count.load(ordering: .relaxed) }

    /// Raises it by one.
    public func increment() { count.wrappingAdd(1, ordering: .relaxed) }
}
