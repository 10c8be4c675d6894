import TestSupport
import Testing

@testable import Keybearer

/// ``RecentSources`` in the state of an account: bounded, once per address, and written seldom where they say nothing new.
@Suite struct RecentSourcesTests {
    private let samples = Samples(seed: 53)
    private let state: AccountState
    private let keyID = KeyID(rawValue: "key_1")

    init() {
        state = AccountState(userID: .random(from: samples.random))
        state.reserve(10_000, at: Samples.start)
    }

    /// - Returns: whether the user agent was asked for.
    @discardableResult
    private func use(
        _ address: UInt32, at seconds: Double, _ agent: String = "curl/8", key: KeyID? = nil
    ) -> Bool {
        var isAsked = false
        let decision = state.consume(
            limit: 20_000, keyID: key ?? keyID, from: IPAddress(v4: address), now: SteadyTime(nanoseconds: 1),
            wall: Samples.start.advanced(by: .milliseconds(Int64(seconds * 1_000)))
        ) {
            isAsked = true
            return agent
        }.decision
        if case .admitted = decision {} else { Issue.record("\(decision)") }
        return isAsked
    }

    private func take() -> [KeyNews.SeenSource] { state.takeUnwritten().news?.sources ?? [] }

    @Test("The user agent is asked for once per address and write")
    func asked() {
        #expect(use(1, at: 0))
        #expect(!use(1, at: 0.1) && use(2, at: 0.2) && !use(1, at: 0.3) && !use(2, at: 0.4))
        let taken = take()
        #expect(
            taken.map(\.source) == [
                KeySource(
                    address: IPAddress(v4: 1), userAgent: "curl/8", firstSeenAt: samples.at(0),
                    lastSeenAt: Samples.start.advanced(by: .milliseconds(300))),
                KeySource(
                    address: IPAddress(v4: 2), userAgent: "curl/8",
                    firstSeenAt: Samples.start.advanced(by: .milliseconds(200)),
                    lastSeenAt: Samples.start.advanced(by: .milliseconds(400))),
            ])
        #expect(use(2, at: 1))
    }

    @Test("A source that says nothing new is written once a minute; another client there, immediately")
    func seldom() {
        use(1, at: 0)
        #expect(take().count == 1)
        for second in 1..<60 {
            use(1, at: Double(second))
            #expect(take().isEmpty, "\(second)")
        }
        use(1, at: 60)
        #expect(take().map(\.source.lastSeenAt) == [samples.at(60)])
        use(1, at: 61, "python/3")
        #expect(take().map(\.source.userAgent) == ["python/3"])
        // The clock was set back.
        use(1, at: 5, "python/3")
        #expect(take().map(\.source.lastSeenAt) == [samples.at(5)])
    }

    @Test("No more are held than are kept: the one that was seen longest ago falls out")
    func bounded() {
        for number in 1...50 { use(UInt32(number), at: Double(number)) }
        use(31, at: 51)
        use(99, at: 52)
        let taken = take().map(\.source.address)
        #expect(taken.count == KeyHistory.mostSources)
        #expect(Set(taken) == Set(([31, 99] + (33...50)).map { IPAddress(v4: $0) }))
    }

    @Test("Each source goes with the key that was used from there")
    func keys() {
        let other = KeyID(rawValue: "key_2")
        use(1, at: 0)
        use(1, at: 1, key: other)
        use(2, at: 2, key: other)
        let taken = take()
        #expect(taken.map(\.keyID) == [keyID, other, other])
        #expect(taken.map(\.source.address) == [1, 1, 2].map { IPAddress(v4: $0) })
        use(1, at: 3, key: KeyID(rawValue: "key_3"))
        #expect(take().count == 1, "what was written of another key is no reason not to write")
    }
}
