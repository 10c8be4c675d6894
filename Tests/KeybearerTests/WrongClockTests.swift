import TestSupport
import Testing

@testable import Keybearer

@Suite("A wall clock that was wrong")
struct WrongClockTests {
    let start = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)
    let life: Duration = .seconds(60)
    private static let year = 365 * 24 * 3_600

    private func at(_ seconds: Int) -> Timestamp { start.advanced(by: .seconds(seconds)) }

    @Test("Set back by seconds, time stands still, and what is told counts from the clock as it is")
    func standstill() {
        var hour = RollingHour()
        _ = hour.reserve(1_000, limit: 1_000, life: .zero, now: at(70))
        let refused = hour.reserve(1, limit: 1_000, life: .zero, now: at(55))
        #expect(refused.granted == 0)
        #expect(hour.latest == at(70))
        #expect(refused.returns == [.init(after: .seconds(65 + 3_600), count: 1_000)])
        #expect(hour.reserve(0, limit: 2_000, life: .zero, now: at(69)).minute == 30_000_001)
    }

    @Test(
        "A clock that was ahead and came back locks for at most 62 minutes, whatever asks meanwhile",
        arguments: [16, 60, 121, 3_600, 2 * 3_600, year])
    func cameBack(seconds: Int) {
        for into in [0, 1, 59] {
            var hour = RollingHour()
            _ = hour.reserve(1_000, limit: 1_000, life: life, now: at(seconds + into))
            let refused = hour.reserve(1, limit: 1_000, life: life, now: at(into))
            #expect(refused.granted == 0)
            #expect(refused.mayBeUnspent)
            let wait = refused.returns[0].after
            #expect(wait <= .seconds(62 * 60) && wait > .seconds(61 * 60), "an hour behind the last permitted use")
            for minute in 1...60 {
                #expect(hour.reserve(1, limit: 1_000, life: life, now: at(into + minute * 60)).granted == 0)
            }
            let before = at(into).advanced(by: wait - .milliseconds(1))
            #expect(hour.reserve(1, limit: 1_000, life: life, now: before).granted == 0)
            #expect(hour.reserve(1, limit: 1_000, life: life, now: at(into).advanced(by: wait)).granted == 1)
        }
    }

    @Test("What was charged before the clock was ahead stays where it was")
    func keepsWhatIsBehind() {
        var hour = RollingHour()
        _ = hour.reserve(10, limit: 100, life: .zero, now: at(0))
        _ = hour.reserve(20, limit: 100, life: .zero, now: at(1_800))
        let back = hour.reserve(0, limit: 100, life: .zero, now: at(120))
        #expect(back.charged == 30)
        #expect(back.returns == [.init(after: .seconds(3_540), count: 10), .init(after: .seconds(3_720), count: 20)])
    }

    @Test("A reservation from before the clock came back is not given back, also when its minute comes again")
    func givenBackLate() {
        var hour = RollingHour()
        let early = hour.reserve(40, limit: 100, life: life, now: at(3_600))
        _ = hour.reserve(0, limit: 100, life: life, now: at(0))
        hour.giveBack(40, minute: early.minute)
        #expect(hour.charged == 40)
        let again = hour.reserve(60, limit: 100, life: life, now: at(3_600))
        #expect(again.granted == 60)
        hour.giveBack(40, minute: early.minute)
        #expect(hour.charged == 100)
        hour.giveBack(10, minute: again.minute)
        #expect(hour.charged == 90)
    }

    @Test("A fold is worth writing, and then nothing is")
    func isWritten() {
        var hour = RollingHour()
        _ = hour.reserve(100, limit: 100, life: life, now: at(Self.year))
        let stored = hour
        _ = hour.reserve(1, limit: 100, life: life, now: at(0))
        #expect(hour.isWorthWriting(over: stored))
        var next = hour
        _ = next.reserve(1, limit: 100, life: life, now: at(600))
        #expect(!next.isWorthWriting(over: hour))
    }

    @Test("An allowance of a clock that was ahead counts for 62 minutes; none is used that frees too early")
    func allowances() {
        var hour = RollingHour()
        let ahead = RollingHour.Bucket(minute: RollingHour.minute(of: at(Self.year)), count: 10)
        let folded = RollingHour.foldedMinute(ahead.minute, at: at(0))
        #expect(folded == 30_000_001)
        #expect(RollingHour.foldedMinute(folded, at: at(0)) == folded)
        let look = hour.reserve(0, limit: 100, life: life, now: at(0), allowances: [ahead])
        #expect(look.returns == [.init(after: .seconds(62 * 60), count: 10)])
        // What is recorded of it lies as far ahead, though the hour itself never saw that time.
        hour.record(10, minute: ahead.minute)
        let open = RollingHour.Bucket(minute: 30_000_001, count: 10)
        #expect(hour.use(open, limit: 100, now: at(0)).granted == 0)
        #expect(hour.reserve(0, limit: 100, life: life, now: at(0)).returns == look.returns)
        #expect(hour.use(open, limit: 100, now: at(0)).granted == 10)
    }

    @Test("All fields of an answer name one second, and nobody who waits for it comes too early")
    func oneInstant() {
        for milliseconds in [0, 1, 499, 999] {
            for wait in [1, 999, 1_000, 1_001, 3_719_999, 3_720_000] {
                let now = start.advanced(by: .milliseconds(milliseconds))
                let status = BudgetStatus(
                    limit: 10, remaining: 9, returnsAfter: .milliseconds(wait), reckonedAt: now)
                let back = now.advanced(by: .milliseconds(wait))
                #expect(status.resetAt >= back && status.resetAt < back.advanced(by: .seconds(1)))
                #expect(status.resetAt.millisecondsSinceEpoch == status.resetSecond * 1_000)
                let date = now.millisecondsSinceEpoch / 1_000
                #expect(date + status.secondsUntilReset(from: now) == status.resetSecond)
            }
        }
        let unused = BudgetStatus(limit: 10, remaining: 10, returnsAfter: .zero, reckonedAt: at(1))
        #expect(unused.secondsUntilReset(from: at(1)) == 0)
        let used = BudgetStatus(limit: 10, remaining: 9, returnsAfter: .zero, reckonedAt: at(1))
        #expect(used.secondsUntilReset(from: at(1)) == 1)
    }

    @Test("A last use from the future gives way to the next one, in memory too")
    func lastUse() {
        let samples = Samples()
        let ledger = AccountLedger(userID: .random(from: samples.random))
        let keyID = KeyID.random(from: samples.random)
        var hour = RollingHour()
        ledger.withLease {
            $0.accept(
                hour.reserve(5, limit: 10, life: life, now: start), wanted: 5, limit: 10,
                askedAt: SteadyTime(nanoseconds: 0), life: life, now: SteadyTime(nanoseconds: 0), patience: .zero)
        }
        for wall in [at(Self.year), at(0), at(-3_600)] {
            _ = ledger.spend(
                limit: 10, keyID: keyID, from: Samples.address, now: SteadyTime(nanoseconds: 1), wall: wall)
            #expect(ledger.lastUse(of: keyID)?.at == wall)
            #expect(ledger.takeUnwrittenUse()?.use.at == wall)
        }
    }
}
