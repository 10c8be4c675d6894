/// Many writes of one caller, in order, in as many transactions as they take; all of them are waited for together.
package actor WriteBatch {
    /// What became of the writes of one transaction.
    private enum Part {
        case committed(Committed<[Result<StoreWrite.Outcome, KeybearerError>]>)
        case failed(KeybearerError, count: Int)
    }

    /// How long a transaction holds its rows before it begins another write. Each write takes several round trips, and
    /// whoever wants one of the rows waits for less than half a second.
    package static let span: Duration = .milliseconds(250)
    /// How long transactions may wait in vain for others' locks before no more of them are run again.
    private static let patience: Duration = .seconds(10)

    private let store: any Store
    private let propagation: any ChangePropagation
    private let clocks: Clocks
    private let authority: Authority
    private let span: Duration
    private var parts: [Part] = []
    private var waitedInVain: Duration = .zero
    private var deletedAccounts: [UserID] = []

    init(
        store: any Store, propagation: any ChangePropagation, clocks: Clocks, authority: Authority,
        within span: Duration = WriteBatch.span
    ) {
        self.span = span
        self.store = store
        self.propagation = propagation
        self.clocks = clocks
        self.authority = authority
    }

    /// Whether a whole transaction failed for another reason than others' locks: the next one would, too.
    package var hasFailed: Bool {
        parts.contains { part in
            if case .failed(let error, _) = part { error.storeFailure?.isLockConflict != true } else { false }
        }
    }

    /// Runs writes in one transaction, or in several where they take long or wait for others' locks; what becomes of
    /// each is told at the end.
    package func perform(_ writes: [StoreWrite]) async {
        deletedAccounts += writes.flatMap(\.deletedAccounts)
        var rest = writes[...]
        while !rest.isEmpty { rest = rest.dropFirst(await performSome(rest)) }
    }

    /// Runs the first of some writes.
    ///
    /// - Returns: of how many it is known what became of them.
    private func performSome(_ writes: ArraySlice<StoreWrite>, isAgain: Bool = false) async -> Int {
        let begun = clocks.steady()
        do {
            // A write alone throws its refusal: here it is one result of many all the same.
            let (results, count) = try await store.performSome(Array(writes), by: authority, within: span)
            parts.append(.committed(results))
            return count
        } catch {
            let error = KeybearerError(any: error)
            if error.storeFailure?.isLockConflict == true {
                waitedInVain += begun.duration(to: clocks.steady())
                let isSingle = writes.count == 1
                // One row that another transaction holds must not fail those beside it.
                if waitedInVain < Self.patience, !(isSingle && isAgain) {
                    return await performSome(isSingle ? writes : writes.prefix(writes.count / 2), isAgain: isSingle)
                }
            }
            parts.append(.failed(error, count: writes.count))
            return writes.count
        }
    }

    /// Waits until no node accepts what was before, and tells what became of each write, in order.
    package func finish() async -> [Result<StoreWrite.Outcome, KeybearerError>] {
        // The last one first: whoever has applied it has applied all.
        var outcomes: [[Result<StoreWrite.Outcome, KeybearerError>]] = []
        for part in parts.reversed() {
            switch part {
            case .committed(let results): outcomes.append(await propagation.waitUntilApplied(results))
            case .failed(let error, let count): outcomes.append(Array(repeating: .failure(error), count: count))
            }
        }
        // What this does not erase, housekeeping does; where an account was not deleted, there is nothing to erase.
        for userID in deletedAccounts { try? await store.erasePersonalData(of: userID) }
        return outcomes.reversed().flatMap { $0 }
    }
}
