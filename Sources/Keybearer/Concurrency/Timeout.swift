import Synchronization

/// Waits for the store, but not for longer than a request may take.
///
/// What was begun goes on: a reservation that comes late serves the next request. Only the waiting ends.
enum Timeout {
    /// How often waiting requests are looked at: they wait up to this much longer than they may.
    private static let interval: Duration = .milliseconds(100)

    /// Those who wait, and whether somebody looks at them. One timer for all of them, for each of its own would wake
    /// two threads more on every cold request.
    private struct State {
        var waiting: [(until: ContinuousClock.Instant, waiter: any TimedWaiter)] = []
        var isWatched = false
    }
    private static let state = Lock(State())

    /// Answers what the waiter is resumed with, or throws `UNAVAILABLE` when the span is over first.
    ///
    /// - Parameter begin: starts the work, which resumes the waiter when it is done; it must not block.
    static func atMost<Value: Sendable>(
        _ span: Duration, _ begin: (Waiter<Value>) -> Void
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let waiter = Waiter(continuation, patience: span)
            let mustWatch = state.withLock { state in
                state.waiting.append((.now.advanced(by: span), waiter))
                defer { state.isWatched = true }
                return !state.isWatched
            }
            if mustWatch { Task { await watch() } }
            begin(waiter)
        }
    }

    private static func watch() async {
        while true {
            try? await Task.sleep(for: interval)
            let now = ContinuousClock.now
            let late: [any TimedWaiter]? = state.withLock { state in
                let late = state.waiting.filter { $0.until <= now }.map(\.waiter)
                state.waiting.removeAll { $0.until <= now || !$0.waiter.isWaiting }
                if !state.waiting.isEmpty || !late.isEmpty { return late }
                state.isWatched = false
                return nil
            }
            guard let late else { return }
            for waiter in late { waiter.giveUp() }
        }
    }

    /// Resumes its continuation once, whoever comes first.
    final class Waiter<Value: Sendable>: TimedWaiter {
        private let continuation: Lock<CheckedContinuation<Value, any Error>?>
        private let patience: Duration

        fileprivate init(_ continuation: CheckedContinuation<Value, any Error>, patience: Duration) {
            self.continuation = Lock(continuation)
            self.patience = patience
        }

        func resume(with result: Result<Value, any Error>) {
            let taken = continuation.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            taken?.resume(with: result)
        }

        fileprivate var isWaiting: Bool { continuation.withLock { $0 != nil } }
        fileprivate func giveUp() {
            resume(with: .failure(KeybearerError.unavailable(cause: StoreTimedOut(patience: patience))))
        }
    }
}

/// The store did not answer while a request waited for it: for the log.
struct StoreTimedOut: Error, CustomStringConvertible {
    let patience: Duration
    var description: String { "the database did not answer within \(patience)" }
}

/// What a request waits for, whatever it is.
private protocol TimedWaiter: Sendable {
    var isWaiting: Bool { get }
    func giveUp()
}
