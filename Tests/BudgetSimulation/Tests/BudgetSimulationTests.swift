import Testing

@Suite("No 60 minutes admit more than the limit")
struct BudgetSimulationTests {
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
            if outcome.worstHour == outcome.limit { summary.full += 1 }
            if outcome.worstHour > outcome.limit { summary.violations.append(seed) }
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
        "What would exceed the limit is found",
        arguments: [
            Schedule.Mistake.chargedEarly, .allowancesGoWithACrash, .leftOutUnrecorded, .usedAgainUnrecorded,
        ])
    func findsMistakes(_ mistake: Schedule.Mistake) {
        #expect(!Self.play(0..<20_000, mistake: mistake).violations.isEmpty)
    }
}
