import Keybearer
import KeybearerSQL
import TestSupport
import Testing

/// The ``UsageStore`` on every engine: ``UsageBatch`` and ``UsageCount`` as ``UsageOutcome`` and quarter, and who reads
/// them; in the ``UsageTables``.
@Suite struct UsageConformance {
    private static let quarter = UsageQuarter.start(of: Samples.start)

    private static func at(_ quarters: Int64) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: quarter.millisecondsSinceEpoch + quarters * UsageQuarter.milliseconds)
    }

    private static func batch(_ writer: String, _ number: Int64, _ counts: [UsageCount]) -> UsageBatch {
        UsageBatch(writer: writer, number: number, uses: [], counts: counts)
    }

    private static func count(
        _ account: Account, _ outcome: UsageOutcome, _ count: Int, at quarters: Int64 = 0, keyID: KeyID? = nil
    ) -> UsageCount {
        UsageCount(
            userID: account.user.id, keyID: keyID ?? account.key.id, quarter: at(quarters), outcome: outcome,
            count: count)
    }

    @Test(arguments: storesUnderTest)
    func aBatchIsAddedOnce(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.addAccount(samples)
            let one = Self.batch(
                "a", 1, [Self.count(account, .admitted, 5), Self.count(account, .rateLimited, 2, at: 1)])
            try await first.recordUsage(one, now: samples.at(0))
            // Its outcome was not known.
            try await first.recordUsage(one, now: samples.at(1))
            try await second.recordUsage(Self.batch("b", 1, [Self.count(account, .admitted, 7)]), now: samples.at(1))
            try await first.recordUsage(Self.batch("a", 2, [Self.count(account, .admitted, 1)]), now: samples.at(2))
            // One that was on its way for long.
            try await first.recordUsage(one, now: samples.at(3))
            let sums = try await second.usage(of: account.user.id, between: [Self.at(0), Self.at(1), Self.at(2)])
            #expect(sums == [[.admitted: 13], [.rateLimited: 2]])
            #expect(try await first.usage(of: account.user.id, between: [Self.at(2), Self.at(3)]) == [[:]])
            #expect(try await first.usage(of: account.user.id, between: []).isEmpty)
            // It is neither a change nor an event.
            #expect(try await first.newestPosition(samples).number == 0)
        }
    }

    @Test(arguments: storesUnderTest)
    func anEndedKeysCountsStayWithItsAccount(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let other = try await store.addAccount(samples)
            let use = KeyUse(
                userID: account.user.id, keyID: account.key.id,
                use: LastUse(at: samples.at(9), address: Samples.address)
            )
            let counts = [
                Self.count(account, .admitted, 3), Self.count(other, .admitted, 50),
                Self.count(account, .admitted, 4, keyID: .random(from: samples.random)),
            ]
            try await store.recordUsage(
                UsageBatch(writer: "a", number: 1, uses: [use], counts: counts), now: samples.at(10))
            #expect(try await store.account(id: account.user.id)?.key.lastUse == use.use)
            _ = try await store.replaceKey(
                samples.replacement(of: account), audit: samples.event(.keyRegenerated, user: account.user.id))
            #expect(try await store.usage(of: account.user.id, between: [Self.at(0), Self.at(1)]) == [[.admitted: 7]])
        }
    }

    @Test(arguments: storesUnderTest)
    func aDeletedAccountsCountsGo(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let other = try await store.addAccount(samples)
            // More than one transaction erases.
            let many = (0..<2_100).map { Self.count(account, .admitted, 1, at: $0) }
            try await store.recordUsage(
                Self.batch("a", 1, many + [Self.count(other, .admitted, 1)]), now: samples.at(0))
            _ = try await store.deleteAccount(account.user.id, audit: samples.event(.userDeleted))
            try await store.erasePersonalData(of: account.user.id)
            let times = [Self.at(0), Self.at(5_000)]
            #expect(try await store.usage(of: account.user.id, between: times) == [[:]])
            // What a node still had in memory.
            try await store.recordUsage(Self.batch("a", 2, [Self.count(account, .admitted, 9)]), now: samples.at(1))
            #expect(try await store.usage(of: account.user.id, between: times) == [[:]])
            #expect(try await store.usage(of: other.user.id, between: times) == [[.admitted: 1]])
        }
    }

    @Test(arguments: storesUnderTest)
    func whatIsOlderThanItIsKeptGoes(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let many = (0..<1_500).map { Self.count(account, .admitted, 1, at: $0) }
            try await store.recordUsage(Self.batch("a", 1, many), now: samples.at(0))
            // By the database's own clock, where it has one.
            let store = try #require(store as? SQLStore)
            let now = try await store.engine.read { try $0.now(Self.at(1_000)) }
            let retention = Self.at(1_000).duration(to: now)
            try await store.removeOldUsage(keeping: retention, now: Self.at(1_000))
            let left = try await store.usage(of: account.user.id, between: [Self.at(0), Self.at(5_000)])
            let kept = left[0][.admitted] ?? 0
            #expect(kept == 500 || kept == 499, "\(kept)")
        }
    }

    /// Two processes count for the same accounts, while writes are repeated and overtake each other.
    @Test(arguments: storesUnderTest, [UInt64(1), 2])
    func theSumIsWhatAllProcessesCounted(_ subject: StoreUnderTest, _ seed: UInt64) async throws {
        try await subject.runTwice { first, second, samples in
            let random = RandomSource.seeded(seed)
            var accounts: [Account] = []
            for _ in 0..<6 { accounts.append(try await first.addAccount(samples)) }
            let outcomes = UsageOutcome.allCases
            var expected: [UserID: [UsageOutcome: Int]] = [:]
            var batches: [[UsageBatch]] = [[], []]
            for number in 1...25 {
                for writer in 0..<2 {
                    let counts = (0..<8).map { _ in
                        Self.count(
                            accounts[random.below(6)], outcomes[random.below(outcomes.count)], 1 + random.below(9),
                            at: Int64(random.below(96)))
                    }
                    for count in counts {
                        expected[count.userID, default: [:]][count.outcome, default: 0] += count.count
                    }
                    batches[writer].append(Self.batch("writer \(writer)", Int64(number), counts))
                }
            }
            let again = (0..<50).map { _ in random.below(3) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (store, own) in [(first, batches[0]), (second, batches[1])] {
                    group.addTask {
                        for (place, batch) in own.enumerated() {
                            try await store.recordUsage(batch, now: samples.at(0))
                            for step in 0..<again[place] where place >= step {
                                try await store.recordUsage(own[place - step], now: samples.at(0))
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let times = (0...96).map { Self.at(Int64($0)) }
            for account in accounts {
                let sums = try await first.usage(of: account.user.id, between: times)
                let total = sums.reduce(into: [UsageOutcome: Int]()) { $0.merge($1, uniquingKeysWith: +) }
                #expect(total == expected[account.user.id, default: [:]])
            }
        }
    }
}
