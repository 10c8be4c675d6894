import Logging
import Synchronization

/// Collects last uses in memory and writes them in batches, so that no request ever waits for it.
///
/// A crash loses what was not yet written: at most about a second. A stop loses nothing.
final class LastUseRecorder: Sendable {
    /// How long a store that is out of reach is left alone.
    private static let retryInterval: Duration = .seconds(1)

    /// Account states by the interval in which they were recorded: a ring of a second.
    private struct Records {
        var parts: [[AccountState]]
        var current = 0

        init() {
            parts = Array(repeating: [], count: LastUseRecorder.partsOfSecond)
            for index in parts.indices { parts[index].reserveCapacity(512) }
        }

        mutating func take(_ index: Int, atMost count: Int = .max) -> [AccountState] {
            let taken = Array(parts[index].prefix(count))
            parts[index].removeFirst(taken.count)
            return taken
        }

        /// Advances the ring by `intervals` parts and takes them: the oldest recorded uses. A small take is filled up
        /// with what would be due within half a second: a handful of keys that are always in use is written in two
        /// transactions a second, not in ten.
        mutating func takeOldest(intervals: Int, filledUpTo count: Int) -> [AccountState] {
            var taken: [AccountState] = []
            for _ in 0..<min(intervals, parts.count) {
                current = (current + 1) % parts.count
                taken += take(current)
            }
            if taken.isEmpty { return [] }
            for step in 1...parts.count / 2 where taken.count < count {
                taken += take((current + step) % parts.count, atMost: count - taken.count)
            }
            return taken
        }

        /// Keeps what could not be written where it is due next.
        mutating func putBack(_ accountStates: some Sequence<AccountState>) {
            parts[(current + 1) % parts.count] += accountStates
        }

        mutating func takeAll() -> [AccountState] { parts.indices.flatMap { take($0) } }
    }

    /// The number of parts in the ring. A use is written after at most this many calls of ``writeOldest(intervals:)``.
    static let partsOfSecond = Int(Duration.seconds(1) / BackgroundWrites.interval)

    private let store: any LastUseStore
    private let clocks: Clocks
    private let logger: Logger
    private let records = Lock(Records())

    init(store: any LastUseStore, clocks: Clocks, logger: Logger) {
        self.store = store
        self.clocks = clocks
        self.logger = logger
    }

    /// Records that an account state has a use that is not written; called once per account state and batch.
    func record(_ accountState: AccountState) {
        records.withLock { $0.parts[$0.current].append(accountState) }
    }

    /// Writes each use at most about a second after it was recorded, until the task is cancelled.
    func run() async {
        var written = ContinuousClock.now
        while !Task.isCancelled {
            try? await Task.sleep(until: written.advanced(by: BackgroundWrites.interval), clock: .continuous)
            // As many as have passed: when writing takes longer than one, uses must not grow older and older.
            let intervals = max(1, Int(written.duration(to: .now) / BackgroundWrites.interval))
            written = written.advanced(by: BackgroundWrites.interval * intervals)
            if await !writeOldest(intervals: intervals) { try? await Task.sleep(for: Self.retryInterval) }
        }
    }

    /// Writes what was recorded longest ago.
    ///
    /// - Parameter intervals: how many have passed since this was called last.
    /// - Returns: false when the store is out of reach. The account states are kept for another time.
    @discardableResult
    func writeOldest(intervals: Int = 1) async -> Bool {
        let due = records.withLock {
            $0.takeOldest(intervals: intervals, filledUpTo: BackgroundWrites.batchSizes.lowerBound)
        }
        return await write(BackgroundWrites.batches(due))
    }

    /// Writes all that was recorded. When the store is out of reach the account states are kept for another time.
    func flush() async {
        await write(BackgroundWrites.batches(records.withLock { $0.takeAll() }, isAwaited: true))
    }

    @discardableResult
    private func write(_ batches: [ArraySlice<AccountState>]) async -> Bool {
        var rest = batches[...]
        while let batch = rest.popFirst() {
            guard await write(batch) else {
                records.withLock { $0.putBack(rest.joined()) }
                return false
            }
        }
        return true
    }

    private func write(_ accountStates: ArraySlice<AccountState>) async -> Bool {
        let batch = accountStates.compactMap { accountState in
            accountState.takeUnwrittenUse().map { (accountState, $0) }
        }
        do {
            let uses = batch.map { KeyUse(userID: $0.0.userID, keyID: $0.1.keyID, use: $0.1.use) }
            try await store.recordLastUses(uses, now: clocks.wall())
            return true
        } catch {
            logger.warning("Last use could not be written; it is kept and tried again.")
            let unwritten = batch.filter { accountState, use in accountState.restoreUnwritten(use) }.map(\.0)
            records.withLock { $0.putBack(unwritten) }
            return false
        }
    }
}
