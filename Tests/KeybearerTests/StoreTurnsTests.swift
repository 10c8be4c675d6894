import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

@Suite("Writing in parts, so that others come between")
struct StoreTurnsTests {
    let clock = TestClock()
    let samples = Samples(seed: 41)

    /// Grants all that is wanted, and keeps what it was asked.
    private final class GrantingStore: BudgetStore {
        private let asked = Mutex<[[BudgetRequest]]>([])
        var calls: [[BudgetRequest]] { asked.withLock { $0 } }

        func postRecalls(of userIDs: [UserID], now: Timestamp) async throws {}
        func recalls(now: Timestamp) async throws -> [BudgetRecall] { [] }

        func reserve(_ requests: [BudgetRequest], now: Timestamp) async throws -> [Reservation] {
            asked.withLock { $0.append(requests) }
            return requests.map { Reservation(granted: $0.wanted, minute: 7, charged: $0.wanted, returns: []) }
        }
    }

    private func reserve(_ ledger: AccountLedger, at office: BudgetOffice) async throws {
        try await StoreWait.atMost(.seconds(60)) { office.reserve(for: ledger, limit: 1_000, waiter: $0) }
    }

    @Test("What has ended unused is given back once, in parts; what has not ended is left alone")
    func givingBack() async throws {
        let store = GrantingStore()
        let office = BudgetOffice(store: store, clocks: clock.clocks, hasOtherNodes: { false })
        let ledgers = (0..<150).map { _ in AccountLedger(userID: .random(from: samples.random)) }
        for ledger in ledgers { try await reserve(ledger, at: office) }
        clock.advance(by: .seconds(30))
        let later = AccountLedger(userID: .random(from: samples.random))
        try await reserve(later, at: office)
        let before = store.calls.count
        await office.giveBackExpired()
        #expect(store.calls.count == before)
        clock.advance(by: .seconds(30))
        await office.giveBackExpired()
        let parts = store.calls.dropFirst(before)
        #expect(parts.allSatisfy { $0.count <= BudgetOffice.givenBackAtOnce })
        #expect(Set(parts.joined().map(\.userID)) == Set(ledgers.map(\.userID)))
        #expect(parts.joined().allSatisfy { $0.unused?.count == 10 && $0.wanted == 0 })
        #expect(later.withLease { $0.available } == 10)
        await office.giveBackExpired()
        #expect(store.calls.count == before + parts.count)
        clock.advance(by: .seconds(30))
        await office.giveBackExpired()
        #expect(store.calls.last?.map(\.userID) == [later.userID])
    }

    @Test("A reservation that was renewed is watched until the new one ends")
    func renewed() async throws {
        let store = GrantingStore()
        let office = BudgetOffice(store: store, clocks: clock.clocks, hasOtherNodes: { false })
        let ledger = AccountLedger(userID: .random(from: samples.random))
        try await reserve(ledger, at: office)
        clock.advance(by: .seconds(40))
        _ = ledger.withLease { $0.withdraw() }
        try await reserve(ledger, at: office)
        clock.advance(by: .seconds(30))
        await office.giveBackExpired()
        #expect(store.calls.count == 2)
        clock.advance(by: .seconds(30))
        await office.giveBackExpired()
        #expect(store.calls.last?.first?.unused?.count == 20)
    }

    /// Fails from the second part on until it is told to work.
    private final class MoodyStore: LastUseStore {
        private let state = Mutex<(parts: [[KeyID]], works: Bool)>(([], false))
        var parts: [[KeyID]] { state.withLock { $0.parts } }
        func work() { state.withLock { $0.works = true } }

        func recordLastUses(_ uses: [(keyID: KeyID, use: LastUse)]) async throws {
            try state.withLock { state in
                if !state.works, !state.parts.isEmpty { throw KeybearerError.unavailable() }
                state.parts.append(uses.map(\.keyID))
            }
        }
    }

    @Test("Last uses are written in parts; none is lost when the store fails between two of them")
    func lastUses() async throws {
        let store = MoodyStore()
        let book = LastUseBook(store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var keys: Set<KeyID> = []
        for _ in 0..<200 {
            let ledger = AccountLedger(userID: .random(from: samples.random))
            let keyID = KeyID.random(from: samples.random)
            keys.insert(keyID)
            #expect(ledger.restoreUnwritten((keyID, LastUse(at: Samples.start, address: Samples.address))))
            book.note(ledger)
        }
        await book.flush()
        #expect(store.parts.count == 1)
        store.work()
        await book.flush()
        #expect(store.parts.allSatisfy { $0.count <= LastUseBook.writtenAtOnce })
        #expect(store.parts.joined().count == 200)
        #expect(Set(store.parts.joined()) == keys)
    }
}
