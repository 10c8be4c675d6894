import TestSupport
import Testing

@testable import Keybearer

/// ``KeyHistory``: what merging keeps, its bounds, and its stored form (``StoredKeyHistory``), fed by ``KeyNews``.
@Suite struct KeyHistoryTests {
    private static let userID = UserID(rawValue: "usr_1")
    private static let first = KeyID(rawValue: "key_1")
    private static let second = KeyID(rawValue: "key_2")
    private static let third = KeyID(rawValue: "key_3")
    private let samples = Samples(seed: 51)
    private let never = Timestamp(millisecondsSinceEpoch: .max)

    private func source(
        _ number: UInt32, _ from: Int64, _ to: Int64, _ agent: String = "curl/8", of key: KeyID = first
    ) -> KeyNews.SeenSource {
        KeyNews.SeenSource(
            keyID: key,
            source: KeySource(
                address: IPAddress(v4: number), userAgent: agent, firstSeenAt: samples.at(from),
                lastSeenAt: samples.at(to)))
    }

    private func refusal(_ number: Int, at seconds: Int64, _ reason: UsageOutcome = .rateLimited) -> KeyRefusal {
        KeyRefusal(at: samples.at(seconds), reason: reason, address: IPAddress(v4: 9), requestID: "req_\(number)")
    }

    private func attempts(_ count: Int, endedAt: Int64, from: Int64, to: Int64) -> EndedKeyAttempts {
        EndedKeyAttempts(
            endedAt: samples.at(endedAt), count: count, firstAt: samples.at(from), lastAt: samples.at(to),
            address: IPAddress(v4: UInt32(to)))
    }

    @Test("A source that comes again is one: from the first to the last, with what it said last")
    func merging() {
        var history = KeyHistory()
        history.merge(
            KeyNews(userID: Self.userID, sources: [source(1, 10, 20), source(2, 15, 15)]), live: Self.first,
            latest: never)
        history.merge(
            KeyNews(userID: Self.userID, sources: [source(1, 5, 30, "python/3")]), live: Self.first, latest: never)
        // One that another node wrote late.
        history.merge(
            KeyNews(userID: Self.userID, sources: [source(1, 12, 13, "old")]), live: Self.first, latest: never)
        #expect(history.sources == [source(1, 5, 30, "python/3").source, source(2, 15, 15).source])
        #expect(history.previousSources.isEmpty)
    }

    @Test("A source is new in a network from which neither the live key nor the one before it was used")
    func newSources() {
        var history = KeyHistory()
        func new(_ sources: KeyNews.SeenSource..., live: KeyID = Self.first) -> KeySource? {
            let news = KeyNews(userID: Self.userID, sources: sources)
            defer { history.merge(news, live: live, latest: never) }
            return history.newSource(in: news, live: live)
        }
        func sixth(_ low: UInt64, in network: UInt64) -> KeyNews.SeenSource {
            KeyNews.SeenSource(
                keyID: Self.first,
                source: KeySource(
                    address: IPAddress(high: network, low: low), userAgent: "", firstSeenAt: samples.at(1),
                    lastSeenAt: samples.at(1)))
        }
        #expect(new(source(1, 1, 1), sixth(1, in: 7)) == nil, "nothing was known")
        #expect(new(source(1, 2, 2), sixth(2, in: 7)) == nil, "the same address, the same /64")
        #expect(new(source(1, 3, 3), source(2, 3, 3))?.address == IPAddress(v4: 2))
        #expect(new(sixth(1, in: 8))?.address == IPAddress(high: 8, low: 1))
        #expect(new(KeyNews.SeenSource(keyID: Self.first, source: local)) == nil, "a socket is no network")
        // A new key from where the one before it was used is no news; from elsewhere it is.
        #expect(new(source(2, 4, 4, of: Self.second), live: Self.second) == nil)
        #expect(new(source(3, 5, 5, of: Self.first), live: Self.second) == nil, "that key has ended")
        #expect(new(source(4, 6, 6, of: Self.second), live: Self.second)?.address == IPAddress(v4: 4))
        // Of the key before that one, nothing counts any more.
        #expect(new(source(1, 7, 7, of: Self.third), live: Self.third)?.address == IPAddress(v4: 1))
        // Where sources fall out, nobody knows which are new.
        for number in 10..<(10 + UInt32(KeyHistory.mostSources)) {
            _ = new(source(number, 8, 8, of: Self.third), live: Self.third)
        }
        #expect(new(source(99, 9, 9, of: Self.third), live: Self.third) == nil)
    }

    private var local: KeySource {
        KeySource(address: .localSocket, userAgent: "", firstSeenAt: samples.at(1), lastSeenAt: samples.at(1))
    }

    @Test(
        "A key that ended before anything was written of it is the key before, whichever is written first",
        arguments: [true, false])
    func endedBeforeItWasWritten(isFirst: Bool) {
        var history = KeyHistory()
        func merge(_ seen: KeyNews.SeenSource) {
            history.merge(KeyNews(userID: Self.userID, sources: [seen]), live: Self.third, latest: never)
        }
        let seen = [source(2, 10, 11, of: Self.second), source(3, 20, 20, of: Self.third)]
        for each in isFirst ? seen : seen.reversed() { merge(each) }
        // One of the oldest key that comes late takes nobody's place.
        merge(source(4, 2, 3, of: Self.first))
        let shown = history.seen(with: Self.third)
        #expect(shown.sources == [seen[1].source] && shown.previousSources == [seen[0].source])
    }

    @Test("With a new key the sources begin again, and those of the key before it stay until the next one")
    func keys() {
        var history = KeyHistory()
        func merge(_ seen: [KeyNews.SeenSource], live: KeyID) {
            history.merge(KeyNews(userID: Self.userID, sources: seen), live: live, latest: never)
        }
        merge([source(1, 1, 1)], live: Self.first)
        // Nobody used the new key yet: it is told from the live key.
        let seen = history.seen(with: Self.second)
        #expect(seen.sources.isEmpty && seen.previousSources.map(\.address) == [IPAddress(v4: 1)])
        // What a node had still in memory of the old key.
        merge([source(2, 2, 2)], live: Self.second)
        merge([source(3, 3, 3, of: Self.second)], live: Self.second)
        merge([source(4, 4, 4)], live: Self.second)
        #expect(history.sources.map(\.address) == [IPAddress(v4: 3)])
        #expect(history.previousSources.map(\.address) == [4, 2, 1].map { IPAddress(v4: $0) })
        merge([source(5, 5, 5, of: Self.third)], live: Self.third)
        merge([source(6, 6, 6)], live: Self.third)
        #expect(history.sources.map(\.address) == [IPAddress(v4: 5)])
        #expect(history.previousSources.map(\.address) == [IPAddress(v4: 3)])
    }

    @Test("Times that lie ahead, from a wrong clock, count as now and do not stay on top")
    func wrongClock() {
        var history = KeyHistory()
        let now = samples.at(100)
        history.merge(
            KeyNews(
                userID: Self.userID, sources: [source(1, 50, 9_000)], refusals: [refusal(1, at: 9_000)],
                attempts: [attempts(1, endedAt: 1, from: 9_000, to: 9_000)]), live: Self.first, latest: now)
        history.merge(
            KeyNews(userID: Self.userID, sources: [source(2, 150, 150)], refusals: [refusal(2, at: 150)]),
            live: Self.first, latest: samples.at(200))
        #expect(history.sources.map(\.lastSeenAt) == [samples.at(150), now])
        #expect(history.refusals.map(\.requestID) == ["req_2", "req_1"])
        #expect(history.attempts.map(\.lastAt) == [now])
    }

    @Test("Each list is bounded, the oldest fall out; the stored form says the same, whatever the order of nodes")
    func random() {
        let random = RandomSource.seeded(52)
        for _ in 0..<200 {
            var (history, reversed) = (KeyHistory(), KeyHistory())
            let news = (0..<30).map { number in
                KeyNews(
                    userID: Self.userID,
                    // No more than are kept: what falls out depends on the order.
                    sources: (0..<3).map { _ in
                        let at = Int64(random.below(1_000))
                        return source(UInt32(1 + random.below(20)), at, at + Int64(random.below(10)))
                    },
                    refusals: [refusal(number, at: Int64(random.below(1_000)))],
                    attempts: [
                        attempts(1 + random.below(4), endedAt: Int64(random.below(5)), from: 1, to: Int64(1 + number))
                    ])
            }
            for part in news { history.merge(part, live: Self.first, latest: never) }
            for part in news.reversed() { reversed.merge(part, live: Self.first, latest: never) }
            #expect(
                history.sources.count <= KeyHistory.mostSources && history.refusals.count == KeyHistory.mostRefusals)
            #expect(history.attempts.count <= KeyHistory.mostEndedKeys)
            #expect(history.refusals == reversed.refusals && history.attempts == reversed.attempts)
            #expect(history.sources.map(\.address) == reversed.sources.map(\.address))
            let all = news.flatMap(\.attempts).map(\.count).reduce(0, +)
            #expect(history.attempts.map(\.count).reduce(0, +) == all)
            let last = news.flatMap(\.refusals).sorted { ($1.at, $1.requestID) < ($0.at, $0.requestID) }
            #expect(history.refusals == Array(last.prefix(KeyHistory.mostRefusals)))
            #expect(KeyHistory(storedForm: history.storedForm) == history)
        }
        var history = KeyHistory()
        for number in 0..<100 {
            history.merge(
                KeyNews(userID: Self.userID, sources: [source(UInt32(number), Int64(number), Int64(number))]),
                live: Self.first, latest: never)
        }
        #expect(history.sources.map(\.address) == (80..<100).reversed().map { IPAddress(v4: UInt32($0)) })
        #expect(history.storedForm.utf8.count < 16_384)
    }

    @Test("What somebody sends stays within its line, and lines that cannot be read are left out")
    func storedForm() {
        let hostile = "a\tb\nsource\t1.2.3.4\t1\t1\tx\u{202e}é"
        var history = KeyHistory()
        history.merge(
            KeyNews(
                userID: Self.userID, sources: [source(1, 1, 2, hostile)],
                refusals: [refusal(7, at: 3, .addressNotAllowed)]),
            live: Self.first, latest: never)
        let read = KeyHistory(storedForm: history.storedForm)
        #expect(read.sources.count == 1 && read.sources[0].address == IPAddress(v4: 1))
        #expect(read.sources[0].userAgent.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        let damaged =
            history.storedForm + "\nsource\tx\t1\t1\ta\nrefusal\t1\tnew_reason\t1.2.3.4\treq_1\nlater\t1\n\nattempts"
        #expect(KeyHistory(storedForm: damaged) == read)
        #expect(KeyHistory(storedForm: "") == KeyHistory())
    }
}
