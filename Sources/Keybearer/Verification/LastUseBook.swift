import Logging
import Synchronization

/// Collects last uses in memory and writes them in batches, so that no request ever waits for it.
///
/// A crash loses what was not yet written: at most about a second. A stop loses nothing.
public final class LastUseBook: Sendable {
    /// How many are written in one transaction.
    static let writtenAtOnce = 64

    private let store: any LastUseStore
    private let logger: Logger
    private let unwritten = Mutex<[AccountLedger]>([])

    init(store: any LastUseStore, logger: Logger) {
        self.store = store
        self.logger = logger
        unwritten.withLock { $0.reserveCapacity(4_096) }
    }

    /// Notes that a ledger has a use that is not written; called once per ledger and batch.
    func note(_ ledger: AccountLedger) {
        unwritten.withLock { $0.append(ledger) }
    }

    /// Writes all that was noted. When the store is out of reach the ledgers are kept for the next time.
    ///
    /// In parts, each a transaction of its own: what somebody waits for, such as a reservation, comes between them.
    public func flush() async {
        var ledgers = unwritten.withLock { list in
            defer { list.removeAll(keepingCapacity: true) }
            return list
        }[...]
        while !ledgers.isEmpty {
            let part = ledgers.prefix(Self.writtenAtOnce)
            ledgers.removeFirst(part.count)
            guard await write(part) else {
                unwritten.withLock { $0 += ledgers }
                return
            }
        }
    }

    private func write(_ ledgers: ArraySlice<AccountLedger>) async -> Bool {
        let batch = ledgers.compactMap { ledger in ledger.takeUnwrittenUse().map { (ledger, $0) } }
        do {
            try await store.recordLastUses(batch.map(\.1))
            return true
        } catch {
            logger.warning("Last use could not be written; trying again with the next batch.")
            for (ledger, use) in batch where ledger.restoreUnwritten(use) { note(ledger) }
            return false
        }
    }
}
