import TestSupport
import Testing

@testable import Keybearer

/// ``DigestPrefix`` and the table of them: a set, and nothing that a set is not.
@Suite struct DigestPrefixTests {
    private func prefix(_ random: RandomSource) throws -> DigestPrefix {
        try #require(DigestPrefix(random.bytes(32)))
    }

    @Test(
        "The table holds what a set holds, while it grows and when it is built",
        arguments: 1...20 as ClosedRange<UInt64>)
    func table(seed: UInt64) throws {
        let random = RandomSource.seeded(seed)
        var (table, model) = (DigestPrefixTable(), Set<DigestPrefix>())
        #expect(try !table.contains(prefix(random)), "an empty one holds nothing")
        // Of few different numbers: many are put in twice, and many lie in one place.
        let isCrowded = seed.isMultiple(of: 2)
        for _ in 0..<2_000 {
            var new = try prefix(random)
            if isCrowded { new = DigestPrefix((new.value % 500) << 54 | new.value & 3) }
            table.insert(new)
            model.insert(new.value == 0 ? DigestPrefix(1) : new)
        }
        let built = DigestPrefixTable(Array(model))
        #expect(table.count == model.count && built.count == model.count)
        for known in model { #expect(table.contains(known) && built.contains(known)) }
        for _ in 0..<2_000 {
            let other = try prefix(random)
            #expect(table.contains(other) == model.contains(other))
            #expect(built.contains(other) == model.contains(other))
        }
    }

    @Test("It takes 8 to 16 bytes for each prefix")
    func memory() throws {
        let random = RandomSource.seeded(3)
        let prefixes = try (0..<30_000).map { _ in try prefix(random) }
        let built = DigestPrefixTable(prefixes)
        #expect((10...11).contains(Double(built.byteCount) / 30_000))
        var grown = DigestPrefixTable()
        for (count, prefix) in prefixes.enumerated() {
            grown.insert(prefix)
            if count >= 100 { #expect((8...16).contains(Double(grown.byteCount) / Double(count + 1))) }
        }
    }

    @Test("It is the first eight bytes, and comes back from its digits")
    func digits() throws {
        #expect(DigestPrefix([1, 2, 3, 4, 5, 6, 7, 8, 9])?.value == 0x0102_0304_0506_0708)
        #expect(DigestPrefix([1, 2, 3, 4, 5, 6, 7]) == nil)
        let random = RandomSource.seeded(4)
        let some = try (0..<200).map { _ in try prefix(random) }
        for value in [DigestPrefix(0), DigestPrefix(15), DigestPrefix(.max)] + some {
            #expect(value.hexadecimal.count == DigestPrefix.hexadecimalLength)
            #expect(DigestPrefix(hexadecimal: value.hexadecimal.utf8) == value)
        }
        for text in ["", "123", "000000000000000g", "00000000000000000", "+000000000000001", "00000000000000AB"] {
            #expect(DigestPrefix(hexadecimal: text.utf8) == nil, "\(text)")
        }
    }
}
