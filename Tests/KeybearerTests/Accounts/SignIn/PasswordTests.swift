import TestSupport
import Testing

@testable import Keybearer

@Suite("Passwords, sessions and throttling")
struct PasswordTests {
    let random = RandomSource.seeded(5)

    @Test("A hash verifies its password alone, and names its parameters")
    func hashing() async throws {
        let hasher = PasswordHasher(cost: 10, random: random)
        let hash = try await hasher.hash(Password("a long enough secret"))
        #expect(hash.hasPrefix("$scrypt$ln=10,r=8,p=1$"))
        #expect(try await hasher.verify(Password("a long enough secret"), against: hash))
        #expect(try await !hasher.verify(Password("a long enough secreT"), against: hash))
        #expect(try await hasher.hash(Password("a long enough secret")) != hash)
        await #expect(throws: KeybearerError.self) { try await hasher.verify(Password("x"), against: "plain") }
        await #expect(throws: KeybearerError.self) {
            try await hasher.verify(Password("x"), against: "$scrypt$ln=30,r=8,p=1$AAAA$AAAA")
        }
    }

    @Test("A check makes the same number of rounds, whatever is stored")
    func work() async throws {
        for ceiling in 10...20 {
            for stored in [nil] + (10...ceiling).map(Int?.some) {
                let costs = PasswordHasher.work(forStoredCost: stored, ceiling: ceiling)
                #expect(costs.first == stored ?? ceiling)
                #expect(costs.map { 1 << $0 }.reduce(0, +) == 1 << ceiling, "\(String(describing: stored)), \(ceiling)")
            }
        }
        let hash = try await PasswordHasher(cost: 10, random: random).hash(Password("a long enough secret"))
        let hasher = PasswordHasher(cost: 12, random: random)
        for expected in [12, 12, 13, 13] {
            if expected == 13 { hasher.recordCost(13) }
            let before = hasher.roundsDerived
            _ = try await hasher.verify(Password("a long enough secret"), against: hash)
            let between = hasher.roundsDerived
            try await hasher.verifyNothing(Password("a long enough secret"))
            #expect(between - before == 1 << expected && hasher.roundsDerived - between == 1 << expected)
        }
    }

    @Test("The RFC 7914 vector holds through our parameters")
    func vector() async throws {
        // scrypt(P="pleaseletmein", S="SodiumChloride", N=16384, r=8, p=1), its first 32 bytes, in PHC form.
        let hash = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI"
        let hasher = PasswordHasher(cost: 14, random: random)
        #expect(try await hasher.verify(Password("pleaseletmein"), against: hash))
        #expect(try await !hasher.verify(Password("pleaseletmeout"), against: hash))
    }

    @Test(
        "What may be chosen",
        arguments: [
            ("short", false), ("password", false), ("Password123", false), ("aaaaaaaaaaaa", false), ("23456789", false),
            ("ada@example.com", false), ("Ada Lovelace", false), ("correct horse battery", true), ("ünïcödé!", true),
            (String(repeating: "xyz ", count: 64), true), (String(repeating: "x9", count: 600), false),
        ])
    func rules(text: String, isAccepted: Bool) {
        let problem = Password(text).problem(email: "ada@example.com", name: "Ada Lovelace")
        #expect((problem == nil) == isAccepted, "\(problem ?? "accepted")")
    }

    @Test("What is hashed of a password that is too long is bounded in bytes, however few characters it has")
    func cut() {
        let marks = Password("a" + String(repeating: "\u{301}", count: 100_000))
        #expect(marks.characters.count == 1 && !marks.isWithinLimit)
        // The last character may be cut in two, and is replaced then.
        #expect((1_024...1_026).contains(marks.cut.characters.utf8.count))
        #expect(Password(String(repeating: "x", count: 5_000)).cut.characters.utf8.count == 1_024)
        let longest = Password(String(repeating: "\u{E9}", count: 512))
        #expect(longest.isWithinLimit && longest.cut.characters == longest.characters)
    }

    @Test("Passwords and tokens print as their kind")
    func descriptions() throws {
        var text = "\(Password("hunter2hunter2"))"
        dump(Password("hunter2hunter2"), to: &text)
        let vault = KeyVault(ring: try MasterKeyRing.generate(from: random))
        let token = SessionToken.mint(from: vault, random: random).token
        dump(token, to: &text)
        text += "\(token)"
        #expect(!text.contains("hunter2"))
        #expect(!text.contains(token.characters))
    }

    @Test("Five failures for an account, then each further one doubles the wait")
    func throttleByAccount() async throws {
        let clock = TestClock()
        let throttle = SignInThrottle(clocks: clock.clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for attempt in 0..<5 { try await throttle.guess(email, from: IPAddress(v4: UInt32(attempt))) }
        let refused = await #expect(throws: KeybearerError.self) {
            try await throttle.guess(email, from: IPAddress(v4: 99))
        }
        #expect(refused?.code == .rateLimited)
        #expect(refused?.retryAfter == .seconds(1))
        clock.advance(by: .seconds(1))
        try await throttle.guess(email, from: IPAddress(v4: 100))
        clock.advance(by: .seconds(1))
        await #expect(throws: KeybearerError.self) { try await throttle.guess(email, from: IPAddress(v4: 101)) }
        clock.advance(by: .seconds(1))
        try await throttle.attempt(email, from: IPAddress(v4: 102)) {}
        for _ in 0..<5 { try await throttle.guess(email, from: IPAddress(v4: 103)) }
    }

    @Test("Twenty failures from a network, whatever the account, or none; IPv6 counts by /64")
    func throttleByNetwork() async throws {
        let clock = TestClock()
        let throttle = SignInThrottle(clocks: clock.clocks)
        for attempt in 0..<20 {
            let address = IPAddress(high: 0x2001_0db8_0000_0001, low: UInt64(attempt))
            let email = attempt % 2 == 0 ? nil : EmailAddress(normalised: "a\(attempt)@example.com")
            try await throttle.guess(email, from: address)
        }
        for email in [nil, EmailAddress(normalised: "new@example.com")] {
            await #expect(throws: KeybearerError.self) {
                try await throttle.guess(email, from: IPAddress(high: 0x2001_0db8_0000_0001, low: 77))
            }
            try await throttle.guess(email, from: IPAddress(high: 0x2001_0db8_0000_0002, low: 1))
        }
    }

    @Test("What was ours to fail is no attempt: it adds nothing, and no wait", arguments: [0, 4, 8])
    func throttleLessFaults(failures: Int) async throws {
        let clock = TestClock()
        let throttle = SignInThrottle(clocks: clock.clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for attempt in 0..<failures {
            try await throttle.guess(email, from: IPAddress(v4: UInt32(attempt)))
            clock.advance(by: .seconds(16))
        }
        for attempt in 0..<70 {
            for code in [ErrorCode.unavailable, .internalError] {
                let error = await #expect(throws: KeybearerError.self) {
                    try await throttle.attempt(email, from: Samples.address) { throw KeybearerError(code, "") }
                }
                #expect(error?.code == code, "\(attempt)")
            }
            // What a library throws, such as the hash function that finds no memory.
            await #expect(throws: NoMemory.self) {
                try await throttle.attempt(email, from: Samples.address) { throw NoMemory() }
            }
        }
        // As many as are free still are, and after them the wait is as long as it would have been.
        for _ in 0..<max(0, 5 - failures) { try await throttle.guess(email, from: Samples.address) }
        if failures == 8 { try await throttle.guess(email, from: Samples.address) }
        let refused = await #expect(throws: KeybearerError.self) {
            try await throttle.guess(email, from: Samples.address)
        }
        #expect(refused?.retryAfter == (failures == 8 ? .seconds(16) : .seconds(1)))
    }

    private struct NoMemory: Error {}

    @Test("Who leaves before the outcome is known has made an attempt")
    func throttleCancelled() async throws {
        let throttle = SignInThrottle(clocks: TestClock().clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for _ in 0..<5 {
            await #expect(throws: CancellationError.self) {
                try await throttle.attempt(email, from: Samples.address) { throw CancellationError() }
            }
        }
        let refused = await #expect(throws: KeybearerError.self) {
            try await throttle.guess(email, from: Samples.address)
        }
        #expect(refused?.code == .rateLimited)
    }

    @Test("Of many at once, as many pass as are free; those that are open count until their outcome is known")
    func throttleAtOnce() async throws {
        let throttle = SignInThrottle(clocks: TestClock().clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        let (held, release) = AsyncStream<Void>.makeStream()
        let (begun, begin) = AsyncStream<Void>.makeStream()
        async let group: Int = withTaskGroup(of: Bool.self) { group in
            for attempt in 0..<5 {
                group.addTask {
                    let error = await #expect(throws: KeybearerError.self) {
                        try await throttle.attempt(email, from: IPAddress(v4: UInt32(attempt))) {
                            begin.yield()
                            for await _ in held {}
                            throw KeybearerError(.unavailable, "")
                        }
                    }
                    return error?.code == .unavailable
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        var starts = begun.makeAsyncIterator()
        for _ in 0..<5 { await starts.next() }
        for attempt in 0..<65 {
            let error = await #expect(throws: KeybearerError.self) {
                try await throttle.guess(email, from: IPAddress(v4: UInt32(attempt)))
            }
            #expect(error?.code == .rateLimited)
        }
        release.finish()
        let unavailable = await group
        #expect(unavailable == 5)
        // None of them tried a password, so all five are free again.
        for _ in 0..<5 { try await throttle.guess(email, from: Samples.address) }
        await #expect(throws: KeybearerError.self) { try await throttle.guess(email, from: Samples.address) }
    }

    @Test("Sessions end after idling, and in any case after their absolute span; recency is its own")
    func sessionPolicy() {
        let policy = SessionPolicy()
        let start = Samples.start
        func session(seen: Duration) -> SessionTimes {
            SessionTimes(createdAt: start, authenticatedAt: start, lastSeenAt: start.advanced(by: seen))
        }
        #expect(policy.isLive(session(seen: .zero), at: start.advanced(by: policy.idle - .seconds(1))))
        #expect(!policy.isLive(session(seen: .zero), at: start.advanced(by: policy.idle)))
        let late = session(seen: policy.absolute - .seconds(10))
        #expect(policy.isLive(late, at: start.advanced(by: policy.absolute - .seconds(1))))
        #expect(!policy.isLive(late, at: start.advanced(by: policy.absolute)))
        #expect(policy.isRecent(late, at: start.advanced(by: policy.recentSignIn - .seconds(1))))
        #expect(!policy.isRecent(late, at: start.advanced(by: policy.recentSignIn)))
        // A stamp from more than two minutes ahead was made by a clock that was wrong.
        let fresh = session(seen: .zero)
        #expect(policy.isLive(fresh, at: start.advanced(by: .seconds(-120))))
        #expect(policy.isRecent(fresh, at: start.advanced(by: .seconds(-120))))
        #expect(!policy.isLive(fresh, at: start.advanced(by: .seconds(-121))))
        #expect(!policy.isRecent(fresh, at: start.advanced(by: .seconds(-121))))
    }
}

extension SignInThrottle {
    /// An attempt with a wrong password.
    func guess(_ email: EmailAddress?, from address: IPAddress) async throws {
        do {
            try await attempt(email, from: address) { throw KeybearerError(.unauthorized, "") }
        } catch let error as KeybearerError where error.code == .unauthorized {}
    }
}
