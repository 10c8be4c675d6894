import Testing

@testable import KeybearerOutbound

/// When it is this machine that reaches nobody: the ``UplinkWatch``.
@Suite struct UplinkWatchTests {
    private let start = ContinuousClock.now

    /// What each attempt comes to, one after another.
    private func results(
        _ watch: inout UplinkWatch, _ attempts: [(second: Int, host: String, sign: UplinkWatch.Sign)]
    ) -> [Bool] {
        attempts.map { watch.take($0.sign, of: $0.host, at: start.advanced(by: .seconds($0.second))) }
    }

    private func reached(_ hosts: String...) -> UplinkWatch {
        var watch = UplinkWatch()
        for host in hosts { _ = watch.take(.reached, of: host, at: start) }
        return watch
    }

    @Test func threeThatWereReachedBeforeAndNoneThatIs() {
        var watch = reached("a", "b", "c")
        let found = results(
            &watch,
            [
                (59, "a", .silent), (59, "b", .silent), (59, "c", .silent), (60, "a", .silent), (61, "x", .silent),
                (62, "a", .neither), (63, "a", .reached), (64, "b", .silent), (65, "c", .silent),
            ])
        #expect(found == [false, false, false, true, true, false, false, false, false])
    }

    @Test func hostsThatNeverAnsweredAreTheirOwnersFailure() {
        var watch = reached("a")
        let attempts = (0..<200).map { (60 + $0, "dead\($0 % 20)", UplinkWatch.Sign.silent) }
        #expect(results(&watch, attempts).allSatisfy { !$0 })
        var fresh = UplinkWatch()
        #expect(results(&fresh, attempts).allSatisfy { !$0 }, "nothing was ever reached")
    }

    @Test func anOutageIsBelievedForHalfAnHour() {
        var watch = reached("a", "b", "c")
        let attempts = (0..<2_000).map { (60 + $0, ["a", "b", "c"][$0 % 3], UplinkWatch.Sign.silent) }
        let found = results(&watch, attempts)
        #expect(found.firstIndex(of: true) == 2 && found.lastIndex(of: true) == 2 + 1_799)
    }

    @Test func whatIsLongAgoDoesNotCount() {
        var watch = reached("a", "b", "c", "d")
        let found = results(
            &watch,
            [(60, "a", .silent), (60, "b", .silent), (120, "c", .silent), (121, "d", .silent), (122, "a", .silent)])
        #expect(found == [false, false, false, false, true])
    }
}
