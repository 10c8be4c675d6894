import Keybearer
import Synchronization

/// Wakes those who wait for something to happen; what rings while nobody waits is kept for the next who does.
final class ChangeNotifier: Sendable {
    private struct State {
        var hasNotified = false
        var nextID = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Lock(State())

    /// Wakes all who wait, or else the next who comes.
    func notify() {
        let waiters = state.withLock { state in
            state.hasNotified = state.waiters.isEmpty
            defer { state.waiters = [:] }
            return state.waiters.values.map { $0 }
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when it rings, or when the span is over.
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
                // A cancelled timer wakes too: whoever rang has taken the waiter, so nothing is woken twice.
                try? await Task.sleep(for: span)
                state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
            }
            timer.withLock { $0 = task }
        }
        timer.withLock { $0 }?.cancel()
    }
}
