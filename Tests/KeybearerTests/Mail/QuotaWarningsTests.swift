import Logging
import Synchronization
import TestSupport
import Testing

@testable import Keybearer

/// ``QuotaWarnings``: the levels that ``UsageRecorder`` finds become mails, each once, and beside the requests.
@Suite struct QuotaWarningsTests {
    /// An outbox that fails until it is told to work.
    private final class Outbox: MailStore {
        private let state = Lock<(mails: [NewMail], works: Bool)>(([], false))
        var mails: [NewMail] { state.withLock { $0.mails } }
        func work() { state.withLock { $0.works = true } }

        func addMail(_ mail: NewMail) async throws {
            try state.withLock { state in
                guard state.works else { throw KeybearerError.unavailable() }
                state.mails.append(mail)
            }
        }

        func claimMails(_ claim: [UInt8], limit: Int, now: Timestamp) async throws -> [OutgoingMail] { [] }
        func endMail(
            _ id: MailID, claim: [UInt8], _ outcome: OutgoingMail.Outcome, problem: String?, now: Timestamp
        ) async throws -> Bool { false }
        func postponeMail(
            _ id: MailID, claim: [UInt8], by delay: Duration, problem: String, now: Timestamp
        ) async throws {}
        func mails(limit: Int) async throws -> [OutgoingMail] { [] }
        func mail(_ id: MailID) async throws -> OutgoingMail? { nil }
        func mailCounts() async throws -> MailCounts { MailCounts(waiting: 0, failing: 0, ended: [:], oldest: nil) }
        func retryMail(_ id: MailID, now: Timestamp) async throws -> Bool { false }
        func dropMail(_ id: MailID) async throws -> Bool { false }
        func removeOldMails(now: Timestamp) async throws {}
        func removeOldDevices(now: Timestamp) async throws {}
    }

    private func isReached(_ state: AccountState, used: Int) -> QuotaLevel? {
        state.withQuota { quota in
            let reservation = Reservation(granted: 1, minute: 0, charged: used + 1, resets: [])
            _ = quota.withdraw()
            quota.accept(
                reservation, wanted: 1, limit: 100, requestedAt: SteadyTime(nanoseconds: 1), life: .seconds(60),
                now: SteadyTime(nanoseconds: 1), patience: .seconds(1))
        }
        _ = state.consume(
            limit: 100, keyID: KeyID(rawValue: "key_a1"), from: Samples.address, now: SteadyTime(nanoseconds: 2),
            wall: Samples.start)
        return state.takeUnwritten().reached?.level
    }

    @Test("A level is found once when it is reached, and again only after clearly less was used")
    func hysteresis() {
        let state = AccountState(userID: UserID(rawValue: "usr_a1"))
        #expect(isReached(state, used: 50) == nil)
        #expect(isReached(state, used: 79) == .near, "with this one 80")
        #expect(isReached(state, used: 84) == nil)
        #expect(isReached(state, used: 74) == nil)
        #expect(isReached(state, used: 90) == nil)
        #expect(isReached(state, used: 99) == .reached)
        #expect(isReached(state, used: 95) == nil)
        #expect(isReached(state, used: 40) == nil)
        #expect(isReached(state, used: 85) == .near)
    }

    @Test("A page that was looked at keeps no mail back")
    func pages() {
        let state = AccountState(userID: UserID(rawValue: "usr_a1"))
        #expect(state.level(used: 85, limit: 100) == .near)
        #expect(isReached(state, used: 85) == .near)
    }

    @Test("A store that is out of reach gets the mails later, and no more than are kept")
    func retries() async {
        let outbox = Outbox()
        let warnings = QuotaWarnings(store: outbox, clocks: TestClock().clocks)
        warnings.record([(UserID(rawValue: "usr_a1"), .near), (UserID(rawValue: "usr_a2"), .normal)])
        await warnings.write()
        #expect(outbox.mails.isEmpty)
        warnings.record((0..<2 * QuotaWarnings.most).map { (UserID(rawValue: "usr_b\($0)"), .reached) })
        outbox.work()
        await warnings.write()
        #expect(outbox.mails.count == QuotaWarnings.most)
        #expect(outbox.mails.first?.recipient == .holder(UserID(rawValue: "usr_a1")))
        await warnings.write()
        #expect(outbox.mails.count == QuotaWarnings.most, "each once")
    }
}
