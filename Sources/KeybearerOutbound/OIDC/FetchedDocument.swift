import Keybearer

/// A document of the provider: kept for a while, and fetched once for all who wait for it.
actor FetchedDocument<Value: Sendable> {
    /// How long it is kept.
    static var life: Duration { .seconds(3_600) }
    /// How long it is not fetched again for one who misses something in it.
    static var pause: Duration { .seconds(60) }

    private let steady: @Sendable () -> SteadyTime
    private let fetch: @Sendable (_ end: ContinuousClock.Instant) async throws -> Value
    private var current: (value: Value, at: SteadyTime)?
    private var renewedAt: SteadyTime?
    private var running: Task<Value, any Error>?

    init(
        steady: @escaping @Sendable () -> SteadyTime,
        _ fetch: @escaping @Sendable (_ end: ContinuousClock.Instant) async throws -> Value
    ) {
        self.steady = steady
        self.fetch = fetch
    }

    /// The document, at most an hour old. A failure is not kept.
    func value(until end: ContinuousClock.Instant) async throws -> Value {
        if let current, current.at.duration(to: steady()) < Self.life { return current.value }
        return try await fetched(until: end)
    }

    /// The document as it is now, for one who misses something in what was kept; nil where somebody else did less than a
    /// minute ago.
    func renewed(until end: ContinuousClock.Instant) async throws -> Value? {
        if let renewedAt, renewedAt.duration(to: steady()) < Self.pause { return nil }
        renewedAt = steady()
        return try await fetched(until: end)
    }

    private func fetched(until end: ContinuousClock.Instant) async throws -> Value {
        if let running { return try await running.value }
        let fetch = fetch
        let task = Task { try await fetch(end) }
        running = task
        defer { running = nil }
        let value = try await task.value
        current = (value, steady())
        return value
    }
}
