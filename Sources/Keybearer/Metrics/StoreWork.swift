import Synchronization

/// What a store tells of one thing that it did: for the metrics.
package struct StoreWork: Sendable, Hashable {
    /// Which way it took.
    package enum Kind: String, Sendable, CaseIterable {
        /// Changes nothing.
        case read
        /// May change something.
        case write
    }

    package let kind: Kind
    /// How long it waited for a connection; zero where none is waited for.
    package let wait: Duration
    /// How long it took in all.
    package let duration: Duration
    /// Why the database could not be used; nil where it could, also where a rule refused something.
    package let failure: StoreFailure.Kind?

    /// Puts the parts together.
    package init(_ kind: Kind, wait: Duration = .zero, duration: Duration, failure: StoreFailure.Kind?) {
        self.kind = kind
        self.wait = wait
        self.duration = duration
        self.failure = failure
    }
}

/// How a store's connections stand.
package struct StoreConnections: Sendable, Hashable {
    /// How many there may be.
    package let most: Int
    /// How many are at work.
    package let busy: Int
    /// What waits for one.
    package let waiting: Int

    /// Puts the parts together.
    package init(most: Int, busy: Int, waiting: Int) {
        (self.most, self.busy, self.waiting) = (most, busy, waiting)
    }
}

/// Who is told what a store does. One at a time; called on the store's own threads, and must return immediately.
package final class StoreObservation: Sendable {
    private let observer = Lock<(@Sendable (StoreWork) -> Void)?>(nil)

    /// Nobody is told.
    package init() {}

    /// Tells this one from now on.
    package func begin(_ observer: @escaping @Sendable (StoreWork) -> Void) {
        self.observer.withLock { $0 = observer }
    }

    /// Tells what was done.
    package func report(_ work: StoreWork) { observer.withLock { $0 }?(work) }

    /// Runs a body and tells how long it took and why it failed.
    package func observing<Value>(_ kind: StoreWork.Kind, _ body: () async throws -> Value) async throws -> Value {
        let begun = ContinuousClock.now
        do {
            let value = try await body()
            report(StoreWork(kind, duration: .now - begun, failure: nil))
            return value
        } catch {
            report(StoreWork(kind, duration: .now - begun, failure: Self.failure(error)))
            throw error
        }
    }

    /// What an error says of the database; nil where it says nothing.
    package static func failure(_ error: any Error) -> StoreFailure.Kind? {
        guard let error = error as? KeybearerError else { return .unknown }
        return error.storeFailure?.kind ?? (error.code == .unavailable || error.code == .internalError ? .unknown : nil)
    }
}

/// How much the database holds of what should not pile up.
package struct StoreBacklog: Sendable, Hashable {
    /// How many of a kind are counted at the most.
    package static let mostCounted = 100_000

    /// Something that waits.
    package struct Queue: Sendable, Hashable {
        package let count: Int
        /// How old the first of them is, or for how long it has been due; zero where none waits.
        package let age: Duration

        /// Puts the parts together.
        package init(count: Int, age: Duration) {
            (self.count, self.age) = (count, age)
        }
    }

    /// Signed-in browsers.
    package let sessions: Int
    /// Mails that are to be sent.
    package let mails: Queue
    /// Messages that no webhook has been looked for yet.
    package let newMessages: Queue
    /// Deliveries to webhooks that get messages now, by when they are due.
    package let deliveries: Queue

    /// Puts the parts together.
    package init(sessions: Int, mails: Queue, newMessages: Queue, deliveries: Queue) {
        self.sessions = sessions
        self.mails = mails
        self.newMessages = newMessages
        self.deliveries = deliveries
    }
}

/// What a store tells of itself, for the metrics.
package protocol ObservedStore: Sendable {
    /// Who is told what it does.
    var observation: StoreObservation { get }
    /// How its connections stand; nil where none is waited for.
    var connections: StoreConnections? { get }
    /// What waits in the database.
    func backlog(now: Timestamp) async throws -> StoreBacklog
}
