import Synchronization

/// Failed sign-ins to accounts that exist, until they are in the audit log.
///
/// The request does not write them itself: it would take longer for an address that has an account than for one that
/// has none. How many there can be is bounded by ``SignInThrottle``, and here.
final class FailedSignIns: Sendable {
    /// How often they are written.
    static let interval: Duration = .seconds(1)
    /// How many wait at most; more are not recorded.
    static let capacity = 1_000

    private let store: any AuditStore
    private let waiting = Lock<[AuditEvent]>([])

    init(store: any AuditStore) {
        self.store = store
    }

    /// Keeps one until the next round.
    func record(_ event: AuditEvent) {
        waiting.withLock { if $0.count < Self.capacity { $0.append(event) } }
    }

    /// Writes those that wait. What fails is tried again with the next round.
    func flush() async {
        let events = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        if events.isEmpty { return }
        do {
            try await store.recordFailedSignIns(events)
        } catch {
            waiting.withLock { $0 = Array((events + $0).prefix(Self.capacity)) }
        }
    }
}
