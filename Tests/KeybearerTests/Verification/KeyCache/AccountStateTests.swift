import TestSupport
import Testing

@testable import Keybearer

/// The last use that an ``AccountState`` holds, where a wall clock was wrong; and what its ``UsageCounter`` counts.
@Suite struct AccountStateTests {
    let start = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)
    let life: Duration = .seconds(60)
    private static let year = 365 * 24 * 3_600

    private let samples = Samples()
    private let accountState: AccountState
    private let keyID: KeyID

    init() {
        accountState = AccountState(userID: .random(from: samples.random))
        keyID = .random(from: samples.random)
        accountState.reserve(5, at: start)
    }

    private func at(_ seconds: Int) -> Timestamp { start.advanced(by: .seconds(seconds)) }

    @Test("A last use from the future gives way to the next one, in memory too")
    func lastUse() {
        for wall in [at(Self.year), at(0), at(-3_600)] {
            _ = accountState.consume(
                limit: 10, keyID: keyID, from: Samples.address, now: SteadyTime(nanoseconds: 1), wall: wall)
            #expect(accountState.lastUse(of: keyID)?.at == wall)
            #expect(accountState.takeUnwritten().use?.use.at == wall)
        }
    }

    private func consume(_ keyID: KeyID, at wall: Timestamp) -> (decision: LocalQuota.Decision, isFirst: Bool) {
        let (decision, isFirst, _) = accountState.consume(
            limit: 10, keyID: keyID, from: Samples.address, now: SteadyTime(nanoseconds: 1), wall: wall)
        return (decision, isFirst)
    }

    private func refuse(_ outcome: UsageOutcome, _ keyID: KeyID, at wall: Timestamp) -> Bool? {
        accountState.refuse(outcome, limit: 10, keyID: keyID, now: SteadyTime(nanoseconds: 1), wall: wall)?
            .isFirstUnwritten
    }

    private func count(_ outcome: UsageOutcome, _ number: Int, of keyID: KeyID, at quarter: Timestamp) -> UsageCount {
        UsageCount(userID: accountState.userID, keyID: keyID, quarter: quarter, outcome: outcome, count: number)
    }

    @Test("Each outcome is counted once, by key and quarter of an hour; what was taken is not taken again")
    func counts() {
        let other = KeyID.random(from: samples.random)
        #expect(consume(keyID, at: at(899)).isFirst)
        #expect(!consume(keyID, at: at(899)).isFirst)
        #expect(refuse(.featureLocked, keyID, at: at(899)) == false)
        #expect(!consume(keyID, at: at(900)).isFirst)
        #expect(refuse(.notAMember, other, at: at(901)) == false)
        #expect(!consume(other, at: at(902)).isFirst)
        let taken = accountState.takeUnwritten()
        #expect(taken.use?.keyID == other)
        #expect(
            Set(taken.counts) == [
                count(.admitted, 2, of: keyID, at: start), count(.featureLocked, 1, of: keyID, at: start),
                count(.admitted, 1, of: keyID, at: at(900)), count(.notAMember, 1, of: other, at: at(900)),
                count(.admitted, 1, of: other, at: at(900)),
            ])
        #expect(accountState.isWritten)
        let empty = accountState.takeUnwritten()
        #expect(empty.use == nil && empty.counts.isEmpty)
        #expect(consume(other, at: at(903)).isFirst)
        #expect(!accountState.isWritten)
        #expect(accountState.takeUnwritten().counts == [count(.admitted, 1, of: other, at: at(900))])
    }

    @Test("A request from a client whose address nobody has said is counted, and moves no last use")
    func unknownAddress() {
        let wall = at(0)
        _ = consume(keyID, at: wall)
        let decision = accountState.consume(
            limit: 10, keyID: keyID, from: .unknown, now: SteadyTime(nanoseconds: 1), wall: at(5)
        ).decision
        guard case .admitted = decision else {
            Issue.record("\(decision)")
            return
        }
        let taken = accountState.takeUnwritten()
        #expect(taken.use?.use == LastUse(at: wall, address: Samples.address))
        #expect(taken.counts == [count(.admitted, 2, of: keyID, at: start)])
    }

    @Test("A used up limit is counted as a refusal; a request that must ask the store is counted nowhere")
    func rateLimited() {
        for _ in 0..<5 { _ = consume(keyID, at: at(0)) }
        #expect(consume(keyID, at: at(0)).decision == .needsReservation)
        #expect(accountState.takeUnwritten().counts == [count(.admitted, 5, of: keyID, at: start)])
        let unknown = AccountState(userID: .random(from: samples.random))
        let refusal = unknown.refuse(
            .featureLocked, limit: 10, keyID: keyID, now: SteadyTime(nanoseconds: 1), wall: start)
        #expect(refusal == nil)
        #expect(unknown.isWritten && unknown.takeUnwritten().counts.isEmpty)
        let (decision, isFirst, _) = unknown.consume(
            limit: 0, keyID: keyID, from: Samples.address, now: SteadyTime(nanoseconds: 1), wall: start)
        guard case .exhausted = decision else {
            Issue.record("\(decision)")
            return
        }
        #expect(isFirst)
        let taken = unknown.takeUnwritten()
        #expect(taken.use == nil && taken.counts.map(\.outcome) == [.rateLimited])
    }

    @Test("A state that took another's place counts from zero; what the other one counted is taken from there")
    func renewed() {
        _ = consume(keyID, at: at(0))
        let next = accountState.renewed(endsWindow: true)
        #expect(next.lastUse(of: keyID)?.at == at(0))
        #expect(next.isWritten && next.takeUnwritten().counts.isEmpty)
        #expect(accountState.takeUnwritten().counts == [count(.admitted, 1, of: keyID, at: start)])
    }
}

extension AccountState {
    /// Reserves units, as if the store had granted them at a time.
    func reserve(_ count: Int, at time: Timestamp, life: Duration = .seconds(60)) {
        var window = RateLimitWindow()
        withQuota {
            $0.accept(
                window.reserve(count, limit: 2 * count, life: life, now: time), wanted: count, limit: 2 * count,
                requestedAt: SteadyTime(nanoseconds: 0), life: life, now: SteadyTime(nanoseconds: 0), patience: .zero)
        }
    }
}
