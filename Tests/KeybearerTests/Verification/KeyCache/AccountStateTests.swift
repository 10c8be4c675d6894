import TestSupport
import Testing

@testable import Keybearer

/// The last use that an ``AccountState`` holds, where a wall clock was wrong.
@Suite struct AccountStateTests {
    let start = Timestamp(millisecondsSinceEpoch: 60_000 * 30_000_000)
    let life: Duration = .seconds(60)
    private static let year = 365 * 24 * 3_600

    private func at(_ seconds: Int) -> Timestamp { start.advanced(by: .seconds(seconds)) }

    @Test("A last use from the future gives way to the next one, in memory too")
    func lastUse() {
        let samples = Samples()
        let accountState = AccountState(userID: .random(from: samples.random))
        let keyID = KeyID.random(from: samples.random)
        var window = RateLimitWindow()
        accountState.withQuota {
            $0.accept(
                window.reserve(5, limit: 10, life: life, now: start), wanted: 5, limit: 10,
                requestedAt: SteadyTime(nanoseconds: 0), life: life, now: SteadyTime(nanoseconds: 0), patience: .zero)
        }
        for wall in [at(Self.year), at(0), at(-3_600)] {
            _ = accountState.consume(
                limit: 10, keyID: keyID, from: Samples.address, now: SteadyTime(nanoseconds: 1), wall: wall)
            #expect(accountState.lastUse(of: keyID)?.at == wall)
            #expect(accountState.takeUnwrittenUse()?.use.at == wall)
        }
    }
}
