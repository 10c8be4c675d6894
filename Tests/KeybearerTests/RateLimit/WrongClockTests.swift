import Testing

@testable import Keybearer

/// A ``RateLimitWindow`` whose wall clock was wrong.
@Suite struct WrongClockTests {
    let start = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)
    let life: Duration = .seconds(60)
    private static let year = 365 * 24 * 3_600

    private func at(_ seconds: Int) -> Timestamp { start.advanced(by: .seconds(seconds)) }

    @Test("Set back by seconds, time stands still, and what is reported counts from the clock as it is")
    func standstill() {
        var window = RateLimitWindow()
        _ = window.reserve(1_000, limit: 1_000, life: .zero, now: at(70))
        let refused = window.reserve(1, limit: 1_000, life: .zero, now: at(55))
        #expect(refused.granted == 0)
        #expect(window.latest == at(70))
        #expect(refused.resets == [.init(after: .seconds(65 + 3_600), count: 1_000)])
        #expect(window.reserve(0, limit: 2_000, life: .zero, now: at(69)).minute == 30_000_001)
    }

    @Test(
        "A clock that was ahead and came back locks for at most 62 minutes, whatever asks meanwhile",
        arguments: [16, 60, 121, 3_600, 2 * 3_600, year])
    func cameBack(seconds: Int) {
        for into in [0, 1, 59] {
            var window = RateLimitWindow()
            _ = window.reserve(1_000, limit: 1_000, life: life, now: at(seconds + into))
            let refused = window.reserve(1, limit: 1_000, life: life, now: at(into))
            #expect(refused.granted == 0)
            #expect(refused.mayBeUnused)
            let wait = refused.resets[0].after
            #expect(wait <= .seconds(62 * 60) && wait > .seconds(61 * 60), "an hour behind the last permitted use")
            for minute in 1...60 {
                #expect(window.reserve(1, limit: 1_000, life: life, now: at(into + minute * 60)).granted == 0)
            }
            let before = at(into).advanced(by: wait - .milliseconds(1))
            #expect(window.reserve(1, limit: 1_000, life: life, now: before).granted == 0)
            #expect(window.reserve(1, limit: 1_000, life: life, now: at(into).advanced(by: wait)).granted == 1)
        }
    }

    @Test("What was charged before the clock was ahead stays where it was")
    func keepsWhatIsBehind() {
        var window = RateLimitWindow()
        _ = window.reserve(10, limit: 100, life: .zero, now: at(0))
        _ = window.reserve(20, limit: 100, life: .zero, now: at(1_800))
        let back = window.reserve(0, limit: 100, life: .zero, now: at(120))
        #expect(back.charged == 30)
        #expect(back.resets == [.init(after: .seconds(3_540), count: 10), .init(after: .seconds(3_720), count: 20)])
    }

    @Test("A reservation from before the clock came back is not released, also when its minute comes again")
    func releasedLate() {
        var window = RateLimitWindow()
        let early = window.reserve(40, limit: 100, life: life, now: at(3_600))
        _ = window.reserve(0, limit: 100, life: life, now: at(0))
        window.release(40, minute: early.minute)
        #expect(window.charged == 40)
        let again = window.reserve(60, limit: 100, life: life, now: at(3_600))
        #expect(again.granted == 60)
        window.release(40, minute: early.minute)
        #expect(window.charged == 100)
        window.release(10, minute: again.minute)
        #expect(window.charged == 90)
    }

    @Test("A fold is worth writing, and then nothing is")
    func isWritten() {
        var window = RateLimitWindow()
        _ = window.reserve(100, limit: 100, life: life, now: at(Self.year))
        let stored = window
        _ = window.reserve(1, limit: 100, life: life, now: at(0))
        #expect(window.isWorthWriting(over: stored))
        var next = window
        _ = next.reserve(1, limit: 100, life: life, now: at(600))
        #expect(!next.isWorthWriting(over: window))
    }

    @Test("A shared reservation of a clock that was ahead counts for 62 minutes; none is used that frees too early")
    func sharedReservations() {
        var window = RateLimitWindow()
        let lead = RateLimitWindow.Bucket(minute: RateLimitWindow.minute(of: at(Self.year)), count: 10)
        let folded = RateLimitWindow.foldedMinute(lead.minute, at: at(0))
        #expect(folded == 30_000_001)
        #expect(RateLimitWindow.foldedMinute(folded, at: at(0)) == folded)
        let look = window.reserve(0, limit: 100, life: life, now: at(0), sharedReservations: [lead])
        #expect(look.resets == [.init(after: .seconds(62 * 60), count: 10)])
        // What is recorded of it lies as far ahead, though the window itself never saw that time.
        window.record(10, minute: lead.minute)
        let open = RateLimitWindow.Bucket(minute: 30_000_001, count: 10)
        #expect(window.use(open, limit: 100, now: at(0)).granted == 0)
        #expect(window.reserve(0, limit: 100, life: life, now: at(0)).resets == look.resets)
        #expect(window.use(open, limit: 100, now: at(0)).granted == 10)
    }
}
