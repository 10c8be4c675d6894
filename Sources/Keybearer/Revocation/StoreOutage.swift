import Logging
import Synchronization

/// What is known of the store from its responses: how long it takes, and whether it is out of reach. The log is told
/// once that it has been for longer than a lease, and once that it is back.
final class StoreOutage: Sendable {
    private struct State {
        var lastResponseAt: SteadyTime
        var lastFailure: (any Error)?
        var isReported = false
    }

    private let clocks: Clocks
    private let logger: Logger
    private let state: Lock<State>
    /// An average that follows the last dozen responses, in nanoseconds.
    private let responseNanoseconds = Atomic<Int64>(0)

    init(clocks: Clocks, logger: Logger) {
        self.clocks = clocks
        self.logger = logger
        state = Lock(State(lastResponseAt: clocks.steady()))
    }

    /// Whether the outage that lasts was reported.
    var isReported: Bool { state.withLock { $0.isReported } }

    /// Why the store could not be asked the last time; nil when it could.
    var lastFailure: (any Error)? { state.withLock { $0.lastFailure } }

    /// How long the store takes to respond, the way to it included: next to nothing for a file.
    var responseTime: Duration { .nanoseconds(responseNanoseconds.load(ordering: .relaxed)) }

    /// The store responded to what was requested at this time.
    func recordResponseTime(since requestedAt: SteadyTime) {
        let span = requestedAt.duration(to: clocks.steady()).wholeNanoseconds
        // Two beside each other may lose one: it is an average.
        let average = responseNanoseconds.load(ordering: .relaxed)
        responseNanoseconds.store(average == 0 ? span : average + (span - average) / 8, ordering: .relaxed)
    }

    /// The store responded.
    func recordResponse() {
        let now = clocks.steady()
        let silence = state.withLock { state in
            defer { state = State(lastResponseAt: now) }
            return state.isReported ? state.lastResponseAt.duration(to: now) : nil
        }
        guard let silence else { return }
        logger.notice(
            "The database is back; memory was emptied.", metadata: ["outOfReachFor": "\(Self.seconds(silence)) s"])
    }

    /// The store could not be asked.
    ///
    /// - Parameter holdsLease: whether memory is still believed. A failure that is over before the lease is hurts
    ///   nobody.
    func recordFailure(_ error: any Error, holdsLease: Bool) {
        // What is no failure of the store, such as a file of master keys that cannot be read, is reported where it
        // arises.
        let isOfStore = error is KeybearerError
        let isNews = state.withLock { state in
            state.lastFailure = error
            let isNews = isOfStore && !holdsLease && !state.isReported
            if isNews { state.isReported = true }
            return isNews
        }
        if isNews {
            logger.warning(
                "The database is out of reach and the lease has run out: nothing is decided until it is back.",
                metadata: ["cause": "\((error as? KeybearerError)?.operatorMessage ?? "\(error)")"])
        } else {
            logger.debug("The store could not be asked for changes.", metadata: ["error": "\(error)"])
        }
    }

    /// With one digit behind the point.
    private static func seconds(_ span: Duration) -> String {
        let tenths = (span.wholeMilliseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10)"
    }
}
