import TestSupport
import Testing

@testable import Keybearer

/// The ``KeyVault``: it seals keys, recognises them, and tags each ``MintedToken`` with its ``Subkeys``.
@Suite struct KeyVaultTests {
    let random = RandomSource.seeded(11)
    let vault: KeyVault
    let userID: UserID
    let keyID: KeyID

    init() throws {
        vault = KeyVault(ring: try .generate(from: RandomSource.seeded(2)))
        userID = .random(from: random)
        keyID = .random(from: random)
    }

    @Test("What is sealed opens, for this account, key and version only")
    func sealAndOpen() throws {
        let key = try vault.issue(prefix: .standard, random: random)
        let sealed = try vault.seal(key, userID: userID, keyID: keyID, version: 3)
        #expect(try vault.open(sealed, userID: userID, keyID: keyID, version: 3) == key)
        #expect(throws: KeybearerError.self) { try vault.open(sealed, userID: userID, keyID: keyID, version: 4) }
        #expect(throws: KeybearerError.self) {
            try vault.open(sealed, userID: userID, keyID: .random(from: random), version: 3)
        }
        #expect(throws: KeybearerError.self) {
            try vault.open(sealed, userID: .random(from: random), keyID: keyID, version: 3)
        }
    }

    @Test("Every altered byte of a sealed key is noticed")
    func altered() throws {
        let key = try vault.issue(prefix: .standard, random: random)
        let sealed = try vault.seal(key, userID: userID, keyID: keyID, version: 1)
        for place in sealed.box.indices {
            var box = sealed.box
            box[place] ^= 1
            let broken = SealedKey(masterKeyID: sealed.masterKeyID, box: box, digest: sealed.digest)
            #expect(throws: KeybearerError.self) { try vault.open(broken, userID: userID, keyID: keyID, version: 1) }
        }
    }

    @Test("Sealing twice gives different boxes and one digest")
    func nonce() throws {
        let key = try vault.issue(prefix: .standard, random: random)
        let one = try vault.seal(key, userID: userID, keyID: keyID, version: 1)
        let two = try vault.seal(key, userID: userID, keyID: keyID, version: 1)
        #expect(one.box != two.box)
        #expect(one.digest == two.digest)
        #expect(vault.digests(of: key) == [one.digest])
    }

    @Test("Another deployment's keys are not genuine and have other digests")
    func otherServices() throws {
        let other = KeyVault(ring: try .generate(from: RandomSource.seeded(3)))
        let key = try other.issue(prefix: .standard, random: random)
        #expect(!vault.isGenuine(key))
        #expect(vault.digests(of: key) != other.digests(of: key))
    }

    @Test("A ring of two verifies and opens the keys of both")
    func ringOfTwo() throws {
        let old = vault.ring
        let entry = MasterKeyRing.Entry(id: .random(from: random), material: .master(random.bytes(32)))
        let both = KeyVault(ring: try MasterKeyRing(entries: old.entries + [entry], activeID: entry.id))
        let oldKey = try vault.issue(prefix: .standard, random: random)
        let sealed = try vault.seal(oldKey, userID: userID, keyID: keyID, version: 1)
        #expect(both.isGenuine(oldKey))
        #expect(try both.open(sealed, userID: userID, keyID: keyID, version: 1) == oldKey)
        #expect(both.digests(of: oldKey).contains(sealed.digest))
        let newKey = try both.issue(prefix: .standard, random: random)
        #expect(!vault.isGenuine(newKey))
        #expect(both.tagKey(of: newKey) == entry.id)
        let oldID = try #require(old.activeID)
        let retired = KeyVault(ring: try both.ringRetiring(oldID, keepingTag: true))
        #expect(retired.isGenuine(oldKey))
        #expect(throws: KeybearerError.self) { try retired.open(sealed, userID: userID, keyID: keyID, version: 1) }
        #expect(!KeyVault(ring: try both.ringRetiring(oldID, keepingTag: false)).isGenuine(oldKey))
    }

    @Test("A verify-only ring recognises and digests, and says that it cannot do more")
    func verifyOnly() throws {
        let key = try vault.issue(prefix: .standard, random: random)
        let sealed = try vault.seal(key, userID: userID, keyID: keyID, version: 1)
        let verifier = KeyVault(ring: try vault.verifyOnlyRing())
        #expect(verifier.isGenuine(key))
        #expect(verifier.digests(of: key) == vault.digests(of: key))
        #expect(!verifier.canSeal)
        let refused = #expect(throws: KeybearerError.self) {
            try verifier.open(sealed, userID: userID, keyID: keyID, version: 1)
        }
        #expect(refused?.code == .unavailable)
        #expect(throws: KeybearerError.self) { try verifier.issue(prefix: .standard, random: random) }
    }

    @Test("A node that only verifies puts the tag of no retired master key into its tokens, wherever its line stands")
    func mintingTag() throws {
        let live = try vault.verifyOnlyRing()
        let retired = MasterKeyRing.Entry(id: .random(from: random), material: .tagOnly(random.bytes(32)))
        let id = try #require(vault.ring.activeID)
        for entries in [[retired] + live.entries, live.entries + [retired]] {
            let node = KeyVault(ring: try MasterKeyRing(entries: entries, activeID: nil))
            let (characters, record) = node.mint(.session, random: random)
            #expect(record.tagKeyID == id)
            #expect(node.tagKey(of: characters, kind: .session) == id)
            #expect(vault.tagKey(of: characters, kind: .session) == id)
            #expect(node.tagKey(of: String(characters.dropLast()) + "!", kind: .session) == nil)
            for place in [0, 50] {
                var forged = Array(characters.utf8)
                forged[place] = forged[place] == 65 ? 66 : 65
                #expect(node.tagKey(of: String(decoding: forged, as: UTF8.self), kind: .session) == nil)
            }
        }
        #expect(KeyVault(ring: try MasterKeyRing(entries: [retired], activeID: nil)).mintingSubkeys.id == retired.id)
    }
}
