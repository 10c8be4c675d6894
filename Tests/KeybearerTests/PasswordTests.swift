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
            if expected == 13 { hasher.noteCost(13) }
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
    func throttleByAccount() throws {
        let clock = TestClock()
        let throttle = SignInThrottle(clocks: clock.clocks)
        let email = EmailAddress(normalised: "ada@example.com")
        for attempt in 0..<5 {
            try throttle.begin(account: email, address: IPAddress(v4: UInt32(attempt)))
        }
        let refused = #expect(throws: KeybearerError.self) {
            try throttle.begin(account: email, address: IPAddress(v4: 99))
        }
        #expect(refused?.code == .rateLimited)
        #expect(refused?.retryAfter == .seconds(1))
        clock.advance(by: .seconds(1))
        try throttle.begin(account: email, address: IPAddress(v4: 100))
        clock.advance(by: .seconds(1))
        #expect(throws: KeybearerError.self) { try throttle.begin(account: email, address: IPAddress(v4: 101)) }
        clock.advance(by: .seconds(1))
        try throttle.begin(account: email, address: IPAddress(v4: 102))
        throttle.succeed(account: email, address: IPAddress(v4: 102))
        for _ in 0..<5 { try throttle.begin(account: email, address: IPAddress(v4: 103)) }
    }

    @Test("Twenty failures from a network, whatever the account; IPv6 counts by /64")
    func throttleByNetwork() throws {
        let clock = TestClock()
        let throttle = SignInThrottle(clocks: clock.clocks)
        for attempt in 0..<20 {
            let address = IPAddress(high: 0x2001_0db8_0000_0001, low: UInt64(attempt))
            try throttle.begin(account: EmailAddress(normalised: "a\(attempt)@example.com"), address: address)
        }
        #expect(throws: KeybearerError.self) {
            try throttle.begin(
                account: EmailAddress(normalised: "new@example.com"),
                address: IPAddress(high: 0x2001_0db8_0000_0001, low: 77))
        }
        try throttle.begin(
            account: EmailAddress(normalised: "new@example.com"),
            address: IPAddress(high: 0x2001_0db8_0000_0002, low: 1))
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
