import Logging
import Synchronization

/// Reloads the ring of master keys when another process says that it may have changed, and caches whether it then
/// held everything that the database needs.
final class MasterKeyWatch: Sendable {
    private struct State {
        var refusal: RingRefusal?
        var lookedAt = SteadyTime.distantPast
        var isLooking = false
        /// Those whose turn comes when the look that runs is over.
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// How often a file that lacks something is looked at again.
    private static let pause: Duration = .milliseconds(100)

    private let clocks: Clocks
    private let logger: Logger
    private let load: @Sendable () async throws -> Void
    private let state = Lock(State())

    /// - Parameter load: puts the ring in use as it is now. It throws ``RingRefusal`` when that lacks something.
    init(clocks: Clocks, logger: Logger, load: @escaping @Sendable () async throws -> Void) {
        self.clocks = clocks
        self.logger = logger
        self.load = load
    }

    /// Whether the ring lacked something when it was last looked at.
    var isLacking: Bool { state.withLock { $0.refusal != nil } }

    /// Reloads the ring; one that lacked something a moment ago is not looked at again yet.
    ///
    /// One at a time, and each reads the file for itself: side by side, one that read it before a rotation could put
    /// its ring in the place of a newer one.
    ///
    /// - Throws: ``RingRefusal``; what the store throws.
    func look() async throws {
        await beginLooking()
        defer { endLooking() }
        let now = clocks.steady()
        let recent = state.withLock { state -> RingRefusal? in
            guard let refusal = state.refusal, state.lookedAt.duration(to: now) < Self.pause else { return nil }
            return refusal
        }
        if let recent { throw recent }
        do {
            try await load()
        } catch let refusal as RingRefusal {
            record(refusal, at: now)
            throw refusal
        }
        record(nil, at: now)
    }

    /// Reloads the ring because someone asks for it: without the pause, and a ring that lacks something changes
    /// nothing. It says nothing about the ring in use, which had all that is needed when it was loaded.
    ///
    /// - Throws: ``RingRefusal``; what the store throws.
    func reload() async throws {
        await beginLooking()
        defer { endLooking() }
        try await load()
        record(nil, at: clocks.steady())
    }

    private func beginLooking() async {
        await withCheckedContinuation { continuation in
            let isMyTurn = state.withLock { state in
                if state.isLooking { state.waiting.append(continuation) }
                defer { state.isLooking = true }
                return !state.isLooking
            }
            if isMyTurn { continuation.resume() }
        }
    }

    private func endLooking() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.isLooking = !state.waiting.isEmpty
            return state.waiting.isEmpty ? nil : state.waiting.removeFirst()
        }
        next?.resume()
    }

    /// One line when it begins, one when something else is missing, one when it is over.
    private func record(_ refusal: RingRefusal?, at now: SteadyTime) {
        let before = state.withLock { state in
            defer {
                state.refusal = refusal
                state.lookedAt = now
            }
            return state.refusal
        }
        guard before?.problems != refusal?.problems else { return }
        if let refusal {
            logger.error(
                "The master keys do not fit the database: this server decides nothing until they do.",
                metadata: ["problem": "\(refusal)"])
        } else {
            logger.notice("The master keys are complete again.")
        }
    }
}
