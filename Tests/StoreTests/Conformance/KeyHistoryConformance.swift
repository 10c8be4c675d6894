import Keybearer
import KeybearerSQL
import TestSupport
import Testing

/// The histories of keys (``KeyHistories``) on every engine: merged once, with counts and last uses in one transaction, by
/// nodes that write at the same time; gone with their account.
@Suite struct KeyHistoryConformance {
    private static func source(
        _ account: Account, _ number: UInt32, at time: Timestamp, _ agent: String = "curl/8"
    ) -> KeyNews.SeenSource {
        KeyNews.SeenSource(
            keyID: account.key.id,
            source: KeySource(
                address: IPAddress(v4: number), userAgent: agent, firstSeenAt: time, lastSeenAt: time))
    }

    private static func attempts(_ count: Int, at time: Timestamp) -> EndedKeyAttempts {
        EndedKeyAttempts(
            endedAt: Samples.start, count: count, firstAt: time, lastAt: time, address: Samples.address)
    }

    private static func batch(_ writer: String, _ number: Int64, _ news: [KeyNews]) -> UsageBatch {
        UsageBatch(writer: writer, number: number, uses: [], counts: [], news: news)
    }

    @Test(arguments: storesUnderTest)
    func newsAreMergedOnce(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            let account = try await first.addAccount(samples)
            let user = account.user.id
            #expect(try await first.keyHistory(of: user) == KeyHistory())
            let one = Self.batch(
                "a", 1,
                [
                    KeyNews(
                        userID: user, sources: [Self.source(account, 1, at: samples.at(5))],
                        refusals: [
                            KeyRefusal(
                                at: samples.at(6), reason: .featureLocked, address: Samples.address, requestID: "req_1")
                        ], attempts: [Self.attempts(3, at: samples.at(7))])
                ])
            try await first.recordUsage(one, now: samples.at(10))
            // Its outcome was not known.
            try await first.recordUsage(one, now: samples.at(11))
            try await second.recordUsage(
                Self.batch(
                    "b", 1,
                    [
                        KeyNews(
                            userID: user, sources: [Self.source(account, 1, at: samples.at(8), "python/3")],
                            attempts: [Self.attempts(2, at: samples.at(9))])
                    ]), now: samples.at(12))
            let history = try await second.keyHistory(of: user)
            #expect(history.sources.map(\.userAgent) == ["python/3"])
            #expect(history.sources.map(\.firstSeenAt) == [samples.at(5)])
            #expect(history.refusals.map(\.requestID) == ["req_1"] && history.attempts.map(\.count) == [5])
            // It is neither a change nor an event.
            #expect(try await first.newestPosition(samples).number == 0)
            _ = try await first.replaceKey(
                samples.replacement(of: account), audit: samples.event(.keyRegenerated, user: user))
            let live = try #require(try await first.account(id: user))
            // What a node had in memory still.
            try await first.recordUsage(
                Self.batch("a", 2, [KeyNews(userID: user, sources: [Self.source(account, 2, at: samples.at(9))])]),
                now: samples.at(12))
            let seen = try await second.keyHistory(of: user).seen(with: live.key.id)
            #expect(seen.sources.isEmpty)
            #expect(seen.previousSources.map(\.address) == [IPAddress(v4: 2), IPAddress(v4: 1)])
        }
    }

    @Test(arguments: storesUnderTest)
    func nodesThatWriteForTheSameAccountsLoseNothing(_ subject: StoreUnderTest) async throws {
        try await subject.runTwice { first, second, samples in
            var made: [Account] = []
            for _ in 0..<8 { made.append(try await first.addAccount(samples)) }
            let accounts = made
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (writer, store) in [first, second].enumerated() {
                    group.addTask {
                        for number in 1...20 {
                            // Each node has the accounts in another order.
                            let order = writer == 0 ? accounts : accounts.reversed()
                            let news = order.map { account in
                                KeyNews(
                                    userID: account.user.id,
                                    sources: [
                                        Self.source(
                                            account, UInt32(1 + writer * 5 + number % 5),
                                            at: samples.at(Int64(number)))
                                    ], attempts: [Self.attempts(1, at: samples.at(Int64(number)))])
                            }
                            try await store.recordUsage(
                                Self.batch("writer \(writer)", Int64(number), news), now: samples.at(100))
                        }
                    }
                }
                try await group.waitForAll()
            }
            for account in accounts {
                let history = try await second.keyHistory(of: account.user.id)
                #expect(Set(history.sources.map(\.address)) == Set((1...10).map { IPAddress(v4: $0) }))
                #expect(history.attempts.map(\.count) == [40])
            }
        }
    }

    @Test(arguments: storesUnderTest)
    func aDeletedAccountsHistoryGoesAndIsInItsExportBefore(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let account = try await store.addAccount(samples)
            let user = account.user.id
            let news = KeyNews(userID: user, sources: [Self.source(account, 1, at: samples.at(5))])
            try await store.recordUsage(Self.batch("a", 1, [news]), now: samples.at(6))
            let data = try #require(try await store.personalData(of: user, now: samples.at(7)))
            #expect(data.keyHistory.sources.count == 1)
            _ = try await store.deleteAccount(user, audit: samples.event(.userDeleted))
            #expect(try await store.keyHistory(of: user) == KeyHistory())
            // What a node still had in memory.
            try await store.recordUsage(Self.batch("a", 2, [news]), now: samples.at(8))
            #expect(try await store.keyHistory(of: user) == KeyHistory())
            try await store.erasePersonalData(of: user)
        }
    }

    @Test(arguments: storesUnderTest)
    func aTokenIsFoundAsWhatItIs(_ subject: StoreUnderTest) async throws {
        try await subject.run { store, samples in
            let new = samples.newAccount()
            let account = try await store.add(new, samples)
            let replacement = samples.replacement(of: account)
            func kind(_ digest: [UInt8]) async throws -> String {
                switch try await store.findKey(digests: [samples.random.bytes(32), digest]) {
                case .live(let found): "live \(found.user.id == account.user.id)"
                case .ended(let past): "ended \(past.userID == account.user.id)"
                case nil: "unknown"
                }
            }
            #expect(try await kind(new.sealedKey.digest) == "live true")
            _ = try await store.replaceKey(replacement, audit: samples.event(.keyRegenerated, user: account.user.id))
            #expect(try await kind(new.sealedKey.digest) == "ended true")
            #expect(try await kind(replacement.sealed.digest) == "live true")
            #expect(try await kind(samples.random.bytes(32)) == "unknown")
        }
    }
}
