import Logging
import Synchronization

/// Writes what accounts' states collect, last uses, counts of requests and news of keys, in batches, so that no request ever waits for
/// it.
///
/// A crash loses what was not yet written: at most about a second. A stop loses nothing. What is taken out of an
/// account's state is in exactly one batch, and a batch is written again until it is known to be written; no other is
/// begun before. The store adds each batch once, by its number.
final class UsageRecorder: Sendable {
    /// How long a store that is out of reach is left alone.
    private static let retryInterval: Duration = .seconds(1)

    /// Account states by the interval in which they were recorded: a ring of a second.
    private struct Records {
        var parts: [[any UnwrittenSource]]
        var current = 0

        init() {
            parts = Array(repeating: [], count: UsageRecorder.partsOfSecond)
            for index in parts.indices { parts[index].reserveCapacity(512) }
        }

        mutating func take(_ index: Int, atMost count: Int = .max) -> [any UnwrittenSource] {
            let taken = Array(parts[index].prefix(count))
            parts[index].removeFirst(taken.count)
            return taken
        }

        /// Advances the ring by `intervals` parts and takes them: the oldest. A small take is filled up
        /// with what would be due within half a second: a handful of keys that are always in use is written in two
        /// transactions a second, not in ten.
        mutating func takeOldest(intervals: Int, filledUpTo count: Int) -> [any UnwrittenSource] {
            var taken: [any UnwrittenSource] = []
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
        mutating func putBack(_ accountStates: some Sequence<any UnwrittenSource>) {
            parts[(current + 1) % parts.count] += accountStates
        }

        mutating func takeAll() -> [any UnwrittenSource] { parts.indices.flatMap { take($0) } }
    }

    /// The number of parts in the ring. A use is written after at most this many calls of ``writeOldest(intervals:)``.
    static let partsOfSecond = Int(Duration.seconds(1) / BackgroundWrites.interval)

    /// The batch that is being written. One at a time: a later one must not overtake it.
    private struct Writing {
        var number: Int64 = 0
        /// The last one, where it is not known whether it was written.
        var unknown: UsageBatch?
        var isBusy = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let store: any UsageStore
    private let clocks: Clocks
    private let logger: Logger
    private let writer: String
    private let warnings: QuotaWarnings?
    private let records = Lock(Records())
    private let writing = Lock(Writing())
    private let limited = Lock(LimitedKeys())

    /// - Parameter warnings: what tells people of their rate limit; nil where no mails are sent.
    init(
        store: any UsageStore, warnings: QuotaWarnings? = nil, clocks: Clocks, random: RandomSource = .system,
        logger: Logger
    ) {
        self.store = store
        self.warnings = warnings
        writer = String(decoding: random.base62(count: 22), as: UTF8.self)
        self.clocks = clocks
        self.logger = logger
    }

    /// Records that an account state, or a key that ended, has something to write; called once per source and batch.
    func record(_ source: any UnwrittenSource) {
        records.withLock { $0.parts[$0.current].append(source) }
    }

    /// Writes everything at most about a second after it was recorded, until the task is cancelled.
    func run() async {
        var written = ContinuousClock.now
        while !Task.isCancelled {
            try? await Task.sleep(until: written.advanced(by: BackgroundWrites.interval), clock: .continuous)
            // As many as have passed: when writing takes longer than one, they must not grow older and older.
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
    private func write(_ batches: [ArraySlice<any UnwrittenSource>]) async -> Bool {
        await beginWriting()
        defer { endWriting() }
        var rest = batches[...]
        if let unknown = writing.withLock({ $0.unknown }), await !write(unknown) {
            records.withLock { $0.putBack(rest.joined()) }
            return false
        }
        while let next = rest.popFirst() {
            guard await write(batch(of: next)) else {
                records.withLock { $0.putBack(rest.joined()) }
                return false
            }
        }
        return true
    }

    private func batch(of accountStates: ArraySlice<any UnwrittenSource>) -> UsageBatch {
        let taken = accountStates.map { $0.takeUnwritten() }
        warnings?.record(taken.compactMap(\.reached))
        let number = writing.withLock { writing in
            writing.number += 1
            return writing.number
        }
        let counts = taken.flatMap(\.counts)
        let now = clocks.wall()
        return UsageBatch(
            writer: writer, number: number, uses: taken.compactMap(\.use), counts: counts,
            news: taken.compactMap(\.news), events: limited.withLock { $0.events(in: counts, at: now) },
            isMailed: warnings != nil)
    }

    /// - Returns: whether it is written. If that is not known, the batch is kept.
    private func write(_ batch: UsageBatch) async -> Bool {
        do {
            try await store.recordUsage(batch, now: clocks.wall())
            writing.withLock { $0.unknown = nil }
            await warnings?.write()
            return true
        } catch {
            logger.warning("Last use and usage could not be written; they are kept and tried again.")
            writing.withLock { $0.unknown = batch }
            return false
        }
    }

    /// Waits until nobody writes.
    private func beginWriting() async {
        await withCheckedContinuation { continuation in
            let isFree = writing.withLock { writing in
                if writing.isBusy { writing.waiting.append(continuation) }
                defer { writing.isBusy = true }
                return !writing.isBusy
            }
            if isFree { continuation.resume() }
        }
    }

    /// Lets the next one write.
    private func endWriting() {
        let next = writing.withLock { writing in
            let next = writing.waiting.isEmpty ? nil : writing.waiting.removeFirst()
            writing.isBusy = next != nil
            return next
        }
        next?.resume()
    }
}
