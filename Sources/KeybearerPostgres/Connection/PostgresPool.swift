import Dispatch
import Foundation
import Keybearer
import Synchronization

/// A bounded number of connections, each with a thread of its own: libpq blocks, and neither an event loop nor the
/// cooperative pool may ever be blocked by it.
///
/// When the server cannot be reached, one attempt to connect fails for all: until the next attempt is due, work is
/// refused immediately. Attempts back off, with jitter, so that many nodes do not come back at the same moment.
final class PostgresPool: Sendable {
    /// Whether work may be done again when its connection turns out to be gone.
    enum Kind: Sendable {
        /// May be done again on another connection, whatever became of it.
        case read
        /// May be done again only if its commit was not sent.
        case write
    }

    private struct Waiting {
        let job: @Sendable (PostgresPool, inout Worker, _ since: SteadyTime) -> Void
        let since: SteadyTime
    }

    /// A thread's own state.
    struct Worker {
        fileprivate var connection: PostgresConnection?
        /// How many connections had turned out to be gone when this one was made.
        fileprivate var epoch = 0
    }

    /// Counts the connections that turned out to be gone, over all pools of a process.
    ///
    /// When one is gone, those that were made before it are suspects: a server that was cut off or replaced closes no
    /// connection, and each of them would keep its user waiting for the whole timeout. So all are made again.
    final class Epoch: Sendable {
        private let failures = Atomic<Int>(0)

        fileprivate var current: Int { failures.load(ordering: .acquiring) }

        /// Counts a failure, unless it is of a connection that was suspected already.
        fileprivate func end(_ epoch: Int) {
            _ = failures.compareExchange(expected: epoch, desired: epoch + 1, ordering: .acquiringAndReleasing)
        }
    }

    private struct State {
        var jobs: [Waiting] = []
        /// How many threads are at work.
        var busy = 0
        var isClosed = false
        var failures = 0
        var retryAt = SteadyTime.distantPast
        /// Why the last attempt to connect failed.
        var lastFailure: (any Error)?
    }

    /// The most that may wait: more would be answered too late to be of use.
    private static let mostWaiting = 20_000
    private static let shortestPause = Duration.milliseconds(50)
    private static let longestPause = Duration.seconds(1)

    private let address: String
    private let place: PostgresPlace
    private let name: String
    private let patience: PostgresConnection.Patience
    private let epoch: Epoch
    private let state = Lock(State())
    private let wakeUp = DispatchSemaphore(value: 0)
    private let threads = DispatchGroup()
    private let size: Int
    private let observation: StoreObservation

    /// - Parameters:
    ///   - epoch: shared by all pools to the same server.
    ///   - observation: who is told what is done.
    init(
        to address: String, name: String, size: Int, patience: PostgresConnection.Patience, epoch: Epoch,
        observation: StoreObservation = StoreObservation()
    ) {
        self.observation = observation
        self.address = address
        place = PostgresPlace(address)
        self.epoch = epoch
        self.name = name
        self.size = size
        self.patience = patience
        for _ in 0..<size {
            threads.enter()
            let thread = Thread { [self] in
                work()
                threads.leave()
            }
            thread.name = name
            thread.start()
        }
    }

    /// Runs a body on one of the threads with its connection.
    ///
    /// Cancelling the calling task does not interrupt it. A body whose connection turns out to be gone runs once more
    /// on a new one, if that cannot do anything twice.
    ///
    /// - Throws: ``KeybearerError`` alone.
    func run<Value: Sendable>(
        _ kind: Kind, _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let isAccepted = state.withLock { state in
                guard !state.isClosed, state.jobs.count < Self.mostWaiting else { return false }
                let job = { @Sendable (pool: PostgresPool, worker: inout Worker, since: SteadyTime) in
                    let begun = SteadyTime.systemNow()
                    let result = Result {
                        try translatingErrors(at: pool.place) { try pool.perform(kind, body, &worker) }
                    }
                    pool.report(kind, since, begun, result)
                    continuation.resume(with: result)
                }
                state.jobs.append(Waiting(job: job, since: .systemNow()))
                return true
            }
            if isAccepted {
                wakeUp.signal()
            } else {
                continuation.resume(throwing: KeybearerError.unavailable())
            }
        }
    }

    /// How the connections stand.
    var connections: StoreConnections {
        state.withLock { StoreConnections(most: size, busy: $0.busy, waiting: $0.jobs.count) }
    }

    /// Does the work that still waits, then closes all connections. Returns when the threads have ended.
    func close() {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        for _ in 0..<size { wakeUp.signal() }
        threads.wait()
    }

    private func work() {
        var worker = Worker()
        while true {
            wakeUp.wait()
            let next: Waiting? = state.withLock { state in
                if state.jobs.isEmpty { return nil }
                state.busy += 1
                return state.jobs.removeFirst()
            }
            // Signals are as many as jobs, and one more for each thread when the pool is closed.
            guard let next else { return }
            next.job(self, &worker, next.since)
            state.withLock { $0.busy -= 1 }
        }
    }

    private func report<Value>(
        _ kind: Kind, _ since: SteadyTime, _ begun: SteadyTime, _ result: Result<Value, any Error>
    ) {
        var failure: StoreFailure.Kind?
        if case .failure(let error) = result { failure = StoreObservation.failure(error) }
        observation.report(
            StoreWork(
                kind == .read ? .read : .write, wait: since.duration(to: begun),
                duration: since.duration(to: .systemNow()), failure: failure))
    }

    private func perform<Value>(
        _ kind: Kind, _ body: (PostgresConnection) throws -> Value, _ worker: inout Worker
    ) throws -> Value {
        if worker.epoch != epoch.current { worker.connection = nil }
        let isReused = worker.connection != nil
        let connection = try connect(&worker)
        do {
            return try attempt(body, on: connection, &worker)
        } catch let failure as PostgresFailure where failure.endsConnection && isReused {
            guard kind == .read || !connection.mayHaveCommitted else { throw failure }
            return try attempt(body, on: try connect(&worker), &worker)
        }
    }

    private func attempt<Value>(
        _ body: (PostgresConnection) throws -> Value, on connection: PostgresConnection, _ worker: inout Worker
    ) throws -> Value {
        connection.mayHaveCommitted = false
        defer {
            if connection.isBroken {
                worker.connection = nil
                epoch.end(worker.epoch)
            }
        }
        return try body(connection)
    }

    private func connect(_ worker: inout Worker) throws -> PostgresConnection {
        if let connection = worker.connection { return connection }
        let now = SteadyTime.systemNow()
        if let failure = state.withLock({ now < $0.retryAt ? $0.lastFailure : nil }) { throw failure }
        do {
            worker.epoch = epoch.current
            let connection = try PostgresConnection(to: address, name: name, patience: patience)
            state.withLock { $0.failures = 0 }
            worker.connection = connection
            return connection
        } catch {
            let jitter = Double.random(in: 0.5...1)
            state.withLock { state in
                let pause = min(Self.longestPause, Self.shortestPause * (1 << min(state.failures, 6)))
                state.failures += 1
                state.retryAt = SteadyTime.systemNow().advanced(by: pause * jitter)
                state.lastFailure = error
            }
            throw error
        }
    }
}
