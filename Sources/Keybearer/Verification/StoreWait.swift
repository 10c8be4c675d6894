import Synchronization

/// Waits for the store, but not for longer than a request may take.
///
/// What was begun goes on: a reservation that comes late serves the next request. Only the waiting ends.
enum StoreWait {
    /// Answers what the work does, or throws `UNAVAILABLE` when the span is over first.
    static func atMost<Value: Sendable>(
        _ span: Duration, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let waiter = Waiter(continuation)
            let timer = Task {
                guard (try? await Task.sleep(for: span)) != nil else { return }
                waiter.resume(with: .failure(KeybearerError.unavailable()))
            }
            Task {
                let result: Result<Value, any Error>
                do {
                    result = .success(try await work())
                } catch {
                    result = .failure(error)
                }
                timer.cancel()
                waiter.resume(with: result)
            }
        }
    }

    /// Resumes its continuation once, whoever comes first.
    private final class Waiter<Value: Sendable>: Sendable {
        private let continuation: Mutex<CheckedContinuation<Value, any Error>?>

        init(_ continuation: CheckedContinuation<Value, any Error>) {
            self.continuation = Mutex(continuation)
        }

        func resume(with result: Result<Value, any Error>) {
            let taken = continuation.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            taken?.resume(with: result)
        }
    }
}
