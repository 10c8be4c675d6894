import Synchronization

/// Slows down floods of invented tokens, by client network.
///
/// A token without a tag that is no imported key is a failure. After a hundred failures of a network each further one
/// doubles a wait from 1 s to 60 s, in which such tokens are refused with the time to wait. An imported key never waits,
/// whoever else sends from its network: asked after the set of them, this knows nothing about who guesses right. Kept in
/// memory, bounded, and forgotten after ten minutes without failures.
final class UntaggedTokenThrottle: Sendable {
    static let freeFailures = 100
    private static let memory: Duration = .seconds(600)
    private static let longestWait: Duration = .seconds(60)

    private let records: Lock<FailureTable<IPAddress>>

    /// - Parameter capacity: how many networks are remembered at most.
    init(capacity: Int = 20_000) {
        records = Lock(FailureTable(capacity: capacity, memory: Self.memory))
    }

    /// How many networks are remembered.
    var count: Int { records.withLock { $0.count } }

    /// How long a client must wait before a token of its own that is no key counts as another failure; nil when it need
    /// not. Who has no address is nobody in particular.
    func wait(of address: IPAddress, at now: SteadyTime) -> Duration? {
        guard address != .localSocket else { return nil }
        let record = records.withLock { $0.record(of: address.throttlingNetwork, at: now) }
        guard let record, record.failures >= Self.freeFailures else { return nil }
        let delay = min(Self.longestWait, .seconds(1 << min(record.failures - Self.freeFailures, 6)))
        let left = delay - record.lastFailureAt.duration(to: now)
        return left > .zero ? left : nil
    }

    /// A client sent a token that is no key.
    func recordFailure(of address: IPAddress, at now: SteadyTime) {
        guard address != .localSocket else { return }
        let network = address.throttlingNetwork
        records.withLock { records in
            records.begin(network, at: now)
            records.fail(network, begun: now)
        }
    }
}
