import Logging
import Synchronization

/// Collects last uses in memory and writes them in batches, so that no request ever waits for it.
///
/// A crash loses what was not yet written: at most about a second. A stop loses nothing.
public final class LastUseBook: Sendable {
    /// How long a store that is out of reach is left alone.
    private static let retryInterval: Duration = .seconds(1)

    /// Ledgers by the interval in which they were noted: a ring of a second.
    private struct Notes {
        var parts: [[AccountLedger]]
        var current = 0

        init() {
            parts = Array(repeating: [], count: LastUseBook.partsOfSecond)
            for index in parts.indices { parts[index].reserveCapacity(512) }
        }

        mutating func take(_ index: Int, atMost count: Int = .max) -> [AccountLedger] {
            let taken = Array(parts[index].prefix(count))
            parts[index].removeFirst(taken.count)
            return taken
        }

        /// Goes on to the oldest part and takes it. A small one is filled up with what would be due next: a handful of
        /// keys that are always in use is written once a second, not in ten transactions.
        mutating func takeOldest(filledUpTo count: Int) -> [AccountLedger] {
            current = (current + 1) % parts.count
            var taken = take(current)
            if taken.isEmpty { return [] }
            for step in 1..<parts.count where taken.count < count {
                taken += take((current + step) % parts.count, atMost: count - taken.count)
            }
            return taken
        }

        mutating func takeAll() -> [AccountLedger] { parts.indices.flatMap { take($0) } }
    }

    /// After so many calls of ``writeOldest()`` what was noted before the first is written.
    static let partsOfSecond = Int(Duration.seconds(1) / BackgroundWrites.interval)

    private let store: any LastUseStore
    private let logger: Logger
    private let notes = Mutex(Notes())

    init(store: any LastUseStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Notes that a ledger has a use that is not written; called once per ledger and batch.
    func note(_ ledger: AccountLedger) {
        notes.withLock { $0.parts[$0.current].append(ledger) }
    }

    /// Writes each use a second after it was noted, until the task is cancelled.
    func run() async {
        var next = ContinuousClock.now
        while !Task.isCancelled {
            // Without a pause when writing takes longer than the interval: uses would grow older and older.
            next = max(next.advanced(by: BackgroundWrites.interval), .now)
            try? await Task.sleep(until: next, clock: .continuous)
            if await !writeOldest() { next = .now.advanced(by: Self.retryInterval) }
        }
    }

    /// Writes what was noted longest ago.
    ///
    /// - Returns: false when the store is out of reach. The ledgers are kept for another time.
    @discardableResult
    func writeOldest() async -> Bool {
        await write(notes.withLock { $0.takeOldest(filledUpTo: BackgroundWrites.batchSizes.lowerBound) })
    }

    /// Writes all that was noted. When the store is out of reach the ledgers are kept for another time.
    public func flush() async {
        await write(notes.withLock { $0.takeAll() })
    }

    @discardableResult
    private func write(_ ledgers: [AccountLedger]) async -> Bool {
        var rest = BackgroundWrites.batches(ledgers)[...]
        while let batch = rest.popFirst() {
            guard await write(batch) else {
                for ledger in rest.joined() { note(ledger) }
                return false
            }
        }
        return true
    }

    private func write(_ ledgers: ArraySlice<AccountLedger>) async -> Bool {
        let batch = ledgers.compactMap { ledger in ledger.takeUnwrittenUse().map { (ledger, $0) } }
        do {
            try await store.recordLastUses(batch.map(\.1))
            return true
        } catch {
            logger.warning("Last use could not be written; it is kept and tried again.")
            for (ledger, use) in batch where ledger.restoreUnwritten(use) { note(ledger) }
            return false
        }
    }
}
