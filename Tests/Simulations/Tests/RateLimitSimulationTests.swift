import Testing

/// The ``RateLimitWindow`` in random histories: no 60 minutes admit more than the limit.
@Suite struct RateLimitSimulationTests {
    private struct Summary: Sendable {
        var schedules = 0
        var admitted = 0
        var refused = 0
        var full = 0
        var violations: [UInt64] = []
    }

    private static func play(_ seeds: Range<UInt64>, mistake: Schedule.Mistake? = nil) -> Summary {
        var summary = Summary()
        for seed in seeds {
            var schedule = Schedule(seed: seed, mistake: mistake)
            let outcome = schedule.play()
            summary.schedules += 1
            summary.admitted += outcome.admitted
            summary.refused += outcome.refused
            if outcome.worstWindow == outcome.limit { summary.full += 1 }
            if outcome.worstWindow > outcome.limit { summary.violations.append(seed) }
        }
        return summary
    }

    @Test("A million random schedules with restarts, crashes, slow reservations and bursts where buckets end")
    func million() async {
        let parts = (0..<20).map { UInt64($0) * 50_000..<UInt64($0 + 1) * 50_000 }
        let total = await withTaskGroup(of: Summary.self) { group in
            for part in parts { group.addTask { Self.play(part) } }
            return await group.reduce(into: Summary()) { total, part in
                total.schedules += part.schedules
                total.admitted += part.admitted
                total.refused += part.refused
                total.full += part.full
                total.violations += part.violations
            }
        }
        print(
            "\(total.schedules) schedules: \(total.admitted) admitted, \(total.refused) refused, "
                + "\(total.full) reached their limit exactly, \(total.violations.count) exceeded it")
        #expect(total.schedules == 1_000_000)
        #expect(total.violations.isEmpty, "seeds \(total.violations.prefix(5))")
        #expect(total.full > 300_000, "the schedules press against the limit")
        #expect(total.refused > 1_000_000)
    }

    @Test(
        "With a wall clock that is wrong: the limit, and once more for each forward step; no lock is longer than 62 minutes",
        arguments: [WallClock.Moves.back, .both, .far])
    func wrongClock(_ moves: WallClock.Moves) async {
        let parts = (0..<20).map { UInt64($0) * 10_000..<UInt64($0 + 1) * 10_000 }
        let outcomes = await withTaskGroup(of: WallClock.Outcome.self) { group in
            for part in parts { group.addTask { Self.playWithClock(part, moves).clock } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let longestLock = outcomes.map(\.longestLock).max() ?? 0
        let longestWait = outcomes.map(\.longestWait).max() ?? 0
        print(
            "\(moves): \(outcomes.reduce(0) { $0 + $1.steps }) moves in 200000 schedules, locked for \(longestLock) ms and "
                + "told to wait \(longestWait) ms at most")
        #expect(!outcomes.contains { $0.exceeds })
        #expect(!outcomes.contains { $0.isUntrue })
        // Time can stand still for up to 15 seconds.
        let most: Int64 = (62 * 60 + 15) * 1_000
        #expect((3_600_000...most).contains(longestLock))
        #expect(longestWait <= most)
    }

    private static func playWithClock(
        _ seeds: Range<UInt64>, _ moves: WallClock.Moves, mistake: Schedule.Mistake? = nil
    ) -> (clock: WallClock.Outcome, worst: Schedule.Outcome?) {
        var total = WallClock.Outcome()
        var worst: Schedule.Outcome?
        for seed in seeds {
            var schedule = Schedule(seed: seed, mistake: mistake, moves: moves)
            let outcome = schedule.play()
            total.exceeds = total.exceeds || outcome.clock.exceeds
            total.isUntrue = total.isUntrue || outcome.clock.isUntrue
            total.longestLock = max(total.longestLock, outcome.clock.longestLock)
            total.longestWait = max(total.longestWait, outcome.clock.longestWait)
            total.steps += outcome.clock.steps
            if outcome.clock.exceeds { worst = outcome }
        }
        return (total, worst)
    }

    @Test("Giving back to a bucket of another time would exceed the limit, and is found")
    func findsForgedReleases() {
        #expect(
            Self.playWithClock(0..<200_000, .back, mistake: .releasedToAnotherBucket).clock.exceeds)
    }

    @Test(
        "What would exceed the limit is found",
        arguments: [
            Schedule.Mistake.chargedEarly, .sharedReservationsGoWithACrash, .leftOutUnrecorded, .usedAgainUnrecorded,
        ])
    func findsMistakes(_ mistake: Schedule.Mistake) {
        #expect(!Self.play(0..<20_000, mistake: mistake).violations.isEmpty)
    }
}
