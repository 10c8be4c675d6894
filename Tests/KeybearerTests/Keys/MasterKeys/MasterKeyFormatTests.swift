import TestSupport
import Testing

@testable import Keybearer

/// The ``MasterKeyFormat`` of a ``MasterKeyRing``: what was written is read, and what is wrong is refused.
@Suite struct MasterKeyFormatTests {
    let random = RandomSource.seeded(11)
    let vault: KeyVault

    init() throws {
        vault = KeyVault(ring: try .generate(from: RandomSource.seeded(2)))
    }

    @Test("The file format reads back what it wrote")
    func format() throws {
        let entry = MasterKeyRing.Entry(id: .random(from: random), material: .tagOnly(random.bytes(32)))
        let ring = try MasterKeyRing(entries: vault.ring.entries + [entry], activeID: vault.ring.activeID)
        for ring in [ring, vault.ring, try vault.verifyOnlyRing()] {
            let read = try MasterKeyFormat.parse(MasterKeyFormat.format(ring))
            #expect(MasterKeyFormat.format(read) == MasterKeyFormat.format(ring))
            #expect(read.activeID == ring.activeID)
        }
    }

    @Test(
        "Samples, wrong lengths and malformed lines are refused",
        arguments: [
            ("", MasterKeyRingError.empty),
            ("# nothing\n\n", .empty),
            ("active mk_a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", .sample(MasterKeyID(rawValue: "mk_a"))),
            ("active mk_a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", .sample(MasterKeyID(rawValue: "mk_a"))),
            ("active mk_a //79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=", .sample(MasterKeyID(rawValue: "mk_a"))),
            ("active mk_a AAECAwQFBgcAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhc=", .sample(MasterKeyID(rawValue: "mk_a"))),
            ("active mk_a Y2hhbmdlLW1lLWNoYW5nZS1tZS1jaGFuZ2UtbWUtISE=", .sample(MasterKeyID(rawValue: "mk_a"))),
            ("active mk_a AAAA", .wrongLength(MasterKeyID(rawValue: "mk_a"))),
            ("active mk_a not*base64", .wrongLength(MasterKeyID(rawValue: "mk_a"))),
            ("active", .malformedLine(1)),
            ("# fine\nsecret mk_a AAAA", .malformedLine(2)),
        ])
    func refusedFiles(text: String, expected: MasterKeyRingError) {
        #expect(throws: expected) { try MasterKeyFormat.parse(text) }
    }
}
