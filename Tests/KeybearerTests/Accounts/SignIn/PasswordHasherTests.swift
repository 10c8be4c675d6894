import TestSupport
import Testing

@testable import Keybearer

/// The ``PasswordHasher``: hashes, and the work of a check.
@Suite struct PasswordHasherTests {
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
}
