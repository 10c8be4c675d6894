import TestSupport
import Testing

@testable import Keybearer

/// The ``ReservationWatch``: which reservations are watched until they end.
@Suite struct ReservationWatchTests {
    let accountStates = ["a", "b", "c"].map { AccountState(userID: UserID(rawValue: $0)) }
    var watch = ReservationWatch()

    private func at(_ milliseconds: Int64) -> SteadyTime { SteadyTime(nanoseconds: milliseconds * 1_000_000) }

    private func names(_ accountStates: [AccountState]) -> [String] { accountStates.map(\.userID.rawValue).sorted() }

    @Test("Those that end are taken out once, in the tenth of a second in which they end")
    mutating func ends() {
        #expect(watch.isEmpty)
        for (accountState, end) in zip(accountStates, [1_000, 1_099, 1_100] as [Int64]) {
            watch.watch(accountState, until: at(end))
        }
        #expect(names(watch.takeEnded(at: at(999))).isEmpty)
        #expect(names(watch.takeEnded(at: at(1_000))) == ["a", "b"])
        #expect(names(watch.takeEnded(at: at(1_050))).isEmpty)
        #expect(!watch.isEmpty)
        #expect(names(watch.takeAll()) == ["c"])
        #expect(watch.isEmpty)
    }

    @Test("A reclaim request is responded to once; a later round is another one")
    mutating func reclaims() {
        for accountState in accountStates { watch.watch(accountState, until: at(1_000)) }
        func shown(_ rounds: [(String, Int64)]) -> [ReclaimRequest] {
            rounds.map { ReclaimRequest(userID: UserID(rawValue: $0.0), round: $0.1) }
        }
        #expect(names(watch.respond(to: shown([("a", 1), ("x", 1)]))) == ["a"])
        #expect(names(watch.respond(to: shown([("a", 1), ("b", 1)]))) == ["b"])
        #expect(names(watch.respond(to: shown([("a", 2), ("b", 1)]))) == ["a"])
        #expect(names(watch.respond(to: [])).isEmpty)
        #expect(names(watch.respond(to: shown([("b", 1)]))) == ["b"])
    }

    /// What expires and what is consumed at the same time: each unit goes one way.
    @Test("Expiry beside consumption, in either order", arguments: [true, false])
    func expiry(isFirst: Bool) {
        let accountState = accountStates[0]
        accountState.withQuota {
            $0.accept(
                Reservation(granted: 10, minute: 7, charged: 10, resets: []), wanted: 10, limit: 40,
                requestedAt: at(0), life: .seconds(60), now: at(5), patience: .seconds(1))
        }
        #expect(accountState.beginWatching())
        #expect(!accountState.beginWatching())
        func consume(at milliseconds: Int64) -> Bool {
            let (decision, _, _) = accountState.consume(
                limit: 40, keyID: KeyID(rawValue: "key"), from: Samples.address, now: at(milliseconds),
                wall: Samples.start)
            return if case .admitted = decision { true } else { false }
        }
        // Both read their clocks on either side of the end, in whatever order they then take the lock.
        if isFirst {
            let (early, watchUntil) = accountState.takeExpired(at: at(59_999))
            #expect(early.isEmpty)
            #expect(watchUntil == at(60_000))
            #expect(consume(at: 59_999))
            #expect(accountState.takeExpired(at: at(60_000)).unused == [.init(count: 9, minute: 7)])
        } else {
            #expect(accountState.takeExpired(at: at(60_000)).unused == [.init(count: 10, minute: 7)])
            #expect(!consume(at: 59_999))
        }
        #expect(!consume(at: 60_000))
        #expect(accountState.takeExpired(at: at(60_001)).unused.isEmpty)
        #expect(accountState.beginWatching())
    }
}
