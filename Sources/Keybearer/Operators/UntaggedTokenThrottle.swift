import Synchronization

/// Bounds how often the store is asked for operator tokens of version 0.1, which carry no tag: anyone can make one that
/// has the right shape.
///
/// Those that were found once are looked up freely from then on; all others share a small allowance.
final class UntaggedTokenThrottle: Sendable {
    private struct State {
        var known: Set<[UInt8]> = []
        var left = UntaggedTokenThrottle.burst
        var filledAt: SteadyTime?
    }

    /// How many unknown ones may come together.
    private static let burst = 20
    /// How long until one more may come.
    private static let interval: Duration = .milliseconds(200)
    /// The most that are known: an operator has a handful.
    private static let capacity = 1_000

    private let clocks: Clocks
    private let state = Mutex(State())

    init(clocks: Clocks) {
        self.clocks = clocks
    }

    /// - Throws: `RATE_LIMITED` when too many unknown tokens came.
    func begin(_ digest: [UInt8]) throws(KeybearerError) {
        let now = clocks.steady()
        let mayPass = state.withLock { state in
            if state.known.contains(digest) { return true }
            let intervals = (state.filledAt ?? now).duration(to: now) / Self.interval
            if state.filledAt == nil { state.filledAt = now }
            if intervals >= 1 {
                state.left = min(Self.burst, state.left + Int(min(intervals, Double(Self.burst))))
                state.filledAt = now
            }
            guard state.left > 0 else { return false }
            state.left -= 1
            return true
        }
        guard mayPass else {
            throw KeybearerError(
                .rateLimited, "Too many operator tokens of version 0.1 were not valid. Make a new token.",
                retryAfter: .seconds(1))
        }
    }

    /// Notes a token that was found.
    func succeed(_ digest: [UInt8]) {
        state.withLock { state in
            if state.known.count < Self.capacity, state.known.insert(digest).inserted { state.left += 1 }
        }
    }
}
