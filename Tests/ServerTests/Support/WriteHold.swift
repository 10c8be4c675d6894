import Synchronization
import Testing

@testable import Keybearer
@testable import KeybearerSQL

/// Holds one write of a store between the decision about its request and its transaction.
final class WriteHold: Sendable {
    /// What came first.
    enum Event: Sendable {
        /// The write stands at the gate.
        case reached
        /// Whoever asked for it was answered without it.
        case responded
    }

    private let isArmed = Lock(true)
    private let events: AsyncStream<Event>
    private let report: AsyncStream<Event>.Continuation
    private let releases: AsyncStream<Void>
    private let letGo: AsyncStream<Void>.Continuation

    init(_ action: AuditEvent.Action, of store: SQLStore) {
        (events, report) = AsyncStream.makeStream()
        (releases, letGo) = AsyncStream.makeStream()
        store.holdWrites { [self] asked in
            guard asked == action, isArmed.withLock({ swap(&$0, false) }) else { return }
            report.yield(.reached)
            for await _ in releases { break }
        }
    }

    /// Runs what asks for the write, and does something while that is held.
    ///
    /// - Returns: what asking came to; the first event tells whether it was held at all.
    func during<Response: Sendable>(
        asking: @escaping @Sendable () async throws -> Response, meanwhile: () async throws -> Void
    ) async throws -> (response: Response, first: Event) {
        let report = report
        let asked = Task {
            defer { report.yield(.responded) }
            return try await asking()
        }
        var iterator = events.makeAsyncIterator()
        let first = await iterator.next() ?? .responded
        do {
            try await meanwhile()
        } catch {
            letGo.finish()
            throw error
        }
        letGo.finish()
        return (try await asked.value, first)
    }
}

/// Sets a flag and returns what it was.
private func swap(_ flag: inout Bool, _ new: Bool) -> Bool {
    defer { flag = new }
    return flag
}
