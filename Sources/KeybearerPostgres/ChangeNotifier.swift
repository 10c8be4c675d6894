import Keybearer
import Synchronization

/// Wakes those who wait for changes. A notification that comes while nobody waits is kept for the next who does.
final class ChangeNotifier: Sendable {
    private struct State {
        var hasNotified = false
        var nextID = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Lock(State())

    /// Wakes all who wait. If nobody does, the next wait returns immediately.
    func notify() {
        let waiters = state.withLock { state in
            state.hasNotified = state.waiters.isEmpty
            defer { state.waiters = [:] }
            return state.waiters.values.map { $0 }
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns at a notification, or when the span is over.
    func wait(atMost span: Duration) async {
        let timer = Lock<Task<Void, Never>?>(nil)
        await withCheckedContinuation { continuation in
            let id = state.withLock { state -> Int? in
                if state.hasNotified {
                    state.hasNotified = false
                    return nil
                }
                state.nextID += 1
                state.waiters[state.nextID] = continuation
                return state.nextID
            }
            guard let id else { return continuation.resume() }
            let task = Task { [self] in
                // A cancelled timer gets here too: `notify` has removed the waiter by then, so nothing resumes twice.
                try? await Task.sleep(for: span)
                state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
            }
            timer.withLock { $0 = task }
        }
        timer.withLock { $0 }?.cancel()
    }
}
