import Testing

@testable import Keybearer

/// The ``RateLimitWindow``: what it grants, when its buckets free, and its stored form.
@Suite struct RateLimitWindowTests {
    let minute = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)

    @Test("Grants up to the limit and not one more")
    func limit() {
        var window = RateLimitWindow()
        #expect(window.reserve(700, limit: 1_000, life: .zero, now: minute).granted == 700)
        #expect(window.reserve(700, limit: 1_000, life: .zero, now: minute).granted == 300)
        #expect(window.reserve(1, limit: 1_000, life: .zero, now: minute).granted == 0)
        #expect(window.charged == 1_000)
    }

    @Test("A bucket frees when its end is 60 minutes old, not a millisecond before")
    func frees() {
        var window = RateLimitWindow()
        _ = window.reserve(1_000, limit: 1_000, life: .zero, now: minute.advanced(by: .seconds(59)))
        let end = minute.advanced(by: .seconds(60 + 3_600))
        #expect(window.reserve(1, limit: 1_000, life: .zero, now: end.advanced(by: .milliseconds(-1))).granted == 0)
        #expect(window.reserve(1, limit: 1_000, life: .zero, now: end).granted == 1)
    }

    @Test("A reservation is charged to the minute of its last permitted use")
    func chargedLate() {
        var window = RateLimitWindow()
        let reservation = window.reserve(10, limit: 1_000, life: .seconds(60), now: minute.advanced(by: .seconds(1)))
        #expect(reservation.minute == 30_000_001)
        let stillCharged = minute.advanced(by: .seconds(60 + 60 + 3_600 - 1))
        #expect(window.reserve(0, limit: 1_000, life: .zero, now: stillCharged).charged == 10)
    }

    @Test("A release frees immediately; releasing more than is charged frees no more")
    func release() {
        var window = RateLimitWindow()
        let reservation = window.reserve(1_000, limit: 1_000, life: .seconds(60), now: minute)
        window.release(400, minute: reservation.minute)
        #expect(window.charged == 600)
        window.release(4_000, minute: reservation.minute)
        #expect(window.charged == 0)
        window.release(5, minute: 1)
        #expect(window.charged == 0)
    }

    @Test("A shared reservation counts too; it is used whole where a quarter of what is left holds it, or not")
    func sharedReservations() {
        var window = RateLimitWindow()
        let sharedReservation = RateLimitWindow.Bucket(minute: RateLimitWindow.minute(of: minute) + 1, count: 10)
        let other = RateLimitWindow.Bucket(minute: sharedReservation.minute, count: 5)
        let reservation = window.use(sharedReservation, limit: 1_000, now: minute, sharedReservations: [other])
        #expect(reservation.granted == 10)
        #expect(reservation.minute == sharedReservation.minute)
        #expect(reservation.charged == 15)
        #expect(reservation.resets == [.init(after: .seconds(3_600 + 120), count: 15)])
        #expect(window == RateLimitWindow(), "it is only looked at")
        #expect(
            window.reserve(
                1_000, limit: 1_000, life: .zero, now: minute, sharedReservations: [sharedReservation, other]
            ).granted == 985
        )
        window.release(985 - 945, minute: RateLimitWindow.minute(of: minute))
        #expect(window.use(sharedReservation, limit: 1_000, now: minute, sharedReservations: [other]).granted == 10)
        #expect(
            window.use(
                sharedReservation, limit: 1_000, now: minute, sharedReservations: Array(repeating: other, count: 4)
            ).granted == 0
        )
        #expect(window.use(sharedReservation, limit: 989, now: minute, sharedReservations: [other]).granted == 0)
        window.record(10, minute: sharedReservation.minute)
        #expect(window.charged == 955)
        let freed = minute.advanced(by: .seconds(3_600 + 120))
        #expect(window.reserve(0, limit: 1_000, life: .zero, now: freed, sharedReservations: [other]).charged == 0)
        #expect(RateLimitWindow.lastFreedMinute(at: freed) == other.minute)
    }

    @Test("Where the clock was set back no shared reservation is used: its minute may free too early")
    func sharedReservationAfterTheClockWasSetBack() {
        var window = RateLimitWindow()
        _ = window.reserve(1, limit: 1_000, life: .zero, now: minute.advanced(by: .seconds(1)))
        let sharedReservation = RateLimitWindow.Bucket(minute: RateLimitWindow.minute(of: minute) + 1, count: 10)
        #expect(window.use(sharedReservation, limit: 1_000, now: minute).granted == 0)
        #expect(window.use(sharedReservation, limit: 1_000, now: minute.advanced(by: .seconds(1))).granted == 10)
    }

    @Test("The stored form reads back, and rubbish does not")
    func storedForm() throws {
        var window = RateLimitWindow()
        for offset in 0..<61 {
            _ = window.reserve(offset + 1, limit: 10_000, life: .zero, now: minute.advanced(by: .seconds(offset * 60)))
        }
        #expect(RateLimitWindow(storedForm: window.storedForm) == window)
        #expect(window.buckets.count <= 62)
        #expect(RateLimitWindow(storedForm: []) == nil)
        #expect(RateLimitWindow(storedForm: [1, 2, 3]) == nil)
        #expect(RateLimitWindow(storedForm: Array(repeating: 0, count: 24)) == nil)
        // With what it knows of a clock that came back.
        let late = window.reserve(3, limit: 10_000, life: .zero, now: minute)
        var read = try #require(RateLimitWindow(storedForm: window.storedForm))
        #expect(read == window)
        read.release(3, minute: late.minute)
        #expect(read.charged == window.charged - 3)
    }
}
