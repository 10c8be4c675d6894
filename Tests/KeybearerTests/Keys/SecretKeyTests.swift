import TestSupport
import Testing

@testable import Keybearer

/// A ``SecretKey``: its characters, its ``CRC32`` checksum, and what is printed of it.
@Suite struct SecretKeyTests {
    let random = RandomSource.seeded(7)
    let vault: KeyVault

    init() throws {
        vault = KeyVault(ring: try .generate(from: RandomSource.seeded(1)))
    }

    @Test("The documented CRC vector holds")
    func checksumVector() {
        let sum = CRC32.checksum("qkJaB6MffYVzZXWqmcoF49yrUxP3wf".utf8)
        #expect(String(decoding: SecretKey.checksumCharacters(sum), as: UTF8.self) == "0LsakP")
        #expect(CRC32.checksum("123456789".utf8) == 0xCBF4_3926)
    }

    @Test("An issued key has the shape: prefix, 38 base62 characters, its checksum")
    func issuedFormat() throws {
        let key = try vault.issue(prefix: .standard, random: random)
        let characters = key.characters
        #expect(characters.utf8.count == 42)
        #expect(characters.hasPrefix("tdc_"))
        #expect(characters.dropFirst(4).utf8.allSatisfy(Base62.contains))
        #expect(key.shownPrefix == String(characters.prefix(8)))
        #expect(SecretKey(parsing: characters.utf8) == key)
        #expect(vault.isGenuine(key))
    }

    @Test("A checksum is written in one way alone: a number that is too large for one is none")
    func checksumInOneWay() throws {
        var bytes = Array(try vault.issue(prefix: .standard, random: random).characters.utf8)
        let sum = UInt64(CRC32.checksum(bytes[4..<36]))
        bytes.replaceSubrange(36..., with: Base62.encode(sum, width: 6))
        #expect(SecretKey(parsing: bytes) != nil)
        bytes.replaceSubrange(36..., with: Base62.encode(sum + (1 << 32), width: 6))
        #expect(SecretKey(parsing: bytes) == nil)
    }

    @Test("Keys differ")
    func keysDiffer() throws {
        let keys = try (0..<500).map { _ in try vault.issue(prefix: .standard, random: random).characters }
        #expect(Set(keys).count == 500)
    }

    @Test("One character changed in any of the 38 places breaks the checksum", arguments: 4..<42)
    func oneCharacterChanged(place: Int) throws {
        let key = try vault.issue(prefix: .standard, random: random)
        for replacement in Base62.alphabet {
            var bytes = Array(key.characters.utf8)
            if bytes[place] == replacement { continue }
            bytes[place] = replacement
            #expect(SecretKey(parsing: bytes) == nil)
        }
    }

    @Test("With the checksum corrected, the tag betrays a change in the first 32 places", arguments: 4..<36)
    func oneCharacterWithItsChecksum(place: Int) throws {
        let key = try vault.issue(prefix: .standard, random: random)
        var bytes = Array(key.characters.utf8)
        bytes[place] = bytes[place] == UInt8(ascii: "a") ? UInt8(ascii: "b") : UInt8(ascii: "a")
        let sum = CRC32.checksum(bytes[4..<36])
        bytes.replaceSubrange(36..., with: SecretKey.checksumCharacters(sum))
        let mended = try #require(SecretKey(parsing: bytes))
        #expect(!vault.isGenuine(mended))
    }

    @Test("Random bytes and truncations are no keys and never trap")
    func garbage() throws {
        let key = Array(try vault.issue(prefix: .standard, random: random).characters.utf8)
        for length in 0..<key.count { #expect(SecretKey(parsing: key.prefix(length)) == nil) }
        #expect(SecretKey(parsing: key + key) == nil)
        for count in 0..<200 {
            #expect(SecretKey(parsing: random.bytes(count)) == nil)
            #expect(SecretKey(parsing: random.base62(count: count)) == nil)
        }
    }

    @Test("A key prints as its prefix, whatever prints it")
    func description() throws {
        let key = try vault.issue(prefix: .standard, random: random)
        var dumped = ""
        dump(key, to: &dumped)
        dump([key], to: &dumped)
        for text in ["\(key)", String(reflecting: key), "\([key])", dumped, "\(Optional(key) as Any)"] {
            #expect(!text.contains(key.characters.dropFirst(8).prefix(8)))
        }
    }

    @Test("Keys of another prefix stay keys")
    func otherPrefix() throws {
        let prefix = try #require(KeyPrefix("acme_live_"))
        let key = try vault.issue(prefix: prefix, random: random)
        #expect(key.shownPrefix.hasPrefix("acme_live_"))
        #expect(vault.isGenuine(key))
        let swapped = "tdc_" + key.characters.dropFirst(10)
        let other = try #require(SecretKey(parsing: swapped.utf8))
        #expect(!vault.isGenuine(other), "the tag covers the prefix")
    }
}
