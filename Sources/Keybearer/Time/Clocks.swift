/// The two clocks that the domain reads, passed in so that tests can hold them.
public struct Clocks: Sendable {
    /// Runs forward through suspension; leases and budgets are measured with it.
    public var steady: @Sendable () -> SteadyTime
    /// The time of day, for what people read and for the store's minute buckets.
    public var wall: @Sendable () -> Timestamp

    /// Puts two clocks together.
    public init(steady: @escaping @Sendable () -> SteadyTime, wall: @escaping @Sendable () -> Timestamp) {
        self.steady = steady
        self.wall = wall
    }

    /// The machine's clocks: the one behind `ContinuousClock`, read without its 128-bit arithmetic, and the real-time
    /// clock.
    public static let system = Clocks(steady: { .systemNow() }, wall: { .systemNow() })
}
