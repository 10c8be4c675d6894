import Synchronization

/// A read of one key that is under way, and the requests that wait for it.
final class SingleFlightRead: Sendable {
    typealias Outcome = Result<CachedAccount?, any Error>

    private enum State {
        case waiting([Timeout.Waiter<CachedAccount?>])
        case done(Outcome)
    }

    /// The cache's generation when the read began. Requests may share the read only while it is current.
    let generation: UInt64
    private let state = Lock(State.waiting([]))

    init(generation: UInt64) {
        self.generation = generation
    }

    /// Resumes a waiter with the outcome, now or when there is one.
    func add(_ waiter: Timeout.Waiter<CachedAccount?>) {
        let outcome: Outcome? = state.withLock { state in
            switch state {
            case .done(let outcome): return outcome
            case .waiting(let waiters):
                state = .waiting(waiters + [waiter])
                return nil
            }
        }
        if let outcome { waiter.resume(with: outcome) }
    }

    /// Ends the read.
    func finish(_ outcome: Outcome) {
        let waiters: [Timeout.Waiter<CachedAccount?>] = state.withLock { state in
            guard case .waiting(let waiters) = state else { return [] }
            state = .done(outcome)
            return waiters
        }
        for waiter in waiters { waiter.resume(with: outcome) }
    }
}
