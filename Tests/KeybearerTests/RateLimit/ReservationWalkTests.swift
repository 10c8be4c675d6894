import Testing

/// The ``ReservationMachine`` in random histories of one process.
@Suite struct ReservationWalkTests {
    @Test("Nobody waits for ever, nothing is requested twice, and all that was granted is accounted for")
    func invariants() {
        var seen: Set<String> = []
        for seed in 0..<600 as Range<UInt64> {
            var walk = ReservationWalk(seed: seed)
            walk.play()
            seen.formUnion(walk.seen)
            #expect(walk.violations.isEmpty, "seed \(seed)")
            if !walk.violations.isEmpty { return }
        }
        #expect(seen == ["fetched", "prefetched", "failed", "looked again", "expired", "stopped"])
    }
}
